"""Units of work: as many rows as a part of the output has, in order, from one file or several."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .inputs import Source

# A part of this many rows is lost at a kill; many small files are slow to read, and to list.
MOST_ROWS, FEWEST_ROWS = 10_000, 1000
# Input of fewer rows than so many parts has smaller ones, for several workers to share.
PARTS = 32


class Slice(NamedTuple):
    """Rows of a file: how many, after how many others."""

    source: Source
    first: int
    rows: int


class Unit(NamedTuple):
    """What one worker annotates at a time, and writes as one part. number: from 0."""

    number: int
    slices: tuple[Slice, ...]

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.slices)

    def __str__(self) -> str:
        first = self.slices[0]
        return f"part {self.number:,} ({self.rows:,} rows from {first.source.name}, row {first.first + 1:,})"


def rows_a_part(total: int) -> int:
    """Return the number of rows of a part. It is the same on every machine."""
    return min(MOST_ROWS, max(FEWEST_ROWS, -(-total // PARTS)))


def units_of(sources: Iterable[Source], size: int) -> Iterator[Unit]:
    """Cut the rows of all files, one after the other, into units of `size` rows."""
    number, room = 0, size
    slices: list[Slice] = []
    for source in sources:
        first, total = 0, source.survey.total
        while first < total:
            rows = min(room, total - first)
            slices.append(Slice(source, first, rows))
            first, room = first + rows, room - rows
            if not room:
                yield Unit(number, tuple(slices))
                number, room, slices = number + 1, size, []
    if slices:
        yield Unit(number, tuple(slices))


class Queue:
    """Units that are left to do, dealt so that each worker reads on in the file that it has open.

    A new file is begun before two workers share one; each of these then skips the rows of the other.
    """

    def __init__(self, units: Iterable[Unit]) -> None:
        self.left: dict[str, deque[Unit]] = {}
        for unit in units:
            self.left.setdefault(unit.slices[0].source.name, deque()).append(unit)
        self.unread = deque(self.left)
        self.readers: dict[int, str] = {}

    def next(self, worker: int) -> Unit | None:
        """Return the next unit for a worker, None if none is left."""
        name = self.readers.get(worker)
        if name not in self.left:
            if not self.left:
                return None
            if self.unread:
                name = self.unread.popleft()
            else:
                readers = Counter(self.readers.values())
                name = min(self.left, key=lambda name: readers[name])
            self.readers[worker] = name
        unit = self.left[name].popleft()
        if not self.left[name]:
            del self.left[name]
        return unit

    def put_back(self, unit: Unit) -> None:
        """Return a unit whose worker is gone."""
        self.left.setdefault(unit.slices[0].source.name, deque()).appendleft(unit)

    def forget(self, worker: int) -> None:
        self.readers.pop(worker, None)
