"""What a check reports, and what is kept of the texts that it read."""

from array import array
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from spacy.tokens import Doc

# Locations, and examples, that a finding names.
FIRST, EXAMPLES = 3, 100
# The worst first: scores or training would be wrong; worth a look; good to know.
SEVERITIES = SERIOUS, WARNING, NOTE = "serious", "warning", "note"


class Finding(NamedTuple):
    """Something to know about a corpus before training.

    count: of what `what` names. first: the first locations. examples: what was found, the most
    important first, in words.
    """

    severity: str
    check: str
    what: str
    count: int
    first: list[str] = []
    examples: list[str] = []


class Text(NamedTuple):
    """A text of a corpus: its number, from 0 over all splits, its split, and its location.

    string: that of the whole document, which spaCy puts together on every call.
    """

    row: int
    split: str
    doc: Doc
    string: str
    place: str


class Places:
    """Where each text of a corpus came from: 12 bytes a text."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.files = array("i")
        self.lines = array("q")

    def __len__(self) -> int:
        return len(self.files)

    def add(self, split: str, doc: Doc) -> str:
        """Note the next text; return its location: file:line, or split:number if it has none."""
        data = doc.user_data
        name = data.get("file", split)
        self.files.append(self.names.setdefault(name, len(self.names)))
        self.lines.append(data.get("line", len(self.files)))
        return f"{name}:{self.lines[-1]}"

    def of(self, rows: Iterable[int]) -> list[str]:
        """Return the locations of the first few of some texts."""
        names = list(self.names)
        return [f"{names[self.files[row]]}:{self.lines[row]}" for row in list(rows)[:FIRST]]


class Notes:
    """Counts of events by kind, with their first locations and the most frequent examples."""

    # Distinct examples that are counted, of each kind.
    MOST = 10_000

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.places: dict[str, list[str]] = {}
        self.texts: dict[str, Counter[str]] = {}

    def add(self, kind: str, place: str, example: str = "") -> None:
        self.counts[kind] += 1
        places = self.places.setdefault(kind, [])
        if len(places) < FIRST and place not in places:
            places.append(place)
        texts = self.texts.setdefault(kind, Counter())
        if example and (len(texts) < self.MOST or example in texts):
            texts[example] += 1

    def finding(self, severity: str, check: str, kind: str, what: str = "") -> Finding:
        """Return what was noted of a kind, which `what` names if it is not its own name."""
        examples = [
            text if count == 1 else f"{text} ({count:,})"
            for text, count in self.texts[kind].most_common(EXAMPLES)
        ]
        return Finding(
            severity, check, what or kind, self.counts[kind], self.places[kind], examples
        )


def in_words(counts: Counter[str]) -> list[str]:
    """Return counted names, the most frequent first, equally frequent ones by name."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [f"{name} {count:,}" for name, count in ordered[:EXAMPLES]]
