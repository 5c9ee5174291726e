"""Label cells of a table: the names of labels, and detection of cells with several labels."""

import re
from collections import Counter
from collections.abc import Collection
from itertools import chain
from typing import NamedTuple

from ...common.errors import UserError
from ...common.label_names import parse_label_names
from ...common.rawfile import RawFile
from ..examples import Log
from ..options import Options

SEPARATORS = (",", ";", "|", "#")
# Distinct cells that are compared; a corpus with more labels is refused elsewhere.
MAX_CELLS = 1000
# More distinct fractions than half stars (0.5 to 5.0) are measurements, not classes.
MAX_FRACTIONS = 10
FRACTION = re.compile(r"-?\d*\.\d*[1-9]\d*")


def split_cell(cell: str, separator: str) -> list[str]:
    """Return the distinct labels in a cell, sorted."""
    return sorted({part.strip() for part in cell.split(separator)} - {""})


class JoinedLabels(NamedTuple):
    """Cells that appear to join several labels: `labels` distinct ones in `combinations` distinct
    cells, one of which is `example`."""

    separator: str
    labels: int
    combinations: int
    example: str
    certain: bool


def detect_joined_labels(cells: Collection[str]) -> JoinedLabels | None:
    """Detect whether some of the distinct label cells of a corpus join several labels.

    A part of a cell such as "joie, surprise" must occur in another cell, alone or joined. As a
    label may also merely contain the separator ("Paris, Texas"), the result is certain only if
    there is more than one such cell, if they are most of the cells with the separator, and if
    splitting leaves fewer distinct labels than before.
    """
    detected = None
    for separator in SEPARATORS:
        parts = {cell: split_cell(cell, separator) for cell in sorted(cells)}
        counts = Counter(chain.from_iterable(parts.values()))
        multiple = [cell for cell, labels in parts.items() if len(labels) > 1]
        shared = [cell for cell in multiple if any(counts[label] > 1 for label in parts[cell])]
        if not shared:
            continue
        certain = len(shared) > max(1, len(multiple) / 2) and len(counts) < len(parts)
        joined = JoinedLabels(separator, len(counts), len(parts), shared[0], certain)
        if certain:
            return joined
        detected = detected or joined
    return detected


class LabelReader:
    """Reads the label cells of one file.

    plural: whether cells may be expected to hold several labels.
    """

    def __init__(self, file: RawFile, options: Options, plural: bool = False) -> None:
        self.file = file
        self.plural = plural
        self.names = parse_label_names("--label-names", options.label_names or "")
        self.option = f"--label-names {options.label_names}"
        self.separator = options.label_separator or None
        self.any_named = not self.names
        self.cells: set[str] = set()

    def named(self, label: str) -> str | None:
        """Return a label, renamed; None if it means "no label"."""
        # Integers become floats in a column with missing values.
        label = re.sub(r"^(-?\d+)\.0$", r"\1", label)
        self.any_named = self.any_named or label in self.names
        # Where numbers are given names, an unnamed negative one, such as -1, means "no label".
        if label in self.names or not (self.names and re.fullmatch(r"-\d+", label)):
            return self.names.get(label, label)
        return None

    def read(self, cell: str) -> list[str]:
        """Return the labels in a cell, renamed; an empty list if it has none.

        Raises UserError if cells join several labels and no separator was given.
        """
        split = self.separator not in (None, "none")
        labels = set()
        for label in split_cell(cell, self.separator) if split else [cell]:
            if len(self.cells) < MAX_CELLS and label not in self.cells:
                self.cells.add(label)
                if len(self.cells) == MAX_CELLS:
                    self.check_joined()
            labels.add(self.named(label))
        return sorted(labels - {None})

    def check_joined(self) -> JoinedLabels | None:
        """Return what may be joined labels.

        Raises UserError if they certainly are and the user did not give --label-separator.
        """
        joined = detect_joined_labels(self.cells) if self.separator != "none" else None
        if joined and (joined.certain or self.plural) and self.separator is None:
            raise UserError(
                f"{self.file}: the label cells hold {joined.combinations} combinations of "
                f"{joined.labels} labels, such as {joined.example[:60]!r}; split them with "
                f"--label-separator {joined.separator!r}, or read each cell as one label with "
                "--label-separator none."
            )
        return joined

    def close(self, log: Log) -> None:
        """Finish the file: note in `log` what may be joined labels.

        Raises UserError for joined labels, and if no label is one that the user renamed.
        """
        if not self.any_named:
            raise UserError(
                f"{self.file}: {self.option}: the file has none of these labels; give its own."
            )
        fractions = [cell for cell in self.cells if FRACTION.fullmatch(cell)]
        if len(fractions) > MAX_FRACTIONS:
            raise UserError(
                f"{self.file}: labels are numbers with fractions, such as {min(fractions)}, which are no "
                "classes; write a name for each range of them, or name another column with --label-column."
            )
        joined = self.check_joined()
        if joined:
            log.layout["perhaps several labels"] = repr(joined.example[:60])
