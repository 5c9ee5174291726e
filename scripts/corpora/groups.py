"""What carving must not tear apart: a document's sentences, and texts that occur again.

All on arrays with an entry a row, a row being an example of train in its order: 5 million take a
few hundred MB.
"""

from array import array

import numpy

from .duplicates import keys
from .examples import Example


class Rows:
    """What carving has to know of the examples: 24 bytes each, and the texts only of a corpus of
    phrases."""

    def __init__(self, phrases: bool) -> None:
        self.keys = array("q")
        self.documents = array("q")
        self.strata = array("q")
        self.names: dict[str, int] = {}
        # By what each file can be carved.
        self.kinds: set[str] = set()
        self.texts: list[str] | None = [] if phrases else None

    def __len__(self) -> int:
        return len(self.keys)

    def add(self, file: str, example: Example) -> None:
        document = example.document
        self.keys.append(keys(example)[0])
        self.documents.append(0 if document is None else hash((file, document)))
        self.strata.append(self.names.setdefault(example.stratum, len(self.names)))
        if self.texts is not None:
            self.texts.append(example.text)

    def close(self, file: str, start: int, kind: str) -> None:
        """At the end of a file that began with row `start`: what comes before its first document
        is one as well; where nothing parts it, each example, of this kind, is one of its own."""
        documents = numpy.frombuffer(self.documents, dtype=numpy.int64)[start:]
        if documents.size and (documents == documents[0]).all():
            documents[:] = 0
            self.kinds.add(kind)
        elif documents.size:
            documents[documents == 0] = hash((file, None))
            self.kinds.add("document")


def by_appearance(values: numpy.ndarray) -> numpy.ndarray:
    """Return values as numbers from 0, in the order in which they first occur."""
    _, first, index = numpy.unique(values, return_index=True, return_inverse=True)
    numbers = numpy.empty_like(first)
    numbers[numpy.argsort(first)] = numpy.arange(len(first))
    return numbers[index]


def documents_of(rows: Rows) -> numpy.ndarray:
    """Return the number of each row's document, from 0."""
    keys = numpy.frombuffer(rows.documents, dtype=numpy.int64)
    alone = keys == 0
    if alone.all():
        return numpy.arange(len(keys))
    _, numbers = numpy.unique(keys, return_inverse=True)
    numbers[alone] = len(keys) + numpy.arange(alone.sum())
    return by_appearance(numbers)


def limit_of(sizes: dict[str, int]) -> int:
    """Return how many rows are kept together at most for the sake of a text that they share: half
    of the smallest split to be carved, but two."""
    return max(2, min(sizes.values()) // 2)


def units_of(rows: Rows, limit: int) -> numpy.ndarray:
    """Return the number of each row's unit, from 0 in their order: documents, and those together
    that share a text.

    A text that stands in very many documents would make one unit of them all. Therefore texts are
    taken by the number of documents that they are in, the rarest first, and one whose documents
    have more than `limit` rows together does not link them: it may come to stand in several splits.
    """
    documents = documents_of(rows)
    texts = numpy.frombuffer(rows.keys, dtype=numpy.int64)
    # A text is named by its first row: hashes differ from run to run.
    _, first, index, counts = numpy.unique(
        texts, return_index=True, return_inverse=True, return_counts=True
    )
    again = numpy.flatnonzero(counts[index] > 1)
    # Each text with each of its documents, once.
    pairs = numpy.unique(first[index[again]] * len(texts) + documents[again])
    names, starts, counts = numpy.unique(pairs // len(texts), return_index=True, return_counts=True)
    holders = array("q", (pairs % len(texts)).tobytes())
    sizes = array("q", numpy.bincount(documents).tobytes())
    parents = array("q", range(len(sizes)))

    def root(document: int) -> int:
        while parents[document] != document:
            parents[document] = document = parents[parents[document]]
        return document

    for text in numpy.lexsort((names, counts)):
        start, count = int(starts[text]), int(counts[text])
        if 1 < count <= limit:
            kept, *others = sorted({root(d) for d in holders[start : start + count]})
            size = sum(sizes[d] for d in (kept, *others))
            if size <= limit:
                sizes[kept] = size
                for other in others:
                    parents[other] = kept
    roots = numpy.frombuffer(parents, dtype=numpy.int64)
    while (roots[roots] != roots).any():
        roots = roots[roots]
    return by_appearance(roots[documents])
