"""Duplicates, texts shared between splits, and texts with different annotations."""

import sqlite3
from collections.abc import Sequence
from itertools import combinations

from .examples import Example, LabelledText, TaggedSentence
from .writer import EMPTY

BATCH = 10_000


def hash_example(example: Example) -> tuple[int, int]:
    """Return 64-bit hashes of an example's text, as it is written, and of its annotation."""
    if isinstance(example, LabelledText):
        return hash(example.text), hash(frozenset(example.all_labels))
    if isinstance(example, TaggedSentence):
        words = example.words
        if "" in words:
            words = [word or EMPTY for word in words]
        return hash(tuple(words)), hash(tuple(example.entities))
    return hash(example.text), hash(tuple(example.spans))


class TextIndex:
    """An index of text hashes by split.

    It is a temporary SQLite database, which moves to disk when it outgrows a few MB and is deleted
    on closing: memory does not grow with the corpus.
    """

    def __init__(self, splits: Sequence[str]) -> None:
        self.splits = list(splits)
        self.database = sqlite3.connect("")
        for statement in (
            "CREATE TABLE texts (split INT, text INT, annotation INT)",
            "CREATE TABLE protected (text INT, split INT, PRIMARY KEY (text, split))",
            "CREATE TABLE kept (text INT, split INT, PRIMARY KEY (text, split))",
        ):
            self.database.execute(statement)
        self.buffer: list[tuple[int, int, int]] = []

    def add(self, split: str, text: int, annotation: int) -> None:
        self.buffer.append((self.splits.index(split), text, annotation))
        if len(self.buffer) == BATCH:
            self.flush()

    def flush(self) -> None:
        self.database.executemany("INSERT INTO texts VALUES (?, ?, ?)", self.buffer)
        self.buffer.clear()

    def protect(self, split: str, text: int) -> None:
        """Register a text of a split that must not leak into earlier ones."""
        self.database.execute(
            "INSERT OR IGNORE INTO protected VALUES (?, ?)", (text, self.splits.index(split))
        )

    def is_leak(self, split: str, text: int) -> bool:
        """Return whether a text is protected in a later split (train, dev, test in this order)."""
        query = "SELECT 1 FROM protected WHERE text = ? AND split > ?"
        return bool(self.database.execute(query, (text, self.splits.index(split))).fetchone())

    def is_first(self, split: str, text: int) -> bool:
        """Register a text and return whether it is the first copy in its split."""
        query = "INSERT OR IGNORE INTO kept VALUES (?, ?)"
        return bool(self.database.execute(query, (text, self.splits.index(split))).rowcount)

    def count(self, query: str, *arguments: int) -> int:
        return self.database.execute(f"SELECT count(*) FROM ({query})", arguments).fetchone()[0]

    def report(self, written: Sequence[str]) -> tuple[dict[str, int], dict[str, int], int]:
        """Return the number of duplicates in each split, of distinct texts shared by each pair of
        splits (keys such as "train/test"), and of texts with different annotations."""
        self.flush()
        number = {split: self.splits.index(split) for split in written}
        texts = "SELECT text FROM texts WHERE split = ?"
        duplicates = {
            split: self.count(texts, i) - self.count(f"{texts} GROUP BY text", i)
            for split, i in number.items()
        }
        shared = {
            f"{a}/{b}": self.count(f"{texts} INTERSECT {texts}", number[a], number[b])
            for a, b in combinations(written, 2)
        }
        different = self.count(
            "SELECT text FROM texts GROUP BY text HAVING min(annotation) < max(annotation)"
        )
        return duplicates, shared, different
