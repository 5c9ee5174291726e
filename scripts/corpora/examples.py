"""What readers yield, and what they write down on the way."""

import bz2
import gzip
import io
import re
from collections import Counter
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, TextIO, Tuple, Union

from ..errors import UserError

SPLITS = ("train", "dev", "test")


class LabelledText(NamedTuple):
    """One text with its label. `stratum` is what a carved split keeps in proportion."""

    text: str
    label: str
    stratum: str


class TaggedSentence(NamedTuple):
    """One sentence: its words and its entities as (first word, word after the last, label)."""

    words: List[str]
    entities: List[Tuple[int, int, str]]
    stratum: str = ""


Example = Union[LabelledText, TaggedSentence]


class Notes:
    """What a reader met in a file and did not pass on as it was, with the first few places."""

    PLACES = 3

    def __init__(self) -> None:
        self.counts: Counter = Counter()
        self.places: Dict[str, List[str]] = {}

    def add(self, kind: str, place: str) -> None:
        self.counts[kind] += 1
        places = self.places.setdefault(kind, [])
        if len(places) < self.PLACES:
            places.append(place)

    def update(self, other: "Notes") -> None:
        self.counts.update(other.counts)
        for kind, places in other.places.items():
            self.places[kind] = (self.places.get(kind, []) + places)[: self.PLACES]

    def to_json(self) -> Dict[str, dict]:
        return {
            kind: {"count": count, "first": self.places[kind]}
            for kind, count in sorted(self.counts.items())
        }


class Format(NamedTuple):
    """How a raw corpus is written.

    read(path, skipped, repaired): yields the examples of one file in their order.
    labels: the text labels of the format; None for entities.
    find(input, language): the files of each split; None for names that tell the split.
    dev_ratio, test_ratio: what is carved from train where the corpus has no such split.
    """

    read: Callable[[Path, Notes, Notes], Iterator[Example]]
    labels: Optional[Tuple[str, ...]] = None
    find: Optional[Callable[[Path, str, Notes], Dict[str, List[Path]]]] = None
    dev_ratio: float = 0.0
    test_ratio: float = 0.0


# In this order: "testa" is a dev split, and holds "test".
SPLIT_NAMES = (
    ("dev", re.compile(r"testa|dev|val", re.I)),
    ("train", re.compile(r"train", re.I)),
    ("test", re.compile(r"test", re.I)),
)


def split_of(path: Path) -> Optional[str]:
    """Return the split that a file's name tells, or None: eng.testa -> dev, valid.txt -> dev."""
    return next((split for split, name in SPLIT_NAMES if name.search(path.name)), None)


def find_files(folder: Path, language: str, skipped: Notes) -> Dict[str, List[Path]]:
    """Return the one file of each split in a folder, by its name; others are noted as skipped.

    A file that is alone is train, whatever its name. Raises UserError where two claim one split.
    """
    found: Dict[str, List[Path]] = {}
    paths = [p for p in sorted(folder.iterdir()) if p.is_file() and not p.name.startswith(".")]
    for path in paths:
        split = split_of(path) or ("train" if len(paths) == 1 else None)
        if split is None:
            skipped.add("file whose name tells no split", str(path))
        elif split in found:
            raise UserError(
                f"{folder}: {found[split][0].name} and {path.name} are both the {split} split; "
                "leave one of them, or convert one file at a time with --split."
            )
        else:
            found[split] = [path]
    return found


def open_text(path: Path) -> TextIO:
    """Open a UTF-8 text file, plain, .gz or .bz2; line ends are left to the reader's rstrip."""
    openers = {".gz": gzip.open, ".bz2": bz2.open}
    stream = openers.get(path.suffix, open)(path, "rb")
    return io.TextIOWrapper(stream, encoding="utf-8-sig", newline="\n")


def lines(path: Path) -> Iterator[Tuple[int, str]]:
    """Yield (line number from 1, line without its end).

    Raises UserError for a file that cannot be read, is cut short or is not UTF-8.
    """
    number = 0
    try:
        with open_text(path) as stream:
            for number, line in enumerate(stream, 1):
                yield number, line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}:{number + 1}: not UTF-8 ({error.reason}); convert the file to UTF-8 first."
        ) from error
    except EOFError as error:
        raise UserError(f"{path}:{number + 1}: the compressed file is cut short.") from error
