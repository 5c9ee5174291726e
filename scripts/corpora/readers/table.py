"""Tables: texts with labels, or texts with entities given by character offsets.

CSV, TSV, JSON, Excel or Parquet, depending on the suffix. Labels are one in a cell, several joined by
a separator, a list, an object of 0 and 1, or a column of 0 and 1 for each. Entities are a list of [start, end, label]
or of {"start", "end", "label"} objects (also doccano's start_offset, end_offset). Offsets count
characters from 0 and the end is exclusive, as in spaCy.
"""

import ast
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ...common.errors import UserError
from ...common.rawfile import RawFile, plain_path
from ...common.split_names import split_of
from ..examples import EMPTY_TEXT, WITHOUT_LABEL, Example, Format, LabelledText, Log, labelled
from ..options import Options
from ..records import JSON
from ..sample import RECORDS, Sample
from ..spans import Claim, Marked, spanned
from .columns import (
    LABEL_COLUMNS,
    NO,
    OTHER_LABEL_COLUMNS,
    OTHER_TEXT_COLUMNS,
    PAIRS,
    PLURAL,
    TEXT_COLUMNS,
    UNKNOWN,
    YES,
    label_columns,
    named,
    text_column,
)  # fmt: skip
from .excel import excel
from .labels import LabelReader
from .tabular import Row, delimited, delimiter_of, json_rows, parquet

SUFFIXES = (".csv", ".tsv", ".tab", ".txt")
# What pandas writes for a missing value.
NOT_A_NUMBER = "nan"
# Columns with the split of each row.
SPLIT_COLUMNS = ("split", "set", "partition", "subset")
SPAN_KEYS = (
    ("start", "end", "label"),
    ("start_offset", "end_offset", "label"),
    # Rasa, and the output of pipelines of Hugging Face.
    ("start", "end", "entity"),
    ("start", "end", "entity_group"),
)


def rows_of(file: RawFile, options: Options, log: Log) -> Iterator[Row]:
    """Yield (number, row) for each row of a file, whose format depends on its suffix."""
    suffix = plain_path(Path(file.name)).suffix.lower()
    if options.columns and suffix in (*JSON, ".parquet", ".xlsx"):
        raise UserError(
            f"{file}: --columns is for files without a header, but rows of this format name their "
            "columns; omit it."
        )
    if suffix in JSON:
        return json_rows(file, log)
    if suffix == ".parquet":
        return parquet(file, log, lists=True)
    if suffix == ".xlsx":
        return excel(file, log)
    if suffix not in SUFFIXES:
        raise UserError(
            f"{file}: unknown suffix for a table; rename the file to .csv, .tsv, .jsonl, .xlsx or "
            ".parquet."
        )
    delimiter = delimiter_in(file, options)
    columns, quoting = options.columns or "", options.quoting
    return delimited(file, delimiter, log, columns=columns, quoting=quoting)


def delimiter_in(file: RawFile, options: Options) -> str:
    """Return the delimiter of a table of text: a tab if the suffix and the first line say so, or else
    the one that finds the most names of columns."""
    given = f"{options.text_column or ''},{options.label_column or ''}"
    wanted = [
        *named(given),
        *TEXT_COLUMNS,
        *OTHER_TEXT_COLUMNS,
        *LABEL_COLUMNS,
        *OTHER_LABEL_COLUMNS,
    ]
    suffix = plain_path(Path(file.name)).suffix.lower()
    _, header = next(file.lines(), (1, ""))
    if suffix in (".csv", ".txt") or "\t" not in header:
        return delimiter_of(file, wanted, options.columns or "", options.quoting)
    return "\t"


def claims_of(value: list[Any], location: str) -> list[Claim]:
    """Return the entities in a cell. Raises UserError for what is not an entity."""
    claims = []
    for item in value:
        text, values = None, item
        if isinstance(item, dict):
            keys = next((keys for keys in SPAN_KEYS if all(key in item for key in keys)), ())
            text = item.get("text") if isinstance(item.get("text"), str) else None
            values = [item[key] for key in keys]
        start, end, label = (
            values if isinstance(values, list | tuple) and len(values) == 3 else (None, None, None)
        )
        if type(start) is not int or type(end) is not int or not (isinstance(label, str) and label):
            raise UserError(
                f"{location}: {str(item)[:60]} is not an entity; write [start, end, label]."
            )
        claims.append(Claim(start, end, label, text))
    return claims


def flagged(row: dict[str, Any], columns: list[str], location: str) -> list[str] | None:
    """Return those of the columns that hold 1; None if the text was not annotated.

    Raises UserError for a value that is neither 0 nor 1.
    """
    values = {name: str(row.get(name)) for name in columns}
    for name, value in values.items():
        if value not in (*YES, *NO, *UNKNOWN):
            raise UserError(
                f"{location}: {value[:40]!r} in column {name!r}, which tells with 0 or 1 whether a label "
                "applies; fix it, or name the columns of labels with --label-column."
            )
    if any(value in UNKNOWN for value in values.values()):
        return None
    return [name for name, value in values.items() if value in YES]


def several_in(label: list[Any], labels: LabelReader, location: str) -> list[str]:
    """Return the labels in a list, renamed. Raises UserError for an item that is no label."""
    for item in label:
        if not isinstance(item, str | int) or isinstance(item, bool) or not str(item).strip():
            raise UserError(
                f"{location}: {str(item)[:60]} in a list is neither a label nor an entity; write "
                '["label", "other"] or [[start, end, "LABEL"]].'
            )
    return [name for item in label if (name := labels.named(str(item).strip())) is not None]


def holds_labels(rows: Iterator[Row], name: str) -> bool:
    """Return whether the lists in a column are of labels rather than entities, by the first one that is
    not empty."""
    for _, row in rows:
        value = row.get(name)
        value = parsed(value) if isinstance(value, str) else value
        if isinstance(value, list | tuple) and len(value):
            return isinstance(value[0], str | int)
    return False


def read_rows(file: RawFile, options: Options, log: Log) -> Iterator[Marked | Example]:
    """Yield the texts of a file, with labels or with their entities as they are written.

    Raises UserError for a missing column, an invalid label, and invalid entities.
    """

    def first_rows() -> list[dict[str, Any]]:
        return [row for _, row in islice(rows_of(file, options, Log()), RECORDS)]

    labels: LabelReader | None = None
    lists_of_labels: bool | None = None
    for number, row in rows_of(file, options, log):
        location = file.location(number)
        text_name = text_column(row, options.text_column, location)
        if labels is None:
            names = label_columns(row, text_name, options.label_column, location, first_rows)
            labels = LabelReader(file, options, plural=names[0] in PLURAL)
            splits = [x for x in SPLIT_COLUMNS if x in row and split_of(Path(str(row[x])))]
            first = row
            log.layout["text"] = text_name
            log.layout["a column per label" if len(names) > 1 else "label"] = ", ".join(names)
        elif len(names) == 1 and names[0] not in row:
            names = label_columns(row, text_name, options.label_column, location)
        if splits and row.get(splits[0]) != first[splits[0]]:
            raise UserError(
                f"{location}: column {splits[0]!r} says that rows are of several splits, "
                f"{first[splits[0]]!r} and {row.get(splits[0])!r}: write a file for each, named after it, or "
                "leave the column out to carve new splits."
            )
        text, label = row[text_name], row.get(names[0])
        if isinstance(label, str) and len(names) == 1 and label.lstrip().startswith("["):
            found = parsed(label)
            label = found if isinstance(found, list) else label
        if row.get("answer") in ("reject", "ignore"):
            # Written by Prodigy for examples that the annotator rejected or ignored.
            log.skip(f"answer: {row['answer']}", location)
        elif text is not None and not isinstance(text, str):
            log.skip("text that is not a string", location)
        elif text is None or not text.strip():
            log.skip(EMPTY_TEXT, location)
        elif len(names) > 1:
            found = flagged(row, names, location)
            if found is None:
                log.skip(WITHOUT_LABEL, location)
            else:
                chosen = several_in(found, labels, location)
                yield labelled(text, chosen, number, several=True)
        elif isinstance(label, list | tuple):
            if lists_of_labels is None:
                lists_of_labels = holds_labels(rows_of(file, options, Log()), names[0])
            if lists_of_labels:
                yield labelled(text, several_in(label, labels, location), number)
            else:
                yield Marked(text, claims_of(label, location), number)
        elif isinstance(label, dict):
            found = flagged(label, list(label), location)
            if found is None:
                log.skip(WITHOUT_LABEL, location)
            else:
                yield labelled(text, several_in(found, labels, location), number)
        elif label is None or str(label).strip().casefold() in ("", NOT_A_NUMBER):
            log.skip(WITHOUT_LABEL, location)
        elif names[0] in ("entities", "spans", "ents") and str(label).lstrip().startswith("["):
            raise UserError(
                f"{location}: the entities are a string that is not a list, {str(label)[:40]}; write JSON "
                "Lines, with a list."
            )
        elif parsed(str(label)) is not None:
            raise UserError(
                f"{location}: the label is JSON, {str(label)[:40]}, as annotation tools write it; "
                "export JSON instead of CSV, or write the name of the label."
            )
        elif found := labels.read(str(label).strip()):
            label = (options.label_separator or "").join(found)
            yield LabelledText(text.strip(), label, label, number, labels=tuple(found))
        else:
            log.skip(WITHOUT_LABEL, location)
    if labels is not None:
        labels.close(log)


def parsed(cell: str) -> list | dict | None:
    """Return the list or object that a cell holds as JSON, or as Python writes a list; None if it holds
    neither."""
    if not cell.lstrip().startswith(("[", "{")):
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(cell)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(value, list | dict):
            return value
    return None


def read(file: RawFile, options: Options, log: Log) -> Iterator[Example]:
    """Yield the texts of a file, with labels or with entities depending on the label column.

    Raises UserError for a missing column, an invalid label, and invalid entities.
    """
    return spanned(lambda log: read_rows(file, options, log), file, options, log)


def recognises(sample: Sample) -> bool:
    """Return whether a file has rows with a text and a label; two texts and a label too, to refuse it."""
    if sample.objects:
        names = {str(name).casefold() for record in sample.objects for name in record}
    elif sample.suffix in (*SUFFIXES, ".parquet", ".xlsx"):
        names = set(sample.columns)
    else:
        return False
    texts = {*TEXT_COLUMNS, *OTHER_TEXT_COLUMNS, *(name for pair in PAIRS for name in pair)}
    return sample.suffix == ".xlsx" or (bool(names & texts) and len(names) > 1)


FORMAT = Format(
    "CSV, TSV, JSON, Excel or Parquet: texts with labels, or with [start, end, label] entities",
    read,
    labels=None,
    options=(
        "encoding",
        "columns",
        "text_column",
        "label_column",
        "label_names",
        "label_separator",
        "overlaps",
        "quoting",
    ),
    recognises=recognises,
)
