"""Parts of the output: the same columns in each, whole or absent, in Parquet, JSON Lines or DocBin."""

import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow
from spacy.tokens import Doc, DocBin

from ..common.errors import UserError, first_line
from ..common.files import naming
from ..corpora.readers.tabular import BATCH_ROWS
from ..corpora.writer import PACKER
from ..serving.annotated import Annotated, fields
from ..serving.column_types import NONE, STRING, cell, is_text
from ..serving.predictions import CONFIDENCE, confidences
from ..serving.row_files import free_names, write_batches
from ..serving.rows import Cells
from .inputs import Source

# The column of the id; the other name if the input has one of the first.
ID, OTHER_ID = "id", "row_id"
# Where parts are before they are whole, and the rows that could not be annotated.
UNFINISHED, ERRORS = "_unfinished", "_errors"


class Layout(NamedTuple):
    """The columns of every part: those of the input, and then what is added to them.

    kept: of the input, of all files. types: of the fields that are added. names: of their columns.
    """

    kept: pyarrow.Schema
    types: dict[str, pyarrow.DataType]
    names: dict[str, str]

    @property
    def schema(self) -> pyarrow.Schema:
        """What is added is last, but for the id."""
        added = [pyarrow.field(self.names[field], kind) for field, kind in self.types.items()]
        return pyarrow.schema([added[0], *self.kept, *added[1:]])


def shared_type(one: pyarrow.DataType, other: pyarrow.DataType) -> pyarrow.DataType | None:
    """Return the type for the values of two, None if there is none but that of texts."""
    if NONE not in (one, other) and is_text(one) != is_text(other):
        return None
    schemas = [pyarrow.schema([("", kind)]) for kind in (one, other)]
    try:
        return pyarrow.unify_schemas(schemas, promote_options="permissive").types[0]
    except (pyarrow.ArrowTypeError, pyarrow.ArrowInvalid):
        return None


def layout_of(sources: Iterable[Source], tasks: dict[str, list[str]], place: str) -> Layout:
    """Return the columns of the output. Raises UserError if files hold one column as types that have
    none in common, or no name is left for what is added."""
    found: dict[str, pyarrow.DataType] = {}
    # Those of a Parquet file keep their type.
    typed: set[str] = set()
    for source in sources:
        if source.is_parquet:
            typed |= source.survey.types.keys()
        for name, kind in source.survey.types.items():
            before = found.setdefault(name, kind)
            both = kind if kind == before else shared_type(before, kind)
            if both is None and name in typed:
                raise UserError(
                    f"{source.name}: column {name!r} holds {kind}, but {before} in files before it; "
                    "annotate them into two folders."
                )
            found[name] = both or STRING
    # A column without a value has a type that few programs read.
    kept = pyarrow.schema([(n, STRING if kind == NONE else kind) for n, kind in found.items()])
    types = {ID: STRING} | fields(tasks)
    own = OTHER_ID if ID in {name.casefold() for name in found} else ID
    names = {ID: free_names([own], found, place)[own]}
    return Layout(kept, types, names | free_names(fields(tasks), [*found, names[ID]], place))


def kept_array(rows: list[Mapping[str, Any]], field: pyarrow.Field) -> pyarrow.Array:
    """Return a column of rows as it was read. The rows are those of one batch, or of no Parquet."""
    if not isinstance(rows[0], Cells):
        values = [cell(row.get(field.name), field.type) for row in rows]
        return pyarrow.array(values, field.type)
    batch = rows[0].batch
    if field.name not in batch.schema.names:
        return pyarrow.nulls(len(rows), field.type)
    return batch.column(field.name).take([row.index for row in rows]).cast(field.type)


def kept_arrays(rows: list[Annotated], schema: pyarrow.Schema) -> Iterator[pyarrow.Array]:
    """Yield the columns of rows as they were read. Raises UserError for what their type cannot hold."""
    columns = [item.row.columns for item in rows]
    for field in schema:
        try:
            yield kept_array(columns, field)
        except pyarrow.ArrowInvalid as error:
            raise UserError(
                f"{rows[0].row.location}: column {field.name!r} of the output holds {field.type} "
                f"({first_line(error)[:120]}); annotate files with other numbers into another folder."
            ) from error


def batch_of(part: list[tuple[str, Annotated]], layout: Layout) -> pyarrow.RecordBatch:
    """Return annotated rows, each with its id, as a batch."""
    values = [{**item.values, ID: id} for id, item in part]
    added = [
        pyarrow.array([row.get(field) for row in values], kind)
        for field, kind in layout.types.items()
    ]
    kept = kept_arrays([item for _, item in part], layout.kept)
    return pyarrow.RecordBatch.from_arrays([added[0], *kept, *added[1:]], schema=layout.schema)


def batches(
    items: Iterable[tuple[str, Annotated]], layout: Layout
) -> Iterator[pyarrow.RecordBatch]:
    """Yield annotated rows in batches, each of one batch that was read."""
    part: list[tuple[str, Annotated]] = []
    read = None
    for id, item in items:
        origin = getattr(item.row.columns, "batch", None)
        if part and (origin is not read or len(part) == BATCH_ROWS):
            yield batch_of(part, layout)
            part = []
        part.append((id, item))
        read = origin
    if part:
        yield batch_of(part, layout)


def write_parquet(items: Iterable[tuple[str, Annotated]], layout: Layout, path: Path) -> None:
    write_batches(layout.schema, batches(items, layout), path)


def as_json(id: str, item: Annotated, layout: Layout) -> dict[str, Any]:
    """Return an annotated row as an object, with the values of its columns as they were read."""
    names = layout.names
    return {
        names[ID]: id,
        **{name: item.row.columns.get(name) for name in layout.kept.names},
        **{names[field]: value for field, value in item.values.items()},
    }


def write_jsonl(items: Iterable[tuple[str, Annotated]], layout: Layout, path: Path) -> None:
    with path.open("w", encoding="utf8", newline="\n") as stream:
        for id, item in items:
            # Of Parquet there are dates and numbers that JSON has none of.
            line = json.dumps(as_json(id, item, layout), ensure_ascii=False, default=str)
            stream.write(line + "\n")


class Docs:
    """Documents that are kept for a DocBin, with the id and columns of their rows in `user_data`."""

    def __init__(self) -> None:
        self.docbin = DocBin()
        self.stated: list[list[float]] = []

    def keep(self, doc: Doc) -> None:
        self.docbin.add(doc)
        self.stated.append(confidences(doc))

    def write(self, items: Iterable[tuple[str, Annotated]], layout: Layout, path: Path) -> None:
        data = []
        for id, item in items:
            columns = {name: item.row.columns.get(name) for name in layout.kept.names}
            data.append({ID: id, "columns": columns})
        for each, stated in zip(data, self.stated):
            if stated:
                each[CONFIDENCE] = stated
            # Through JSON, as there are dates in Parquet that msgpack has none of.
            plain = json.loads(json.dumps(each, ensure_ascii=False, default=str))
            self.docbin.user_data.append(PACKER.pack(plain))
        self.docbin.store_user_data = True
        self.docbin.to_disk(path)


@contextmanager
def replacing(path: Path, output: Path) -> Iterator[Path]:
    """Yield the path of a new file that becomes `path` on exit, whole even after a power cut.

    output: the folder of all parts, whose UNFINISHED the new file is in.
    """
    folder = output / UNFINISHED
    folder.mkdir(exist_ok=True)
    partial = folder / f"{uuid.uuid4().hex}-{path.name}"
    try:
        with naming(path):
            yield partial
            with partial.open("rb+") as stream:
                os.fsync(stream.fileno())
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
