"""What a careful colleague would say of a converted corpus before training."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from spacy.training.corpus import walk_corpus
from spacy.vocab import Vocab
from tqdm import tqdm

from ...common.errors import UserError
from ...common.files import check_whole
from ..docbins import read_docs
from ..examples import SPLITS
from .duplicates import Duplicates
from .entities import Entities
from .findings import NOTE, SEVERITIES, Finding, Places, Text
from .labels import Labels
from .languages import Languages
from .lengths import Lengths, Pieces


def splits_of(corpus: Path) -> list[str]:
    """Return the splits of a converted corpus. Raises UserError if there are none."""
    check_whole(corpus)
    found = [split for split in SPLITS if (corpus / f"{split}.spacy").exists()]
    if not found:
        raise UserError(
            f"{corpus}: no train.spacy, dev.spacy or test.spacy; convert a corpus first."
        )
    return found


def read_texts(corpus: Path, splits: list[str], places: Places, verb: str) -> Iterator[Text]:
    """Yield the texts of all splits, in order; note where they came from.

    Raises UserError for a damaged or empty file.
    """
    row = 0
    with tqdm(desc=verb, unit=" texts") as bar:
        for split in splits:
            path = corpus / f"{split}.spacy"
            # A vocabulary for each shard: one for all would keep every word of the corpus.
            shards = list(walk_corpus(path, ".spacy")) or [path]
            for doc in chain.from_iterable(read_docs(shard, Vocab()) for shard in shards):
                yield Text(row, split, doc, doc.text, places.add(split, doc))
                row += 1
                bar.update()


def check_corpus(corpus: Path, language: str, pieces: Pieces | None) -> list[Finding]:
    """Return what there is to say of all texts of a corpus, the worst first.

    It is read twice; some 80 bytes a text are kept, and 40 of each entity, but no texts.
    Raises UserError for a folder without splits, and for damaged files.
    """
    splits = splits_of(corpus)
    places = Places()
    labels, lengths, duplicates = Labels(splits), Lengths(), Duplicates(splits)
    entities, languages = Entities(language), Languages(language)
    checks = [labels, lengths, duplicates, entities, languages, *([pieces] if pieces else [])]
    for text in read_texts(corpus, splits, places, "check"):
        for check in checks:
            check.add(text)
    if entities.labels:
        entities.prepare()
        for text in read_texts(corpus, splits, Places(), "check entities"):
            entities.revisit(text)
    found = [finding for check in checks for finding in check.findings(places)]
    missing = [split for split in SPLITS if split not in splits]
    found += [Finding(NOTE, "labels", f"there is no {split} split", 0) for split in missing]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))
