"""Rows with named columns from CSV, TSV, JSON lines and Parquet."""

import csv
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow
import pyarrow.parquet

from ..errors import UserError, first_line
from .examples import Log
from .raw import MAX_LINE, RawFile

DELIMITERS = (",", ";", "\t")
Row = tuple[int, dict[str, Any]]
# Python's own limit is 131,072 characters; longer lines are refused already.
csv.field_size_limit(MAX_LINE)


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
    quoting: int = csv.QUOTE_MINIMAL,
) -> Iterator[Row]:
    """Yield (line number, row by column name) of a file; names in lower case, from the first line
    or, where it has none, from `columns`. A field may hold line ends if it is quoted.

    Raises UserError for a header without the required columns, a row with more or fewer fields
    than names, and broken quoting.
    """
    reader = csv.reader(
        (f"{line}\n" for _, line in file.lines()),
        delimiter=delimiter,
        quoting=quoting,
        strict=True,
    )
    names = named(columns) if columns else None
    if names:
        check_columns(names, required, usual, f"--columns {columns}")
    number = 1
    try:
        for row in reader:
            if not row:
                log.lines["blank"] += 1
            elif names is None:
                log.lines["header"] += 1
                names = [name.strip().strip('"').casefold() for name in row]
                if len(set(names)) < len(names):
                    raise UserError(
                        f"{file.place(number)}: a column name stands twice in the header, "
                        f"{str(row)[:80]}; rename one."
                    )
                check_columns(names, required, usual, file.place(number))
            elif len(row) != len(names):
                raise UserError(
                    f"{file.place(number)}: {len(row)} columns, {str(row)[:40]}, where the header "
                    f"has {len(names)} ({', '.join(names)[:80]}); mend the line."
                )
            else:
                log.lines["rows"] += 1
                yield number, dict(zip(names, row))
            number = reader.line_num + 1
    except csv.Error as error:
        raise UserError(
            f"{file.place(number)}: broken quoting ({error}); double the quotes inside a quoted "
            "field (in a table: --no-quotes where quotes are text)."
        ) from error


def delimiter_of(file: RawFile, wanted: Sequence[str], columns: str = "") -> str:
    """Return the delimiter that splits the first line into columns that are looked for, or, where
    there is no header, into as many as the user names."""
    _, first = next(file.lines(), (1, ""))

    def fit(delimiter: str) -> tuple[int, int]:
        cells = [c.strip().strip('"') for c in next(csv.reader([first], delimiter=delimiter), [])]
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
                f"{file.place(number)}: no JSON object on this line ({reason}); write one object a "
                'line, {"text": …, "label": …}.'
            )
        log.lines["rows"] += 1
        yield number, {name.casefold(): value for name, value in row.items()}


def class_names(schema: pyarrow.Schema) -> dict[str, Sequence[str]]:
    """Return the names of the numbers in the columns that `datasets` wrote as class labels."""
    written = (schema.metadata or {}).get(b"huggingface", b"{}")
    features = json.loads(written).get("info", {}).get("features", {})
    return {
        column.casefold(): feature["names"]
        for column, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
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
                        if isinstance(row[name], int) and row[name] < len(names):
                            # -1 stands for no label.
                            row[name] = names[row[name]] if row[name] >= 0 else None
                    log.lines["rows"] += 1
                    yield number, row
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        if getattr(error, "errno", None):
            raise
        raise UserError(
            f"{file.place(number + 1)}: no Parquet file, or one that is cut short ({first_line(error)[:120]}); get "
            "it again."
        ) from error
