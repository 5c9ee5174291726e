"""Which texts occur where: duplicates, texts with several labels, texts shared between splits."""

import sqlite3
from collections.abc import Sequence
from itertools import combinations

from .examples import Example, LabelledText, TaggedSentence
from .writer import EMPTY

BATCH = 10_000


def keys(example: Example) -> tuple[int, int]:
    """Return hashes of an example's text, as it is written, and of its annotation, 64 bits each."""
    if isinstance(example, LabelledText):
        return hash(example.text), hash(frozenset(example.own_labels))
    if isinstance(example, TaggedSentence):
        words = example.words
        if "" in words:
            words = [word or EMPTY for word in words]
        return hash(tuple(words)), hash(tuple(example.entities))
    return hash(example.text), hash(tuple(example.spans))


class SeenTexts:
    """Keeps hashes of texts by split in a nameless database, which SQLite puts on disk when it
    outgrows a few MB and deletes at the end: memory does not grow with the corpus."""

    def __init__(self, splits: Sequence[str]) -> None:
        self.splits = list(splits)
        self.database = sqlite3.connect("")
        self.database.execute("CREATE TABLE seen (split INT, text INT, annotation INT)")
        self.database.execute("CREATE TABLE held (text INT, split INT, PRIMARY KEY (text, split))")
        self.database.execute("CREATE TABLE once (text INT, split INT, PRIMARY KEY (text, split))")
        self.waiting: list[tuple[int, int, int]] = []

    def add(self, split: str, text: int, annotation: int) -> None:
        self.waiting.append((self.splits.index(split), text, annotation))
        if len(self.waiting) == BATCH:
            self.flush()

    def flush(self) -> None:
        self.database.executemany("INSERT INTO seen VALUES (?, ?, ?)", self.waiting)
        self.waiting.clear()

    def hold(self, split: str, text: int) -> None:
        """Write down that a text is in a split that others must not leak into."""
        self.database.execute(
            "INSERT OR IGNORE INTO held VALUES (?, ?)", (text, self.splits.index(split))
        )

    def leaks(self, split: str, text: int) -> bool:
        """Tell whether a text is held by a later split: test over dev over train."""
        query = "SELECT 1 FROM held WHERE text = ? AND split > ?"
        return bool(self.database.execute(query, (text, self.splits.index(split))).fetchone())

    def first(self, split: str, text: int) -> bool:
        """Tell whether a text is new in its split, and write it down."""
        query = "INSERT OR IGNORE INTO once VALUES (?, ?)"
        return bool(self.database.execute(query, (text, self.splits.index(split))).rowcount)

    def count(self, query: str, *arguments: int) -> int:
        return self.database.execute(f"SELECT count(*) FROM ({query})", arguments).fetchone()[0]

    def report(self, written: Sequence[str]) -> tuple[dict[str, int], dict[str, int], int]:
        """Return the texts that occur again by split, the distinct texts that each two splits
        share by "train/test", and how many texts are annotated in more than one way."""
        self.flush()
        number = {split: self.splits.index(split) for split in written}
        of = "SELECT text FROM seen WHERE split = ?"
        again = {
            split: self.count(of, i) - self.count(f"{of} GROUP BY text", i)
            for split, i in number.items()
        }
        shared = {
            f"{a}/{b}": self.count(f"{of} INTERSECT {of}", number[a], number[b])
            for a, b in combinations(written, 2)
        }
        several = self.count(
            "SELECT text FROM seen GROUP BY text HAVING min(annotation) < max(annotation)"
        )
        return again, shared, several
