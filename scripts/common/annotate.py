"""Annotate texts with a pipeline, in batches that suit a transformer."""

from collections.abc import Iterable, Iterator

from spacy.language import Language
from spacy.tokens import Doc

# nlp.pipe gives the transformer this many documents at once; it sorts them by length and cuts them
# into batches of max_batch_items padded pieces, which is faster than small batches in file order.
BATCH_DOCS = 1000


def pipe(nlp: Language, texts: Iterable[str | Doc]) -> Iterator[Doc]:
    """Yield the predicted documents in order, without the transformer's vectors.

    A Doc keeps its own tokens. The vectors (`doc._.trf_data`) take 27 kB per document.
    """
    for doc in nlp.pipe(texts, batch_size=BATCH_DOCS):
        if Doc.has_extension("trf_data"):
            doc._.trf_data = None
        yield doc
