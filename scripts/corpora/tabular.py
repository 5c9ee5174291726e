"""Rows with named columns from CSV, TSV, JSON lines and Parquet."""

import csv
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow
import pyarrow.parquet

from ..common.errors import UserError, first_line
from ..common.rawfile import MAX_LINE, RawFile
from .examples import Log
from .options import FIELD_LINES

DELIMITERS = (",", ";", "\t")
Row = tuple[int, dict[str, Any]]
# Python's own limit is 131,072 characters; longer lines are refused already.
csv.field_size_limit(MAX_LINE)
TOO_LONG = f"a quoted field over more than {FIELD_LINES} lines"
STRAY = (
    "a stray quote? Give --quoting none where quotes are text, --quoting minimal where the field "
    "is so long."
)


def named(columns: str) -> Sequence[str]:
    """Return the column names of a comma-separated list."""
    return [name.strip().casefold() for name in columns.split(",")]


def check_columns(names: Sequence[str], required: Sequence[str], usual: str, place: str) -> None:
    """Raise UserError where the header, or the user, does not name a column that is needed."""
    for name in required:
        if name not in names:
            raise UserError(
                f"{place}: no column {name!r}, there are {str(list(names))[:80]}; if the file has no "
                f"header, say what its columns are, such as --columns {usual}."
            )


def delimited(
    file: RawFile,
    delimiter: str,
    log: Log,
    *,
    columns: str = "",
    required: Sequence[str] = (),
    usual: str = "text,label",
    quoting: str | None = None,
) -> Iterator[Row]:
    """Yield (line number, row by column name) of a file; names in lower case, from the first line
    or, where it has none, from `columns`. A field may hold line ends if it is quoted.

    quoting: `none` where quotes are text, `minimal` where a quoted field may be of any length.
    Raises UserError for a header without the required columns, a row with more or fewer fields
    than names, broken quoting, and a quoted field that looks as if a stray quote had opened it.
    """
    names = named(columns) if columns else None
    if names:
        check_columns(names, required, usual, f"--columns {columns}")
    number = 1
    # The lines of a row that is not at its end.
    lines: list[str] = []

    def physical() -> Iterator[str]:
        for _, line in file.lines():
            lines.append(line)
            # All its fields as long as they may be; the exact count is that of each.
            if quoting is None and len(lines) > FIELD_LINES * len(names or [""]):
                raise UserError(f"{file.location(number)}: {TOO_LONG}; {STRAY}")
            yield f"{line}\n"

    reader = csv.reader(
        physical(),
        delimiter=delimiter,
        quoting=style(quoting),
        strict=True,
    )
    try:
        for row in reader:
            if len(lines) > 1 and quoting is None:
                if any(field.count("\n") >= FIELD_LINES for field in row):
                    raise UserError(f"{file.location(number)}: {TOO_LONG}; {STRAY}")
                width = len(names or row)
                if delimiter == "\t" and all(x.count("\t") == width - 1 for x in lines):
                    raise UserError(
                        f"{file.location(number)}: a quoted field over {len(lines)} lines, each of "
                        f"which has the {width} columns of a row; {STRAY}"
                    )
            lines.clear()
            if not row:
                log.lines["blank"] += 1
            elif names is None:
                log.lines["header"] += 1
                names = [name.strip().strip('"').casefold() for name in row]
                if len(set(names)) < len(names):
                    raise UserError(
                        f"{file.location(number)}: a column name stands twice in the header, "
                        f"{str(row)[:80]}; rename one."
                    )
                check_columns(names, required, usual, file.location(number))
            elif len(row) != len(names):
                raise UserError(
                    f"{file.location(number)}: {len(row)} columns, {str(row)[:40]}, where the header "
                    f"has {len(names)} ({', '.join(names)[:80]}); mend the line."
                )
            else:
                log.lines["rows"] += 1
                yield number, dict(zip(names, row))
            number = reader.line_num + 1
    except csv.Error as error:
        advice = (
            "double the quotes inside a quoted field, or give --quoting none where quotes are text"
        )
        if quoting == "none":
            advice = "mend the line"
        raise UserError(f"{file.location(number)}: broken quoting ({error}); {advice}.") from error


def style(quoting: str | None) -> int:
    """Return what the csv module calls a --quoting."""
    return csv.QUOTE_NONE if quoting == "none" else csv.QUOTE_MINIMAL


def delimiter_of(
    file: RawFile, wanted: Sequence[str], columns: str = "", quoting: str | None = None
) -> str:
    """Return the delimiter that splits the first line into columns that are looked for, or, where
    there is no header, into as many as the user names."""
    _, first = next(file.lines(), (1, ""))

    def fit(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader([first], delimiter=delimiter, quoting=style(quoting)), [])
        cells = [cell.strip().strip('"') for cell in cells]
        if columns:
            return int(len(cells) == len(named(columns))), -len(cells)
        return sum(cell.casefold() in wanted for cell in cells), len(cells)

    return max(DELIMITERS, key=fit)


def json_lines(file: RawFile, log: Log) -> Iterator[Row]:
    """Yield the objects of a file with one JSON object on each line; names in lower case."""
    for number, line in file.lines():
        if not line.strip():
            log.lines["blank"] += 1
            continue
        try:
            row = json.loads(line)
            if "\\u" in line:
                # Half of a pair of escapes is no character: it raises here.
                json.dumps(row, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            reason = str(error)
            row = None
        else:
            reason = f"it is a {type(row).__name__}"
        if not isinstance(row, dict):
            raise UserError(
                f"{file.location(number)}: no JSON object on this line ({reason}); write one object a "
                'line, {"text": …, "label": …}.'
            )
        log.lines["rows"] += 1
        yield number, {name.casefold(): value for name, value in row.items()}


def class_name(number: float | None, names: Sequence[str], location: str) -> str | None:
    """Return the name of a class; None for a negative number, which stands for no label.

    Raises UserError for a number that has no name.
    """
    if number is None or not number >= 0:
        return None
    if number >= len(names):
        raise UserError(
            f"{location}: class {number} has no name; there are names for 0 to {len(names) - 1} "
            f"({', '.join(names)[:80]}); fix the row or the names."
        )
    return names[int(number)]


def class_names(schema: pyarrow.Schema) -> dict[str, Sequence[str]]:
    """Return the names of the numbers in the columns that `datasets` wrote as class labels."""
    written = (schema.metadata or {}).get(b"huggingface", b"{}")
    features = json.loads(written).get("info", {}).get("features", {})
    return {
        column.casefold(): feature["names"]
        for column, feature in features.items()
        if isinstance(feature, dict)
        and feature.get("_type") == "ClassLabel"
        and column in schema.names
    }


def parquet(file: RawFile, log: Log) -> Iterator[Row]:
    """Yield the rows of a Parquet file, class labels by their names; names in lower case."""
    file.unit = "row"
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(file.path) as table:
            classes = class_names(table.schema_arrow)
            for batch in table.iter_batches(batch_size=1000):
                for row in batch.to_pylist():
                    number += 1
                    row = {name.casefold(): value for name, value in row.items()}
                    for name, names in classes.items():
                        if not isinstance(row[name], str):
                            row[name] = class_name(row[name], names, file.location(number))
                    log.lines["rows"] += 1
                    yield number, row
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        if getattr(error, "errno", None):
            raise
        raise UserError(
            f"{file.location(number + 1)}: no Parquet file, or one that is cut short ({first_line(error)[:120]}); get "
            "it again."
        ) from error
