"""Tag sequences to entities: IOB1, IOB2, IOBES/BILUO and I-only, by one rule."""

from typing import List, Sequence, Tuple

from ..errors import UserError
from .examples import Notes

# Tuples: `in` a string would also find "" and "BI".
BEGIN, INSIDE, SINGLE, END = ("B",), ("I",), ("S", "U"), ("E", "L")


def split_tag(tag: str, place: str) -> Tuple[str, str]:
    """Return (prefix, label) of a tag, split at its first hyphen only: B-creative-work."""
    if tag == "O":
        return "O", ""
    prefix, hyphen, label = tag.partition("-")
    if not hyphen or not label or prefix not in BEGIN + INSIDE + SINGLE + END:
        raise UserError(
            f"{place}: {tag!r} is no tag; expected O, or B- I- E- L- S- U- and a label."
        )
    return prefix, label


class TagDecoder:
    """Turns the tag sequences of one file into entities and counts the repairs.

    The rule: B, S and U begin an entity; I, E and L go on with the one before them if it is open
    and has their label, and otherwise begin one (as in conlleval, Tjong Kim Sang and De Meulder
    2003). In IOB1 and I-only files that is how entities begin; elsewhere it is a repair.
    """

    REPAIR = "I- or E- tag that continues nothing, taken as B-"

    def __init__(self) -> None:
        self.begun = 0
        self.continued = Notes()

    def decode(self, tags: Sequence[str], place: str) -> List[Tuple[int, int, str]]:
        """Return the entities of one sentence as (first word, word after the last, label)."""
        entities: List[Tuple[int, int, str]] = []
        open_label = ""
        for index, tag in enumerate(tags):
            prefix, label = split_tag(tag, place)
            if prefix in INSIDE + END and open_label == label:
                entities[-1] = (entities[-1][0], index + 1, label)
            elif prefix != "O":
                entities.append((index, index + 1, label))
                if prefix in BEGIN + SINGLE:
                    self.begun += 1
                else:
                    self.continued.add(self.REPAIR, place)
            open_label = "" if prefix in SINGLE + END else label
        return entities

    def note_repairs(self, repaired: Notes) -> None:
        """At the end of the file: write down the repairs, unless its scheme needs none.

        In IOB1 an entity begins with B- only right after another of its label, so that most
        begin with I-.
        """
        if self.continued.counts[self.REPAIR] <= self.begun:
            repaired.update(self.continued)
