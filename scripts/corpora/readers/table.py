"""Tables: texts with labels, or texts with entities given by character offsets.

CSV, TSV, JSON Lines or Parquet, depending on the suffix. Entities are a list of [start, end, label]
or of {"start", "end", "label"} objects (also doccano's start_offset, end_offset). Offsets count
characters from 0 and the end is exclusive, as in spaCy.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...common.errors import UserError
from ...common.rawfile import RawFile, plain_path
from ..examples import Example, Format, LabelledText, Log
from ..options import Options
from ..spans import Claim, Marked, spanned
from .labels import LabelReader
from .tabular import Row, delimited, delimiter_of, json_rows, parquet

# Default column names.
TEXT_COLUMNS = ("text", "review", "sentence")
LABEL_COLUMNS = ("label", "labels", "entities", "spans")
JSON = (".jsonl", ".ndjson", ".json")
SPAN_KEYS = (("start", "end", "label"), ("start_offset", "end_offset", "label"))


def rows_of(file: RawFile, options: Options, log: Log) -> Iterator[Row]:
    """Yield (number, row) for each row of a file, whose format depends on its suffix."""
    suffix = plain_path(Path(file.name)).suffix.lower()
    if options.columns and suffix in (*JSON, ".parquet"):
        raise UserError(
            f"{file}: --columns is for files without a header, but rows of this format name their "
            "columns; omit it."
        )
    if suffix in JSON:
        return json_rows(file, log)
    if suffix == ".parquet":
        return parquet(file, log)
    if suffix not in (".csv", ".tsv", ".tab", ".txt"):
        raise UserError(
            f"{file}: unknown suffix for a table; rename the file to .csv, .tsv, .jsonl or "
            ".parquet."
        )
    wanted = [options.text_column or "", options.label_column or ""]
    wanted = [name.casefold() for name in wanted] + [*TEXT_COLUMNS, *LABEL_COLUMNS]
    columns, quoting = options.columns or "", options.quoting
    delimiter = "\t"
    if suffix in (".csv", ".txt"):
        delimiter = delimiter_of(file, wanted, columns, quoting)
    return delimited(file, delimiter, log, columns=columns, quoting=quoting)


def find_column(
    row: dict[str, Any], named: str, defaults: tuple[str, ...], option: str, location: str
) -> str:
    """Return the name of the column that the user named, or of the first default one in the row.

    Raises UserError if there is none.
    """
    for name in [named.casefold()] if named else defaults:
        if name in row:
            return name
    raise UserError(
        f"{location}: no column {named or ' or '.join(defaults)!r} in {', '.join(row)[:200]}; name "
        f"one with {option}, or all columns with --columns if the file has no header."
    )


def claims_of(value: list[Any], location: str) -> list[Claim]:
    """Return the entities in a cell. Raises UserError for what is not an entity."""
    claims = []
    for item in value:
        text = None
        if isinstance(item, dict):
            keys = next((keys for keys in SPAN_KEYS if all(key in item for key in keys)), ())
            text = item.get("text") if isinstance(item.get("text"), str) else None
            item = [item[key] for key in keys]
        if not isinstance(item, (list, tuple)) or len(item) != 3:
            raise UserError(
                f"{location}: {str(item)[:60]} is not an entity; write [start, end, label]."
            )
        start, end, label = item
        if (
            type(start) is not int
            or type(end) is not int
            or not isinstance(label, str)
            or not label
        ):
            raise UserError(
                f"{location}: {str(item)[:60]} is not an entity; write [start, end, label]."
            )
        claims.append(Claim(start, end, label, text))
    return claims


def read_rows(file: RawFile, options: Options, log: Log) -> Iterator[Marked | Example]:
    """Yield the texts of a file, with labels or with entities depending on the label column.

    Raises UserError for a missing column, an invalid label, and invalid entities.
    """
    labels = LabelReader(file, options)
    for number, row in rows_of(file, options, log):
        location = file.location(number)
        text = row[
            find_column(row, options.text_column or "", TEXT_COLUMNS, "--text-column", location)
        ]
        name = find_column(
            row, options.label_column or "", LABEL_COLUMNS, "--label-column", location
        )
        label = row[name]
        if row.get("answer") in ("reject", "ignore"):
            # Written by Prodigy for examples that the annotator rejected or ignored.
            log.skip(f"answer: {row['answer']}", location)
        elif text is not None and not isinstance(text, str):
            log.skip("text that is not a string", location)
        elif text is None or not text.strip():
            log.skip("empty text", location)
        elif isinstance(label, (list, tuple)):
            if label and all(isinstance(item, (str, int)) for item in label):
                raise UserError(
                    f"{location}: the label is a list; write one label, or entities as "
                    "[start, end, label]."
                )
            yield Marked(text, claims_of(label, location), number)
        elif label is None or label != label or not str(label).strip():
            log.skip("without label", location)
        elif isinstance(label, dict):
            raise UserError(f"{location}: the label is an object; write a string or a number.")
        elif name in LABEL_COLUMNS[2:] and str(label).lstrip().startswith("["):
            raise UserError(
                f"{location}: the entities are a string, {str(label)[:40]}; write JSON Lines, with "
                "a list."
            )
        else:
            names = labels.read(str(label).strip())
            if names:
                label = (options.label_separator or "").join(names)
                yield LabelledText(text.strip(), label, label, number, labels=tuple(names))
            else:
                log.skip("without label", location)
    labels.close(log)


def read(file: RawFile, options: Options, log: Log) -> Iterator[Example]:
    """Yield the texts of a file, with labels or with entities depending on the label column.

    Raises UserError for a missing column, an invalid label, and invalid entities.
    """
    return spanned(lambda log: read_rows(file, options, log), file, options, log)


FORMAT = Format(
    "CSV, TSV, JSON Lines or Parquet: texts with labels, or with [start, end, label] entities",
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
)
