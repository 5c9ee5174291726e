"""Tag sequences to entities: one rule for IOB1, IOB2, IOBES/BILUO, BMES and I-only."""

import re
from collections import Counter
from collections.abc import Sequence

from ...common.errors import UserError
from ...common.rawfile import ZERO_WIDTH, RawFile
from ..examples import Log, Notes
from ..spans import EDGE_WHITESPACE, ONLY_WHITESPACE

# A prefix, and a label after the first hyphen: B-creative-work.
TAG = re.compile(r"O|([BISUELMW])-(.+)", re.DOTALL)
# A type of entities without a prefix, as Few-NERD's person-actor; PER-B is none.
TYPE = re.compile(r"(?!.*-[BIELMSUW]$)[^\W\d_]{2}[^\W\d]*(?:[-/.&][^\W\d]+)*")
MAX_TYPES = 100
SINGLE, END = "SUW", "EL"
BEGINS = "B" + SINGLE
DANGLING = "I- or E- tag that continues no entity, read as B-"
INVISIBLE_REMOVED = "invisible characters around a tag, removed"
INVISIBLE = ZERO_WIDTH + " \u00a0"
NAME_COLUMN = "fix it, or name the tag column with --tag-column"


def are_types(values: Sequence[str]) -> bool:
    """Return whether values are types of entities without B- and I-: mostly O, and otherwise a few
    names, the first of which is no header."""
    types = set(values) - {"O"}
    return (
        len(values) / 2 <= values.count("O") < len(values)
        and len(types) <= min(MAX_TYPES, len(values) / 4)
        and (values[0] == "O" or values.count(values[0]) > 1)
        and all(TYPE.fullmatch(x) and not TAG.fullmatch(x) for x in types)
    )


class TagDecoder:
    """Decodes the tag sequences of one file into entities, and counts repairs.

    B, S, U and W begin an entity. I, M, E and L continue the preceding entity if it is open and has
    the same label, and otherwise begin one, as in conlleval (Tjong Kim Sang and De Meulder 2003).
    In IOB1 and I-only files that is how entities begin; in others it is a repair.

    advice: what to do about a value that is not a tag.
    """

    def __init__(
        self, file: RawFile, log: Log, lines_per_word: int, advice: str = NAME_COLUMN
    ) -> None:
        self.advice = advice
        self.file = file
        self.log = log
        self.lines_per_word = lines_per_word
        self.prefixes: Counter = Counter()
        self.n_begun = 0
        self.dangling = Notes()
        # tag -> (prefix, label); a file has few distinct tags.
        self.cache: dict[str, tuple[str, str]] = {"O": ("", "")}

    def location(self, number: int, index: int) -> str:
        return self.file.location(number + index * self.lines_per_word)

    def split(self, tag: str, location: str) -> tuple[str, str]:
        """Return (prefix, label) of a tag, ("", "") for O."""
        stripped = tag.strip(INVISIBLE)
        match = TAG.fullmatch(stripped)
        if not match:
            header = ""
            if self.advice == NAME_COLUMN and location.endswith(":1"):
                header = " If line 1 is a header, delete it."
            raise UserError(
                f"{location}: {tag[:40]!r} is not a tag (O, or one of B- I- E- L- S- U- and a "
                f"label); {self.advice}.{header}"
            )
        parts = (match[1] or "", match[2] or "")
        if stripped == tag:
            self.cache[tag] = parts
        else:
            self.log.repair(INVISIBLE_REMOVED, location)
        return parts

    def with_prefixes(self, types: Sequence[str], number: int) -> list[str]:
        """Return types without B- and I- as tags: neighbours of one type are one entity. Raises
        UserError for a value that is no type, or has a prefix."""
        for index, value in enumerate(types):
            if value != "O" and (not TYPE.fullmatch(value) or TAG.fullmatch(value)):
                raise UserError(
                    f"{self.location(number, index)}: {value[:40]!r} is not a type of entities without B- "
                    f"and I-, as in the first lines; {self.advice}."
                )
        return [value if value == "O" else f"I-{value}" for value in types]

    def decode(self, tags: Sequence[str], number: int) -> list[tuple[int, int, str]]:
        """Return the entities of a sentence that begins on line `number`, as (start, end, label)
        with word indices, the end exclusive."""
        entities: list[tuple[int, int, str]] = []
        if tags.count("O") == len(tags):
            return entities
        cache = self.cache
        open_label = ""
        for index, tag in enumerate(tags):
            if tag == "O":
                open_label = ""
                continue
            prefix, label = cache.get(tag) or self.split(tag, self.location(number, index))
            self.prefixes[prefix] += 1
            if not prefix:
                open_label = ""
                continue
            if prefix not in BEGINS and open_label == label:
                entities[-1] = (entities[-1][0], index + 1, label)
            else:
                entities.append((index, index + 1, label))
                if prefix in BEGINS:
                    self.n_begun += 1
                else:
                    self.dangling.add(DANGLING, self.location(number, index))
            open_label = "" if prefix in SINGLE or prefix in END else label
        return entities

    def trim(
        self, words: list[str], entities: list[tuple[int, int, str]], number: int
    ) -> list[tuple[int, int, str]]:
        """Return the entities of a sentence without leading and trailing whitespace, and without
        entities that are only whitespace.

        Their first and last words are stripped in place. Whitespace is as defined by
        `Token.is_space`, which is `str.isspace`.
        """
        trimmed = []
        for start, end, label in entities:
            first, last = start, end
            while first < last and words[first].isspace():
                first += 1
            while first < last and words[last - 1].isspace():
                last -= 1
            if first == last:
                self.log.repair(ONLY_WHITESPACE, self.location(number, start))
                continue
            edges = words[first], words[last - 1]
            words[first] = words[first].lstrip()
            words[last - 1] = words[last - 1].rstrip()
            if (first, last, words[first], words[last - 1]) != (start, end, *edges):
                self.log.repair(EDGE_WHITESPACE, self.location(number, start))
            trimmed.append((first, last, label))
        return trimmed

    def close(self) -> None:
        """Finish the file: log the tag scheme, and the repairs if the scheme makes them such.

        In IOB1, an entity begins with B- only directly after another one with the same label; most
        begin with I-.
        """
        used = set(self.prefixes)
        n_dangling = self.dangling.counts[DANGLING]
        if used & {"S", "E", "W", "M"}:
            scheme = "IOBES"
        elif used & {"U", "L"}:
            scheme = "BILUO"
        elif "B" not in used:
            scheme = "I-only" if used else "none"
        else:
            scheme = "IOB1" if n_dangling > self.n_begun else "IOB2"
        self.log.layout["tags"] = scheme
        if n_dangling and scheme not in ("IOB1", "I-only"):
            self.log.repair_all(self.dangling)
