"""Tables: texts with labels, or texts with entities given by character offsets.

CSV, TSV, JSON Lines or Parquet, depending on the suffix. Entities are a list of [start, end, label]
or of {"start", "end", "label"} objects (also doccano's start_offset, end_offset). Offsets count
characters from 0 and the end is exclusive, as in spaCy.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..common.errors import UserError
from ..common.rawfile import RawFile, plain_path
from .examples import Example, Format, LabelledText, Log, SpannedText
from .labels import LabelReader
from .options import Options
from .tabular import Row, delimited, delimiter_of, json_lines, parquet
from .tags import EDGE_WHITESPACE, ONLY_WHITESPACE

# Default column names.
TEXT_COLUMNS = ("text", "review", "sentence")
LABEL_COLUMNS = ("label", "labels", "entities", "spans")
JSON = (".jsonl", ".ndjson", ".json")
SPAN_KEYS = (("start", "end", "label"), ("start_offset", "end_offset", "label"))


class Span(NamedTuple):
    start: int
    end: int
    label: str


def rows_of(file: RawFile, options: Options, log: Log) -> Iterator[Row]:
    """Yield (number, row) for each row of a file, whose format depends on its suffix."""
    suffix = plain_path(Path(file.name)).suffix.lower()
    if options.columns and suffix in (*JSON, ".parquet"):
        raise UserError(
            f"{file}: --columns is for files without a header, but rows of this format name their "
            "columns; omit it."
        )
    if suffix in JSON:
        return json_lines(file, log)
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


def spans_of(value: list[Any], text: str, location: str, options: Options, log: Log) -> list[Span]:
    """Return the entities of a text in order, trimmed of whitespace and without overlaps.

    Raises UserError for invalid entities, offsets outside the text, and overlapping entities. With
    --overlaps longest, overlaps are resolved by `spacy.util.filter_spans`: the longest entity is
    kept, or the first of equally long ones.
    """
    spans = []
    for item in value:
        if isinstance(item, dict):
            keys = next((keys for keys in SPAN_KEYS if all(key in item for key in keys)), ())
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
        if not 0 <= start < end <= len(text):
            raise UserError(
                f"{location}: entity {start}–{end} is empty or outside its text of {len(text)} "
                "characters; offsets count characters from 0, and the end is exclusive."
            )
        content = text[start:end]
        if content.isspace():
            log.repair(ONLY_WHITESPACE, location)
            continue
        trimmed = Span(end - len(content.lstrip()), start + len(content.rstrip()), label)
        if trimmed[:2] != (start, end):
            log.repair(EDGE_WHITESPACE, location)
        spans.append(trimmed)
    spans.sort()
    for before, after in zip(spans, spans[1:]):
        if after.start < before.end and options.overlaps != "longest":
            raise UserError(
                f"{location}: entities {before.start}–{before.end} and {after.start}–{after.end} "
                "overlap; fix them, or pass --overlaps longest."
            )
    # spaCy takes seconds to import, and every command imports this module.
    from spacy.util import filter_spans

    kept = filter_spans(spans)
    for _ in range(len(spans) - len(kept)):
        log.repair("entity that overlaps a longer one, dropped", location)
    return sorted(kept)


def read(file: RawFile, options: Options, log: Log) -> Iterator[Example]:
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
            yield SpannedText(text, spans_of(label, text, location, options, log), number)
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
