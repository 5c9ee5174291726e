"""Groups of examples that carving keeps in one split: those of a document, or with the same text.

Everything is stored in arrays with one element per row, a row being an example of train, in order:
5 million rows take a few hundred MB.
"""

import hashlib
from array import array

import numpy

from .duplicates import hash_example
from .examples import Document, Example, TaggedSentence


def stable_hash(text: str) -> int:
    """Return a 64-bit hash of a text, whatever its case and whitespace, the same in every process."""
    key = "".join(text.split()).casefold().encode("utf8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest())


class Rows:
    """What carving needs to know about the examples: 24 bytes each, and the texts if some are
    phrases of others.

    keys: what a row is carved by if that is a hash, which is the same in every process; None if not.
    """

    def __init__(self, phrases: bool, by_hash: bool = False) -> None:
        self.keys = array("Q") if by_hash else None
        # The key of each numbered document of a file: that of its first text.
        self.first: dict[tuple[str, Document], int] = {}
        self.texts = array("q")
        self.documents = array("q")
        self.strata = array("q")
        self.names: dict[str, int] = {}
        # The kinds of groups in the files: documents, sentences or texts.
        self.kinds: set[str] = set()
        self.phrases: list[str] | None = [] if phrases else None

    def __len__(self) -> int:
        return len(self.texts)

    def add(self, file: str, example: Example) -> None:
        document = example.document
        self.texts.append(hash_example(example)[0])
        self.documents.append(0 if document is None else hash((file, document)))
        self.strata.append(self.names.setdefault(example.stratum, len(self.names)))
        if self.keys is not None:
            self.keys.append(self.key_of(file, example))
        if self.phrases is not None:
            self.phrases.append(example.text)

    def key_of(self, file: str, example: Example) -> int:
        """Return a hash of an example's text, whatever its case and whitespace or, where it has a
        document, of that one's name, or first text."""
        document = example.document
        if isinstance(document, str):
            return stable_hash(document)
        text = " ".join(example.words) if isinstance(example, TaggedSentence) else example.text
        if document is None:
            return stable_hash(text)
        return self.first.setdefault((file, document), stable_hash(text))

    def close(self, file: str, start: int, kind: str) -> None:
        """Finish a file that began with row `start`.

        What precedes its first document boundary is a document as well. If it has no boundaries,
        each example, of the given kind, is a group of its own.
        """
        documents = numpy.frombuffer(self.documents, dtype=numpy.int64)[start:]
        if documents.size and (documents == documents[0]).all():
            documents[:] = 0
            self.kinds.add(kind)
        elif documents.size:
            documents[documents == 0] = hash((file, None))
            self.kinds.add("document")


def by_appearance(values: numpy.ndarray) -> numpy.ndarray:
    """Return values renumbered from 0 in order of first occurrence."""
    _, first, index = numpy.unique(values, return_index=True, return_inverse=True)
    numbers = numpy.empty_like(first)
    numbers[numpy.argsort(first)] = numpy.arange(len(first))
    return numbers[index]


def documents_of(rows: Rows) -> numpy.ndarray:
    """Return the document number of each row, from 0."""
    documents = numpy.frombuffer(rows.documents, dtype=numpy.int64)
    alone = documents == 0
    if alone.all():
        return numpy.arange(len(documents))
    _, numbers = numpy.unique(documents, return_inverse=True)
    numbers[alone] = len(documents) + numpy.arange(alone.sum())
    return by_appearance(numbers)


def max_group_size(sizes: dict[str, int]) -> int:
    """Return the maximum number of rows that are grouped because they share a text: half of the
    smallest carved split, but at least two."""
    return max(2, min(sizes.values()) // 2)


def group_rows(rows: Rows, limit: int) -> numpy.ndarray:
    """Return the group number of each row, from 0 in order of appearance. A group is a document, or
    several documents that share texts.

    A text in very many documents would join all of them into one group. Texts are therefore
    processed from the rarest to the most frequent, and documents with more than `limit` rows in
    total are not joined: their common text may end up in several splits.
    """
    documents = documents_of(rows)
    texts = numpy.frombuffer(rows.texts, dtype=numpy.int64)
    # Texts are identified by their first row, as hashes differ between runs.
    _, first, index, counts = numpy.unique(
        texts, return_index=True, return_inverse=True, return_counts=True
    )
    repeated = numpy.flatnonzero(counts[index] > 1)
    # Each distinct pair of a text and a document that contains it.
    pairs = numpy.unique(first[index[repeated]] * len(texts) + documents[repeated])
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
            target, *others = sorted({root(d) for d in holders[start : start + count]})
            size = sum(sizes[d] for d in (target, *others))
            if size <= limit:
                sizes[target] = size
                for other in others:
                    parents[other] = target
    roots = numpy.frombuffer(parents, dtype=numpy.int64)
    while (roots[roots] != roots).any():
        roots = roots[roots]
    return by_appearance(roots[documents])
