"""Load a trained pipeline and annotate texts or tokenised documents with it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Corpus

from ..errors import UserError

# nlp.pipe gives the transformer so many documents at once; it sorts them by length and cuts them
# into batches of max_batch_items padded pieces, which is faster than small batches in file order.
BATCH_DOCS = 1000


def load(pipeline: str) -> Language:
    """Return the pipeline of a folder or an installed package.

    Raises UserError where there is none.
    """
    try:
        return spacy.load(pipeline)
    except OSError as error:
        raise UserError(
            f"{pipeline}: no trained pipeline there; train or install it first."
        ) from error


def read_docs(path: Path, nlp: Language) -> list[Doc]:
    """Return the annotated documents of a .spacy file, or of a folder of shards.

    Raises UserError where there are none, or none with labels for a pipeline that gives labels.
    """
    if not path.exists():
        raise UserError(f"{path} is missing: convert a corpus that has this split first.")
    docs = [example.reference for example in Corpus(path)(nlp)]
    if not docs:
        raise UserError(f"{path} holds no example.")
    if "textcat" in nlp.pipe_names and not all(doc.cats for doc in docs):
        raise UserError(f"{path} has texts without labels: not a corpus for a text classifier.")
    return docs


def annotate(nlp: Language, texts: Iterable[str | Doc]) -> Iterator[Doc]:
    """Yield the annotated documents in their order, without the transformer's vectors.

    A Doc keeps its own tokens. The vectors take 27 kB a document (`doc._.trf_data`).
    """
    for doc in nlp.pipe(texts, batch_size=BATCH_DOCS):
        doc._.trf_data = None
        yield doc
