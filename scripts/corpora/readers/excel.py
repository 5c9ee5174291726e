"""Rows of an Excel workbook: its first sheet, whose first row that is not empty names the columns."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any
from zipfile import BadZipFile

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from ...common.errors import UserError, first_line
from ...common.rawfile import RawFile
from ..examples import Log
from .columns import LABEL_COLUMNS, OTHER_LABEL_COLUMNS, OTHER_TEXT_COLUMNS, TEXT_COLUMNS
from .tabular import Row

KNOWN = {*TEXT_COLUMNS, *OTHER_TEXT_COLUMNS, *LABEL_COLUMNS, *OTHER_LABEL_COLUMNS}


def cell_value(value: Any) -> Any:
    """Return a cell's value as a table of text would have it: a whole number without decimals."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, date):
        return value.isoformat()
    return value if value is None else str(value)


def is_title(cells: Sequence[Any]) -> bool:
    """Return whether a row above the header is the title of the sheet: a single cell of several, and no
    name of a column."""
    filled = [
        str(cell).strip().casefold() for cell in cells if cell is not None and str(cell).strip()
    ]
    return len(filled) == 1 < len(cells) and filled[0] not in KNOWN


def excel(file: RawFile, log: Log) -> Iterator[Row]:
    """Yield (row number from 1, row as a dict) for each row that is not empty, reading one at a time.

    Column names are in lower case. Raises UserError for a file that is no workbook, and for duplicate
    names.
    """
    file.unit = "row"
    names: list[str] | None = None
    try:
        workbook = openpyxl.load_workbook(file.path, read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError, OSError, ValueError) as error:
        if getattr(error, "errno", None):
            raise
        raise UserError(
            f"{file}: not an Excel workbook, or a damaged one ({first_line(error)[:80]}); save it "
            "again as .xlsx or .csv."
        ) from error
    try:
        sheet = workbook.worksheets[0]
        if len(workbook.worksheets) > 1:
            log.layout["sheet"] = f"{sheet.title}, the first of {len(workbook.worksheets)}"
        for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
            if all(cell is None or not str(cell).strip() for cell in cells):
                log.lines["blank"] += 1
            elif names is None and is_title(cells):
                log.lines["title"] += 1
                log.layout["title"] = f"row {number}, not used"
            elif names is None:
                log.lines["header"] += 1
                names = ["" if cell is None else str(cell).strip().casefold() for cell in cells]
                given = [name for name in names if name]
                if len(set(given)) < len(given):
                    raise UserError(
                        f"{file.location(number)}: duplicate column name in {str(given)[:80]}; rename "
                        "one of them."
                    )
            else:
                log.lines["rows"] += 1
                yield number, {n: cell_value(v) for n, v in zip(names, cells) if n}
    finally:
        workbook.close()
