"""Texts of a corpus to click in the page."""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from spacy.language import Language
from spacy.vocab import Vocab

from ..common.sources import corpora_of
from ..corpora.docbins import read_docs
from ..serving.gold import is_annotated
from ..serving.pipeline import trained_on

# Of each corpus: texts of these lengths in characters, so many, among the first ones.
SHORTEST, LONGEST, MOST, AMONG = 20, 300, 4, 1000
# A pipeline has not learnt from the first two.
SPLITS = ("test", "dev", "train")
CORPORA = Path("corpus")


def split_of(corpus: Path) -> Path:
    """Return the split that examples are taken from, test if there is none at all."""
    paths = [corpus / f"{split}.spacy" for split in SPLITS]
    return next(filter(Path.exists, paths), paths[0])


def own_corpora(nlp: Language) -> list[Path]:
    """Return the corpora that a pipeline was trained on, of those that are here."""
    found = [CORPORA / name for name in corpora_of(trained_on(nlp))]
    return [corpus for corpus in found if split_of(corpus).exists()]


def read_examples(corpora: Iterable[Path], tasks: Sequence[str]) -> list[str]:
    """Return texts of corpora that are annotated for one of the tasks. Raises UserError for a corpus
    that is missing or damaged."""
    texts: list[str] = []
    for corpus in corpora:
        docs = islice(read_docs(split_of(corpus), Vocab()), AMONG)
        fit = (
            doc.text
            for doc in docs
            if SHORTEST <= len(doc.text) <= LONGEST
            and any(is_annotated(doc, task) for task in tasks)
            and (doc.ents or doc.cats)
        )
        texts += islice(dict.fromkeys(fit), MOST)
    return texts
