"""The labels in the cells of a table: their names, and whether a cell holds several."""

import re
from collections import Counter
from collections.abc import Collection
from itertools import chain
from typing import NamedTuple

from ..common.errors import UserError
from ..common.rawfile import RawFile
from .examples import Log
from .options import Options

SEPARATORS = (",", ";", "|", "#")
# So many different cells are compared; a corpus with more labels is refused elsewhere.
MOST_CELLS = 1000


def label_names(pairs: str) -> dict[str, str]:
    """Return the names of labels from 0=negative,1=positive."""
    names = {}
    for pair in filter(None, pairs.split(",")):
        label, equals, name = pair.partition("=")
        if not equals or not name.strip():
            raise UserError(
                f"--label-names {pairs}: {pair!r} is no pair; write 0=negative,1=positive."
            )
        names[label.strip()] = name.strip()
    return names


def parts_of(cell: str, separator: str) -> list[str]:
    """Return the labels in a cell in order, each once."""
    return sorted({part.strip() for part in cell.split(separator)} - {""})


class Joined(NamedTuple):
    """What was found of a separator: how many labels are in how many combinations of several."""

    separator: str
    labels: int
    combinations: int
    example: str
    certain: bool


def joined(cells: Collection[str]) -> Joined | None:
    """Tell whether some of the different labels of a corpus are several, joined by a separator.

    Of a label such as "joie, surprise" a part must occur in another one, alone or joined. That is
    certain, and not the way that the names of ordinary labels are ("Paris, Texas"), where there is
    more than one such combination, where they are most of those that hold the separator, and where
    taken apart all are fewer different labels than before.
    """
    found = None
    for separator in SEPARATORS:
        parts = {cell: parts_of(cell, separator) for cell in sorted(cells)}
        occurs = Counter(chain.from_iterable(parts.values()))
        several = [cell for cell, names in parts.items() if len(names) > 1]
        shared = [cell for cell in several if any(occurs[name] > 1 for name in parts[cell])]
        if not shared:
            continue
        certain = len(shared) > max(1, len(several) / 2) and len(occurs) < len(parts)
        here = Joined(separator, len(occurs), len(parts), shared[0], certain)
        if certain:
            return here
        found = found or here
    return found


class Labels:
    """Reads the label cells of one file."""

    def __init__(self, file: RawFile, options: Options) -> None:
        self.file = file
        self.named = options.label_names
        self.names = label_names(self.named or "")
        self.separator = options.label_separator or None
        self.matched = not self.names
        self.cells: set[str] = set()

    def read(self, cell: str) -> list[str]:
        """Return the labels of a cell by their names; none where it has no label.

        Raises UserError where cells hold several and the user does not say so.
        """
        apart = self.separator not in (None, "none")
        labels = set()
        for label in parts_of(cell, self.separator) if apart else [cell]:
            # Whole numbers that became floats beside missing ones.
            label = re.sub(r"^(-?\d+)\.0$", r"\1", label)
            if len(self.cells) < MOST_CELLS and label not in self.cells:
                self.cells.add(label)
                if len(self.cells) == MOST_CELLS:
                    self.check_joined()
            self.matched = self.matched or label in self.names
            # Of numbers that have names, -1 is none: it stands for no label.
            if label in self.names or not (self.names and re.fullmatch(r"-\d+", label)):
                labels.add(self.names.get(label, label))
        return sorted(labels)

    def check_joined(self) -> Joined | None:
        """Return what may be several labels in a cell; raise UserError where they surely are, and
        the user says nothing of it."""
        found = joined(self.cells) if self.separator != "none" else None
        if found and found.certain and self.separator is None:
            raise UserError(
                f"{self.file}: {found.labels} labels in {found.combinations} combinations, such as "
                f"{found.example[:60]!r}; read them with --label-separator {found.separator!r}, or "
                "as one label each with --label-separator none."
            )
        return found

    def close(self, log: Log) -> None:
        """At the end of the file: raise UserError where no label has a name of the user's, or
        cells hold several; note what may be several."""
        if not self.matched:
            raise UserError(f"{self.file}: no label is one of --label-names {self.named}.")
        found = self.check_joined()
        if found:
            log.layout["perhaps several labels"] = repr(found.example[:60])
