"""What readers take, yield, and write down on the way."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..common.errors import UserError
from ..common.rawfile import RawFile
from .options import Options

SPLITS = ("train", "dev", "test")
# Which document of its file an example belongs to: its number from 1, or the name that the corpus
# gives it; None where the file tells of no documents.
Document = int | str | None


class LabelledText(NamedTuple):
    """One text with its label. `stratum` is what a carved split keeps in proportion: the label,
    after its category and a slash where the corpus has categories.

    `number` is the line, row or item of its file. `labels`: where a text may have several, those of
    this one, and `label` is all of them.
    """

    text: str
    label: str
    stratum: str
    number: int
    document: Document = None
    labels: tuple[str, ...] = ()

    @property
    def own_labels(self) -> tuple[str, ...]:
        return self.labels or (self.label,)

    @property
    def category(self) -> str:
        return self.stratum.removesuffix(self.label).removesuffix("/")


class TaggedSentence(NamedTuple):
    """One sentence: its words and its entities as (first word, word after the last, label)."""

    words: list[str]
    entities: list[tuple[int, int, str]]
    number: int
    document: Document = None
    stratum = category = ""


class SpannedText(NamedTuple):
    """One text and its entities as (first character, character after the last, label), in order."""

    text: str
    spans: list[tuple[int, int, str]]
    number: int
    document: Document = None
    stratum = category = ""


Example = LabelledText | TaggedSentence | SpannedText


class Notes:
    """Counts of what was met, by kind, with the first few places of each."""

    PLACES = 3

    def __init__(self) -> None:
        self.counts: Counter = Counter()
        self.places: dict[str, list[str]] = {}

    def add(self, kind: str, place: str) -> None:
        self.counts[kind] += 1
        places = self.places.setdefault(kind, [])
        if len(places) < self.PLACES:
            places.append(place)

    def update(self, other: "Notes") -> None:
        self.counts.update(other.counts)
        for kind, places in other.places.items():
            self.places[kind] = (self.places.get(kind, []) + places)[: self.PLACES]

    def to_json(self) -> dict[str, dict]:
        return {
            kind: {"count": count, "first": self.places[kind]}
            for kind, count in sorted(self.counts.items())
        }


class Log:
    """What happened to one file on its way to examples.

    skipped: examples that were read and not passed on, by reason. repaired: what was passed on
    otherwise than it was written. lines: how many lines of each kind there were. layout: what was
    found out about the file (columns, tag scheme).
    """

    def __init__(self, strict: bool = False) -> None:
        self.strict = strict
        self.skipped = Notes()
        self.repaired = Notes()
        self.lines: Counter = Counter()
        self.layout: dict[str, object] = {}

    def skip(self, kind: str, place: str) -> None:
        self.skipped.add(kind, place)

    def repair(self, kind: str, place: str) -> None:
        """Count a repair. Raises UserError where none are wanted."""
        if self.strict:
            raise UserError(f"{place}: {kind}; leave --strict out to have it so, or mend the file.")
        self.repaired.add(kind, place)

    def repair_all(self, notes: Notes) -> None:
        if self.strict:
            kind, (place, *_) = next(iter(notes.places.items()))
            self.repair(kind, place)
        self.repaired.update(notes)


Finder = Callable[[Path, str, Options, Notes], dict[str, list[Path]]]


class Format(NamedTuple):
    """How a raw corpus is written.

    about: what it reads, in a line.
    read(file, options, log): yields the examples of one file in their order.
    options: the names of the Options that it heeds.
    labels: the text labels of the format; () for entities; None where the data tell.
    find(folder, language, options, ignored): the files of each split; None: names tell the split.
    members(name, language): whether an archive's file of this name is wanted; None: no archives.
    dev_ratio, test_ratio: what is carved from train where the corpus has no such split.
    phrases: whether some of the texts are phrases of others, which carving must heed.
    """

    about: str
    read: Callable[[RawFile, Options, Log], Iterator[Example]]
    options: tuple[str, ...] = ()
    labels: tuple[str, ...] | None = ()
    find: Finder | None = None
    members: Callable[[str, str], bool] | None = None
    dev_ratio: float = 0.0
    test_ratio: float = 0.0
    phrases: bool = False
