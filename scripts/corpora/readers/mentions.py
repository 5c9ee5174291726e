"""Entities in brackets, as GUM and CorefUD write them in MISC: Entity=(1-person-new … Entity=1)."""

import re
from typing import NamedTuple

from ...common.errors import UserError
from ...common.rawfile import RawFile
from ..examples import Log

# If no `# global.Entity` names the fields.
DEFAULT_FIELDS = ["eid", "etype", "head", "other"]
TYPES = ("etype", "entity", "type")
PIECE = re.compile(r"\((?P<opened>[^()]+)(?P<whole>\))?|(?P<closed>[^()]+)\)")
VALUE = re.compile(r"(?:\([^()]+\)?|[^()]+\))+")
# The part of a mention that is in several pieces: e1[1/2].
PART = re.compile(r"\[\d+/\d+\]")
DISCONTINUOUS = "entity in several parts, left out"
UNTYPED = "entity without a type, left out"
NOT_IN_TEXT = "entity that is not in the text (empty nodes only), left out"


class Place(NamedTuple):
    """Where a node is in its word: whether at its beginning, and its end, or not in the text at all."""

    first: bool = True
    last: bool = True
    empty: bool = False


class Mentions:
    """The mentions of one sentence, while its words are read.

    fields: the names of the parts of an opening bracket, which hyphens separate. A closing bracket
    repeats the identifier, or the type and the identifier.
    """

    def __init__(self, file: RawFile, log: Log, fields: list[str]) -> None:
        self.file = file
        self.log = log
        self.fields = fields
        self.type = next((fields.index(name) for name in TYPES if name in fields), -1)
        # Of each open mention, its fields, the number of its first word, and whether it opens within.
        self.opened: list[tuple[list[str], int, bool]] = []
        # (start, end, label, whether widened to whole words)
        self.found: list[tuple[int, int, str, bool]] = []

    @staticmethod
    def matches(value: str) -> bool:
        """Return whether a value of MISC consists of brackets."""
        return VALUE.fullmatch(value) is not None

    def add(self, value: str, index: int, place: Place, number: int) -> None:
        """Read the brackets at a node. index: of its word, or of the next one at an empty node.

        Raises UserError for what are not brackets, and for one that closes no open mention.
        """
        location = self.file.location(number)
        if not self.matches(value):
            raise UserError(f"{location}: {value[:60]!r} are not brackets of entities; fix it.")
        if self.type < 0:
            raise UserError(
                f"{location}: `# global.Entity` names no etype ({'-'.join(self.fields)}), so entities "
                "have no types."
            )
        for piece in PIECE.finditer(value):
            if piece["opened"]:
                fields = piece["opened"].split("-", len(self.fields) - 1)
                self.opened.append((fields, index, not place.first))
            if piece["whole"] or piece["closed"]:
                end = index if place.empty else index + 1
                self.end(piece["closed"] or "", end, not place.last, location)

    def end(self, closed: str, end: int, within: bool, location: str) -> None:
        """Close the last mention that was opened, or the last with this identifier."""
        place = len(self.opened) - 1
        if closed:
            parts = closed.split("-")
            while place >= 0 and not self.is_of(self.opened[place][0], parts):
                place -= 1
        if place < 0:
            raise UserError(f"{location}: {closed}) closes no entity of its sentence; fix it.")
        fields, start, begins_within = self.opened.pop(place)
        label = fields[self.type] if self.type < len(fields) else ""
        if any(PART.search(field) for field in fields):
            self.log.repair(DISCONTINUOUS, location)
        elif not label.strip("_ "):
            self.log.repair(UNTYPED, location)
        elif label.isdecimal():
            raise UserError(
                f"{location}: the type of the entity ({'-'.join(fields)[:40]} is a number; name the fields "
                "in a comment, such as `# global.Entity = etype-eid`."
            )
        elif start >= end:
            self.log.repair(NOT_IN_TEXT, location)
        else:
            self.found.append((start, end, label, begins_within or within))

    def is_of(self, fields: list[str], closed: list[str]) -> bool:
        """Return whether a closing bracket may be that of a mention with these fields."""
        identifiers = [x for place, x in enumerate(fields) if place != self.type]
        return closed == fields[: len(closed)] or closed == identifiers[:1]

    def close(self, location: str) -> list[tuple[int, int, str, bool]]:
        """Return the mentions. Raises UserError for one that is still open."""
        if self.opened:
            fields, *_ = self.opened[0]
            raise UserError(
                f"{location}: entity ({'-'.join(fields)[:60]} is not closed in its sentence; fix it."
            )
        return self.found
