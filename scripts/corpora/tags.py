"""Tag sequences to entities: IOB1, IOB2, IOBES/BILUO, BMES and I-only, by one rule."""

import re
from collections import Counter
from collections.abc import Sequence

from ..common.errors import UserError
from ..common.rawfile import ZERO_WIDTH, RawFile
from .examples import Log, Notes

# A prefix, and a label after the first hyphen: B-creative-work.
TAG = re.compile(r"O|([BISUELMW])-(.+)", re.DOTALL)
SINGLE, END = "SUW", "EL"
BEGINS = "B" + SINGLE
REPAIR = "I- or E- tag that continues nothing, taken as B-"
BESIDE = "invisible characters beside a tag, taken off"
# spaCy's `ner` can neither begin an entity with white space nor make one of it (E024).
EDGE = "entity with white space at its edge, taken off"
NOTHING = "entity of nothing but white space, left out"
INVISIBLE = ZERO_WIDTH + " \u00a0"


class TagDecoder:
    """Turns the tag sequences of one file into entities and counts the repairs.

    The rule: B, S, U and W begin an entity; I, M, E and L go on with the one before them if it is
    open and has their label, and otherwise begin one (as in conlleval, Tjong Kim Sang and De
    Meulder 2003). In IOB1 and I-only files that is how entities begin; elsewhere it is a repair.
    """

    def __init__(self, file: RawFile, log: Log, lines_per_word: int) -> None:
        self.file = file
        self.log = log
        self.lines_per_word = lines_per_word
        self.prefixes: Counter = Counter()
        self.begun = 0
        self.continued = Notes()
        # tag -> (prefix, label): a file has few different ones.
        self.known: dict[str, tuple[str, str]] = {"O": ("", "")}

    def place(self, number: int, index: int) -> str:
        return self.file.location(number + index * self.lines_per_word)

    def split(self, tag: str, place: str) -> tuple[str, str]:
        """Return (prefix, label) of a tag, ("", "") for O."""
        bare = tag.strip(INVISIBLE)
        match = TAG.fullmatch(bare)
        if not match:
            header = " Is line 1 a header? Take it away." if place.endswith(":1") else ""
            raise UserError(
                f"{place}: {tag[:40]!r} is no tag; expected O, or B- I- E- L- S- U- and a label. "
                f"Mend it, or name the column with --tag-column.{header}"
            )
        parts = (match[1] or "", match[2] or "")
        if bare == tag:
            self.known[tag] = parts
        else:
            self.log.repair(BESIDE, place)
        return parts

    def decode(self, tags: Sequence[str], number: int) -> list[tuple[int, int, str]]:
        """Return the entities of one sentence, which begins on a line of this number, as (first
        word, word after the last, label)."""
        entities: list[tuple[int, int, str]] = []
        if tags.count("O") == len(tags):
            return entities
        known = self.known
        open_label = ""
        for index, tag in enumerate(tags):
            if tag == "O":
                open_label = ""
                continue
            prefix, label = known.get(tag) or self.split(tag, self.place(number, index))
            self.prefixes[prefix] += 1
            if not prefix:
                open_label = ""
                continue
            if prefix not in BEGINS and open_label == label:
                entities[-1] = (entities[-1][0], index + 1, label)
            else:
                entities.append((index, index + 1, label))
                if prefix in BEGINS:
                    self.begun += 1
                else:
                    self.continued.add(REPAIR, self.place(number, index))
            open_label = "" if prefix in SINGLE or prefix in END else label
        return entities

    def bare(
        self, words: list[str], entities: list[tuple[int, int, str]], number: int
    ) -> list[tuple[int, int, str]]:
        """Return the entities of a sentence without white space at their edges, none of nothing
        else; the outer words of each lose that at their own edges.

        White space is what `Token.is_space` says it is: `str.isspace`.
        """
        kept = []
        for start, end, label in entities:
            first, last = start, end
            while first < last and words[first].isspace():
                first += 1
            while first < last and words[last - 1].isspace():
                last -= 1
            if first == last:
                self.log.repair(NOTHING, self.place(number, start))
                continue
            edges = words[first], words[last - 1]
            words[first] = words[first].lstrip()
            words[last - 1] = words[last - 1].rstrip()
            if (first, last, words[first], words[last - 1]) != (start, end, *edges):
                self.log.repair(EDGE, self.place(number, start))
            kept.append((first, last, label))
        return kept

    def close(self) -> None:
        """At the end of the file: name the scheme, and note the repairs unless it needs none.

        In IOB1 an entity begins with B- only right after another of its label, so that most
        begin with I-.
        """
        used = set(self.prefixes)
        defects = self.continued.counts[REPAIR]
        if used & {"S", "E", "W", "M"}:
            scheme = "IOBES"
        elif used & {"U", "L"}:
            scheme = "BILUO"
        elif "B" not in used:
            scheme = "I-only" if used else "none"
        else:
            scheme = "IOB1" if defects > self.begun else "IOB2"
        self.log.layout["tags"] = scheme
        if defects and scheme not in ("IOB1", "I-only"):
            self.log.repair_all(self.continued)
