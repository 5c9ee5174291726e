"""What the readers of annotation tools' exports share: names of labels, numbers, and what is counted."""

from collections.abc import Iterable
from typing import Any

from ...common.errors import UserError
from ...common.rawfile import RawFile
from ..examples import Log
from ..options import Options
from .labels import LabelReader

NOT_STRING = "text that is not a string"
NOT_ANNOTATED = "task without annotation"
CANCELLED = "cancelled annotation only"
FURTHER = "further annotation of a task, not used"
RELATION = "relation, not used"
UNLABELLED = "entity without label, left out"


def whole(value: Any) -> int | None:
    """Return a whole number, which tools also write as a string or a float; None for anything else."""
    if isinstance(value, str):
        digits = value.strip().removesuffix(".0")
        return int(digits) if digits.isdecimal() and len(digits) < 16 else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1:
        return None
    return int(value)


class Labels:
    """The labels of one file: lists in which each item is one label, whatever characters it has."""

    def __init__(self, file: RawFile, options: Options, separator: str = "none") -> None:
        self.named = bool(options.label_names)
        self.reader = LabelReader(file, options._replace(label_separator=separator))

    def read(self, values: Iterable[Any], location: str, ids: bool = False) -> list[str]:
        """Return the names of labels, renamed by --label-names, without empty ones.

        ids: whether numbers are the tool's own ids, which say nothing without --label-names.
        Raises UserError for what is not a label, and for such numbers.
        """
        names: list[str] = []
        for value in values:
            if value is None or isinstance(value, str) and not value.strip():
                continue
            if isinstance(value, bool) or not isinstance(value, (str, int)):
                raise UserError(
                    f"{location}: {str(value)[:60]} is not a label; expected a name or a number."
                )
            if isinstance(value, int) and ids and not self.named:
                raise UserError(
                    f"{location}: the label {value} is a number, not a name; name all of them: "
                    f"--label-names {value}=PERSON,…"
                )
            names += self.reader.read(str(value).strip())
        return list(dict.fromkeys(names))

    def close(self, log: Log) -> None:
        """Finish the file. Raises UserError if no label is one that the user renamed."""
        self.reader.close(log)


def pick(names: Iterable[str], wanted: str) -> str | None:
    """Return the name that a user means, in any case; None if there is none."""
    names = list(names)
    if wanted in names:
        return wanted
    return next((name for name in names if name.casefold() == wanted.casefold()), None)
