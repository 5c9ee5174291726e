"""Annotated rows written as they came: CSV as CSV, Parquet as Parquet, JSON and plain text as JSON Lines.

All columns are kept, and those that the pipeline adds come after them; `error` says why a row could not
be annotated, and is empty otherwise, so that the rows of both files are the same. A column that is there
already keeps its name, and the pipeline's is called `predicted_…`. In UTF-8, not compressed.
"""

import csv
import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from ..common.errors import UserError
from .annotated import Annotated, fields
from .rows import PARQUET, BadRow, Rows

ERROR = "error"
PREFIX = "predicted_"
# Of a row group in memory.
ROW_GROUP_BYTES = 32_000_000
Item = Annotated | BadRow


def free_names(fields: Iterable[str], taken: Collection[str], location: str) -> dict[str, str]:
    """Return a name for the column of each field, which no column in a file has.

    Raises UserError if a name is taken, and that with PREFIX too.
    """
    folded = {name.casefold() for name in taken}
    names = {}
    for field in fields:
        free = [name for name in (field, PREFIX + field) if name not in folded]
        if not free:
            raise UserError(
                f"{location}: has columns {field!r} and {PREFIX + field!r}, and no name is left for "
                "what the pipeline adds; rename one."
            )
        names[field] = free[0]
    return names


class Output:
    """What is added to the rows of a file.

    types: of each field. names: of its column. Raises UserError if no name is left for one.
    """

    def __init__(self, rows: Rows, tasks: dict[str, list[str]]) -> None:
        self.rows = rows
        self.types = fields(tasks) | {ERROR: pyarrow.string()}
        self.names = free_names(self.types, rows.names, str(rows.file))

    def added(self, item: Item) -> dict[str, Any]:
        """Return the cells that are added to a row, by the names of their columns."""
        bad = isinstance(item, BadRow)
        values = {ERROR: str(item)} if bad else {**item.values, ERROR: ""}
        return {name: values.get(field) for field, name in self.names.items()}


def columns_of(item: Item) -> Any:
    """Return the columns of a row as they were read."""
    return item.columns if isinstance(item, BadRow) else item.row.columns


def as_cell(value: Any) -> Any:
    """Return a value as a cell of CSV: lists and objects as JSON."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def write_json_lines(output: Output, items: Iterable[Item], path: Path) -> None:
    with path.open("w", encoding="utf8", newline="\n") as stream:
        for item in items:
            row = {**columns_of(item), **output.added(item)}
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_table(output: Output, items: Iterable[Item], path: Path) -> None:
    """Write CSV or TSV, with the delimiter of the file and a byte order mark if it has one; cells with
    quotes are quoted, even if quotes were text in the file.

    Cells that begin with = + - or @, which spreadsheets compute, are the user's own, and written as they
    are: whatever would disarm them would also change the text that offsets are of.
    """
    names = [*output.rows.names, *output.names.values()]
    encoding = "utf-8-sig" if output.rows.marked else "utf-8"
    with path.open("w", encoding=encoding, newline="") as stream:
        writer = csv.writer(stream, delimiter=output.rows.delimiter)
        writer.writerow(names)
        for item in items:
            row = {**columns_of(item), **output.added(item)}
            writer.writerow([as_cell(row.get(name)) for name in names])


def batches(
    output: Output, schema: pyarrow.Schema, items: Iterable[Item]
) -> Iterator[pyarrow.RecordBatch]:
    """Yield the rows of each batch that was read, with what is added to them."""

    def batch(part: list[Item]) -> pyarrow.RecordBatch:
        cells = [columns_of(item) for item in part]
        kept = cells[0].batch.take(pyarrow.array([cell.index for cell in cells]))
        added = [output.added(item) for item in part]
        arrays = [
            pyarrow.array([row[name] for row in added], output.types[field])
            for field, name in output.names.items()
        ]
        return pyarrow.RecordBatch.from_arrays([*kept.columns, *arrays], schema=schema)

    part: list[Item] = []
    for item in items:
        if part and columns_of(item).batch is not columns_of(part[0]).batch:
            yield batch(part)
            part = []
        part.append(item)
    if part:
        yield batch(part)


def write_batches(schema: pyarrow.Schema, found: Iterable[pyarrow.RecordBatch], path: Path) -> None:
    """Write batches to a Parquet file, several to a row group."""
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        group: list[pyarrow.RecordBatch] = []
        size = 0
        for batch in found:
            group.append(batch)
            size += batch.nbytes
            if size >= ROW_GROUP_BYTES:
                writer.write_table(pyarrow.Table.from_batches(group))
                group, size = [], 0
        if group:
            writer.write_table(pyarrow.Table.from_batches(group))


def write_parquet(output: Output, items: Iterable[Item], path: Path) -> None:
    """Write Parquet, with the schema of the file and what it says for pandas and `datasets`."""
    schema = output.rows.schema
    for field, name in output.names.items():
        schema = schema.append(pyarrow.field(name, output.types[field]))
    write_batches(schema, batches(output, schema, items), path)


def write_rows(rows: Rows, tasks: dict[str, list[str]], items: Iterable[Item], path: Path) -> None:
    """Write annotated rows to a file, of the kind that `rows.suffix` tells.

    rows: where they are from. tasks: the labels of each task. items: the rows, annotated or bad, in
    order; none is read before a column that has no free name is refused. Raises UserError.
    """
    output = Output(rows, tasks)
    if rows.suffix == PARQUET:
        write_parquet(output, items, path)
    elif rows.delimiter:
        write_table(output, items, path)
    else:
        write_json_lines(output, items, path)
