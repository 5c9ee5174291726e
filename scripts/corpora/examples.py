"""The interface of readers: the formats, the examples they yield, and the log they keep."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..common.errors import UserError
from ..common.rawfile import RawFile
from .options import Options
from .sample import Sample

SPLITS = ("train", "dev", "test")
WITHOUT_LABEL = "without label"
EMPTY_TEXT = "empty text"
# The document that an example belongs to: its number in the file, from 1, or the name that the
# corpus gives it; None if the file has no document boundaries.
Document = int | str | None


class LabelledText(NamedTuple):
    """One text with its label.

    stratum: what carved splits are stratified by: the label, or category/label.
    number: the line, row or item in the file.
    labels: those of this text where it need not have exactly one; `label` then is all of them joined.
    several: whether texts of this corpus may have several labels, or none, whatever this one has. A
    corpus with a text of several labels is such a corpus; in others, texts without a label are skipped.
    """

    text: str
    label: str
    stratum: str
    number: int
    document: Document = None
    labels: tuple[str, ...] | None = None
    several: bool = False

    @property
    def all_labels(self) -> tuple[str, ...]:
        return (self.label,) if self.labels is None else self.labels

    @property
    def category(self) -> str:
        return self.stratum.removesuffix(self.label).removesuffix("/")


def labelled(
    text: str, labels: Iterable[str], number: int, document: Document = None, several: bool = False
) -> LabelledText:
    """Return a text with any number of labels; see LabelledText. Whitespace around it is removed."""
    names = tuple(sorted(set(labels)))
    label = "#".join(names)
    return LabelledText(text.strip(), label, label, number, document, names, several)


class TaggedSentence(NamedTuple):
    """One sentence: its words, and its entities as (start, end, label) with word indices, the end
    exclusive.

    spaces: whether a space follows each word; None if the file does not tell.
    """

    words: list[str]
    entities: list[tuple[int, int, str]]
    number: int
    document: Document = None
    spaces: list[bool] | None = None
    stratum = category = ""


class SpannedText(NamedTuple):
    """One text, and its entities as sorted (start, end, label) with character offsets, the end
    exclusive."""

    text: str
    spans: list[tuple[int, int, str]]
    number: int
    document: Document = None
    stratum = category = ""


Example = LabelledText | TaggedSentence | SpannedText


class Notes:
    """Counts of events by kind, with the first few locations of each."""

    MAX_LOCATIONS = 3

    def __init__(self) -> None:
        self.counts: Counter = Counter()
        self.locations: dict[str, list[str]] = {}

    def add(self, kind: str, location: str) -> None:
        self.counts[kind] += 1
        locations = self.locations.setdefault(kind, [])
        if len(locations) < self.MAX_LOCATIONS:
            locations.append(location)

    def update(self, other: "Notes") -> None:
        self.counts.update(other.counts)
        for kind, locations in other.locations.items():
            self.locations[kind] = (self.locations.get(kind, []) + locations)[: self.MAX_LOCATIONS]

    def to_json(self) -> dict[str, dict]:
        return {
            kind: {"count": count, "first": self.locations[kind]}
            for kind, count in sorted(self.counts.items())
        }


class Log:
    """What happened while reading one file.

    skipped: examples that were read but not yielded, by reason.
    repaired: what was yielded in corrected form, by kind of repair.
    lines: the number of lines of each kind.
    layout: what was detected (columns, tag scheme).
    """

    def __init__(self, strict: bool = False) -> None:
        self.strict = strict
        self.skipped = Notes()
        self.repaired = Notes()
        self.lines: Counter = Counter()
        self.layout: dict[str, object] = {}

    def skip(self, kind: str, location: str) -> None:
        self.skipped.add(kind, location)

    def repair(self, kind: str, location: str) -> None:
        """Count a repair. Raises UserError under --strict."""
        if self.strict:
            raise UserError(
                f"{location}: {kind}; omit --strict to accept this repair, or fix the file."
            )
        self.repaired.add(kind, location)

    def repair_all(self, notes: Notes) -> None:
        if self.strict:
            kind, (location, *_) = next(iter(notes.locations.items()))
            self.repair(kind, location)
        self.repaired.update(notes)


Finder = Callable[[Path, str, Options, Notes], dict[str, list[Path]]]


class Format(NamedTuple):
    """A format of raw corpora.

    description: what it reads, in one line.
    read(file, options, log): yields the examples of one file, in order.
    options: names of the fields of Options that apply to it.
    labels: its text labels; () if it has entities; None if that depends on the data.
    find(folder, language, options, ignored): returns the files of each split; None to identify
        them by file name.
    members(name, language): whether to read an archive member; None if archives are not supported.
    dev_ratio, test_ratio: fraction of train to carve off if the corpus lacks this split.
    phrases: whether some texts are phrases of others, which carving must keep together.
    recognises(sample): whether a corpus looks like this format; None if `auto` does not choose it.
    """

    description: str
    read: Callable[[RawFile, Options, Log], Iterator[Example]]
    options: tuple[str, ...] = ()
    labels: tuple[str, ...] | None = ()
    find: Finder | None = None
    members: Callable[[str, str], bool] | None = None
    dev_ratio: float = 0.0
    test_ratio: float = 0.0
    phrases: bool = False
    recognises: Callable[[Sample], bool] | None = None
