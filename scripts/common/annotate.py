"""Annotate texts with a pipeline, in batches that suit a transformer."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import srsly
from preshed.maps import PreshMap
from spacy.attrs import NORM
from spacy.language import Language
from spacy.tokens import Doc
from spacy.vocab import Vocab

# nlp.pipe gives the transformer this many documents at once; it sorts them by length and cuts them
# into batches of max_batch_items padded pieces, which is faster than small batches in file order.
BATCH_DOCS = 1000
# The size of a vocabulary's table of strings, in cells of 16 bytes, from which it is made anew if it
# is so many times as large as its content.
LARGE, ROOMY = 1 << 18, 8


def pipe(nlp: Language, texts: Iterable[str | Doc]) -> Iterator[Doc]:
    """Yield the predicted documents in order, without the transformer's vectors.

    A Doc keeps its own tokens. The vectors (`doc._.trf_data`) take 27 kB per document.
    """
    for doc in nlp.pipe(texts, batch_size=BATCH_DOCS):
        if Doc.has_extension("trf_data"):
            doc._.trf_data = None
        yield doc


@contextmanager
def forgetting(nlp: Language) -> Iterator[None]:
    """Annotate texts in flat memory: no document may be used afterwards.

    spaCy's memory zone forgets new words, but its tables keep a mark where each of them was, and double
    when they are full of marks: by 36 bytes a word on average, for ever (spaCy 3.8, preshed 3).
    """
    with nlp.memory_zone():
        yield
    strings = nlp.vocab.strings
    if strings._map.capacity > max(LARGE, ROOMY * len(strings)):
        renew_tables(nlp.vocab)


def renew_tables(vocab: Vocab) -> None:
    """Make the tables of a vocabulary anew, with the strings that they hold; lexemes are made again
    when they are needed."""
    table = PreshMap()
    for key, string in vocab.strings._map.items():
        table[key] = string
    vocab.strings._map = table
    # Loading nothing resets the table of lexemes, but also wraps this function once more.
    norm = vocab.lex_attr_getters.get(NORM)
    vocab.from_bytes(srsly.msgpack_dumps({}))
    vocab.lex_attr_getters[NORM] = norm
