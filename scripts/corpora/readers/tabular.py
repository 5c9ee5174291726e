"""Rows with named columns from CSV, TSV, JSON and Parquet."""

import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import pyarrow
import pyarrow.parquet

from ...common.errors import UserError, first_line
from ...common.rawfile import MAX_LINE, RawFile
from ..examples import Log
from ..options import FIELD_LINES
from ..records import json_objects
from ..sample import SEPARATOR_LINE

DELIMITERS = (",", ";", "\t")
# Of a Parquet file: the rows converted at a time, and the bytes of a column read at a time.
BATCH_ROWS = 1000
PAGE_BUFFER = 65_536
Row = tuple[int, dict[str, Any]]
# Python's default limit is 131,072 characters; RawFile already refuses longer lines.
csv.field_size_limit(MAX_LINE)
TOO_LONG = f"quoted field of more than {FIELD_LINES} lines"
STRAY_QUOTE = (
    "possibly a stray quote: pass --quoting none if quotes are text, --quoting minimal if the "
    "field really is that long."
)


def parse_columns(columns: str) -> Sequence[str]:
    """Return the names in a comma-separated list of columns, in lower case."""
    return [name.strip().casefold() for name in columns.split(",")]


def check_columns(
    names: Sequence[str], required: Sequence[str], example: str, location: str
) -> None:
    """Raise UserError if a required column is missing from the header, or from --columns."""
    for name in required:
        if name not in names:
            raise UserError(
                f"{location}: no column {name!r} in {str(list(names))[:80]}; if the file has no "
                f"header, name its columns, for example --columns {example}."
            )


class StrayQuote(csv.Error):
    """A quoted field that appears to have been opened by a stray quote."""


def check_quotes(row: list[str], lines: list[str], delimiter: str, width: int) -> None:
    """Raise StrayQuote for a row of several lines that a stray quote seems to have joined.

    width: the number of columns of the file.
    """
    if any(field.count("\n") >= FIELD_LINES for field in row):
        raise StrayQuote(TOO_LONG)
    if delimiter == "\t" and all(line.count("\t") == width - 1 for line in lines):
        raise StrayQuote(
            f"quoted field of {len(lines)} lines, each with as many columns as a row ({width})"
        )


def cells_of(
    file: RawFile,
    delimiter: str,
    quoting: str | None = None,
    width: int = 0,
    keep_ends: bool = False,
) -> Iterator[tuple[int, list[str] | UserError]]:
    """Yield (line number, cells) for each row of a delimited file, no cells for a blank line.

    Of a line with invalid quoting, or with a stray quote, a UserError is yielded, and reading goes on
    with the line after it.
    width: the number of columns, 0 if the first row tells it. keep_ends: whether line ends in quoted
    fields stay as they are, instead of becoming \\n.
    """
    source = (line if keep_ends else f"{line}\n" for _, line in file.lines(keep_ends))
    number = 1
    # The lines of the row that is being read, and those to be read again.
    lines: list[str] = []
    again: list[str] = []

    def raw_lines() -> Iterator[str]:
        while (line := again.pop() if again else next(source, None)) is not None:
            lines.append(line)
            # The limit for all fields of the row together.
            if quoting is None and len(lines) > FIELD_LINES * max(width, 1):
                raise StrayQuote(TOO_LONG)
            yield line

    while True:
        reader = csv.reader(
            raw_lines(), delimiter=delimiter, quoting=csv_quoting(quoting), strict=True
        )
        try:
            for row in reader:
                if len(lines) > 1 and quoting is None:
                    check_quotes(row, lines, delimiter, width or len(row))
                if number == 1 and SEPARATOR_LINE.fullmatch(lines[0].strip(" \r\n")):
                    row = []
                width = width or len(row)
                yield number, row
                number += len(lines)
                lines.clear()
            return
        except csv.Error as error:
            advice = (
                "double the quotes inside a quoted field, or pass --quoting none if quotes are text"
            )
            if quoting == "none":
                advice = "fix the line"
            what = f"invalid quoting ({error}); {advice}."
            if isinstance(error, StrayQuote):
                what = f"{error}; {STRAY_QUOTE}"
            yield number, UserError(f"{file.location(number)}: {what}")
            again.extend(reversed(lines[1:]))
            lines.clear()
            number += 1


def wrong_width(file: RawFile, number: int, names: Sequence[str], row: list[str]) -> UserError:
    """Return the error for a row with another number of cells than the header."""
    return UserError(
        f"{file.location(number)}: expected {len(names)} columns ({', '.join(names)[:80]}), found "
        f"{len(row)}: {str(row)[:40]}; fix the line."
    )


def delimited(
    file: RawFile,
    delimiter: str,
    log: Log,
    *,
    columns: str = "",
    required: Sequence[str] = (),
    example: str = "text,label",
    quoting: str | None = None,
) -> Iterator[Row]:
    """Yield (line number, row as a dict) for each row of a delimited file.

    Column names are in lower case; they are read from the header, or from `columns` for a file
    without one. Quoted fields may contain line breaks.

    quoting: `none` if quotes are text, `minimal` if a quoted field may have any length.
    example: a value for --columns to suggest in messages.
    Raises UserError for missing required columns, a row with the wrong number of fields, invalid
    quoting, and a quoted field that appears to have been opened by a stray quote.
    """
    names = parse_columns(columns) if columns else None
    if names:
        check_columns(names, required, example, f"--columns {columns}")
    for number, row in cells_of(file, delimiter, quoting, len(names or ())):
        if isinstance(row, UserError):
            raise row
        if not row:
            log.lines["blank"] += 1
        elif names is None:
            log.lines["header"] += 1
            names = [name.strip().strip('"').casefold() for name in row]
            given = [name for name in names if name]
            if len(set(given)) < len(given):
                raise UserError(
                    f"{file.location(number)}: duplicate column name in the header "
                    f"{str(row)[:80]}; rename one of them."
                )
            check_columns(names, required, example, file.location(number))
        elif len(row) != len(names):
            raise wrong_width(file, number, names, row)
        else:
            log.lines["rows"] += 1
            yield number, dict(zip(names, row))


def csv_quoting(quoting: str | None) -> int:
    """Return the constant of the csv module for a value of --quoting."""
    return csv.QUOTE_NONE if quoting == "none" else csv.QUOTE_MINIMAL


def delimiter_of(
    file: RawFile, wanted: Sequence[str], columns: str = "", quoting: str | None = None
) -> str:
    """Return the delimiter that splits the header into the most columns in `wanted` or, for a file
    without a header, the first line into as many as `columns` names."""
    lines = (x for _, x in islice(file.lines(), 2) if not SEPARATOR_LINE.fullmatch(x.strip(" ")))
    first = next(lines, "")

    def fit(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader([first], delimiter=delimiter, quoting=csv_quoting(quoting)), [])
        cells = [cell.strip().strip('"') for cell in cells]
        if columns:
            return int(len(cells) == len(parse_columns(columns))), -len(cells)
        return sum(cell.casefold() in wanted for cell in cells), len(cells)

    return max(DELIMITERS, key=fit)


def json_rows(file: RawFile, log: Log) -> Iterator[Row]:
    """Yield (number, object) for each object of JSON Lines or of an array; keys are in lower case."""
    for number, row in json_objects(file, log.lines):
        yield number, {name.casefold(): value for name, value in row.items()}


def class_name(number: float | None, names: Sequence[str], location: str) -> str | None:
    """Return the name of a class; None for a negative number, which means "no label".

    Raises UserError for a number without a name.
    """
    if number is None or not number >= 0:
        return None
    if number >= len(names):
        raise UserError(
            f"{location}: class {number} has no name; there are names for 0 to {len(names) - 1} "
            f"({', '.join(names)[:80]}); fix the row or the names."
        )
    return names[int(number)]


def class_names(schema: pyarrow.Schema, lists: bool = False) -> dict[str, Sequence[str]]:
    """Return the class names of each column that `datasets` wrote as a ClassLabel, or as a list of
    them."""
    metadata = (schema.metadata or {}).get(b"huggingface", b"{}")
    features = json.loads(metadata).get("info", {}).get("features", {})
    return {
        column.casefold(): feature["names"]
        for column, feature in ((x, item_of(y) if lists else y) for x, y in features.items())
        if isinstance(feature, dict)
        and feature.get("_type") == "ClassLabel"
        and column in schema.names
    }


def item_of(feature: Any) -> Any:
    """Return the feature of the items of a list, as any version of `datasets` describes it."""
    if isinstance(feature, list) and len(feature) == 1:
        return feature[0]
    return feature.get("feature") if isinstance(feature, dict) else None


@contextmanager
def parquet_file(file: RawFile, read: Counter) -> Iterator[pyarrow.parquet.ParquetFile]:
    """Open a Parquet file to be read in batches, a few pages of each column in memory.

    read: counts the rows that were read, to locate damage. Raises UserError for an invalid file, while
    it is read too.
    """
    file.unit = "row"
    try:
        # By default, all the pages of a row group are kept, and a file may be a single one.
        with pyarrow.parquet.ParquetFile(
            file.path, pre_buffer=False, buffer_size=PAGE_BUFFER
        ) as table:
            yield table
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        if getattr(error, "errno", None):
            raise
        raise UserError(
            f"{file.location(read['rows'] + 1)}: invalid or truncated Parquet file "
            f"({first_line(error)[:120]}); get a fresh copy."
        ) from error


def parquet(file: RawFile, log: Log, lists: bool = False) -> Iterator[Row]:
    """Yield (row number from 1, row as a dict) for each row of a Parquet file.

    Column names are in lower case; numbers of a ClassLabel are replaced with their names, and those in
    a list of them if `lists`.
    Raises UserError for an invalid file, and for a class without a name.
    """
    read: Counter = Counter()
    with parquet_file(file, read) as table:
        classes = class_names(table.schema_arrow)
        several = class_names(table.schema_arrow, lists=True) if lists else {}
        for batch in table.iter_batches(batch_size=BATCH_ROWS):
            for row in batch.to_pylist():
                location = file.location(read["rows"] + 1)
                row = {name.casefold(): value for name, value in row.items()}
                for name, names in classes.items():
                    if not isinstance(row[name], str):
                        row[name] = class_name(row[name], names, location)
                for name, names in several.items():
                    row[name] = [class_name(x, names, location) for x in row[name] or ()]
                log.lines["rows"] += 1
                read["rows"] += 1
                yield read["rows"], row
