"""A user's own rows: texts with a label, or texts with entities by their offsets.

CSV, TSV, JSON lines or Parquet, by the file's name. Entities are a list of [start, end, label] or of
{"start", "end", "label"} (doccano's start_offset, end_offset too) in characters from 0, the end
exclusive, as in spaCy.
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
from .tags import EDGE, NOTHING

# What the columns are called where the user does not say.
TEXT_COLUMNS = ("text", "review", "sentence")
LABEL_COLUMNS = ("label", "labels", "entities", "spans")
JSON = (".jsonl", ".ndjson", ".json")
SPAN_KEYS = (("start", "end", "label"), ("start_offset", "end_offset", "label"))


class Span(NamedTuple):
    start: int
    end: int
    label: str


def rows_of(file: RawFile, options: Options, log: Log) -> Iterator[Row]:
    """Yield (number, row) of a file, as its name says that it is written."""
    suffix = plain_path(Path(file.name)).suffix.lower()
    if options.columns and suffix in (*JSON, ".parquet"):
        raise UserError(f"{file}: --columns is for files without names; these rows have some.")
    if suffix in JSON:
        return json_lines(file, log)
    if suffix == ".parquet":
        return parquet(file, log)
    if suffix not in (".csv", ".tsv", ".tab", ".txt"):
        raise UserError(f"{file}: a table is a .csv, .tsv, .jsonl or .parquet file; rename it.")
    wanted = [options.text_column or "", options.label_column or ""]
    wanted = [name.casefold() for name in wanted] + [*TEXT_COLUMNS, *LABEL_COLUMNS]
    columns, quoting = options.columns or "", options.quoting
    delimiter = "\t"
    if suffix in (".csv", ".txt"):
        delimiter = delimiter_of(file, wanted, columns, quoting)
    return delimited(file, delimiter, log, columns=columns, quoting=quoting)


def column(row: dict[str, Any], named: str, usual: tuple, option: str, place: str) -> str:
    """Return the name of the column that the user names, or of the first usual one."""
    for name in [named.casefold()] if named else usual:
        if name in row:
            return name
    raise UserError(
        f"{place}: no column {named or ' or '.join(usual)!r}; there are {', '.join(row)[:200]}. "
        f"Name one with {option}, or the columns of a file without header with --columns."
    )


def spans_of(value: list[Any], text: str, place: str, options: Options, log: Log) -> list[Span]:
    """Return the entities of a text in order, none of white space at its edges, none overlapping.

    Raises UserError for offsets that are none or lie outside, and for overlapping entities; with
    --overlaps longest the longest of those stays, then the first, as in `spacy.util.filter_spans`.
    """
    spans = []
    for item in value:
        if isinstance(item, dict):
            keys = next((keys for keys in SPAN_KEYS if all(key in item for key in keys)), ())
            item = [item[key] for key in keys]
        if not isinstance(item, (list, tuple)) or len(item) != 3:
            raise UserError(f"{place}: {str(item)[:60]} is no entity; write [start, end, label].")
        start, end, label = item
        if (
            type(start) is not int
            or type(end) is not int
            or not isinstance(label, str)
            or not label
        ):
            raise UserError(f"{place}: {str(item)[:60]} is no entity; write [start, end, label].")
        if not 0 <= start < end <= len(text):
            raise UserError(
                f"{place}: entity {start}–{end} is outside its text of {len(text)} characters, or "
                "empty; offsets count characters from 0, the end excluded."
            )
        inside = text[start:end]
        if inside.isspace():
            log.repair(NOTHING, place)
            continue
        bare = Span(end - len(inside.lstrip()), start + len(inside.rstrip()), label)
        if bare[:2] != (start, end):
            log.repair(EDGE, place)
        spans.append(bare)
    spans.sort()
    for before, after in zip(spans, spans[1:]):
        if after.start < before.end and options.overlaps != "longest":
            raise UserError(
                f"{place}: entities {before.start}–{before.end} and {after.start}–{after.end} "
                "overlap; mend them, or give --overlaps longest."
            )
    # spaCy takes seconds to import, and every command reads this module.
    from spacy.util import filter_spans

    kept = filter_spans(spans)
    for _ in range(len(spans) - len(kept)):
        log.repair("entity that overlaps a longer one, left out", place)
    return sorted(kept)


def read(file: RawFile, options: Options, log: Log) -> Iterator[Example]:
    """Yield the texts of a file, with a label or with entities, as their column holds.

    Raises UserError for a missing column, several labels of one text, bad offsets.
    """
    labels = LabelReader(file, options)
    for number, row in rows_of(file, options, log):
        place = file.location(number)
        text = row[column(row, options.text_column or "", TEXT_COLUMNS, "--text-column", place)]
        name = column(row, options.label_column or "", LABEL_COLUMNS, "--label-column", place)
        label = row[name]
        if row.get("answer") in ("reject", "ignore"):
            # As Prodigy writes what the annotator refused.
            log.skip(f"answer: {row['answer']}", place)
        elif text is not None and not isinstance(text, str):
            log.skip("text that is no string", place)
        elif text is None or not text.strip():
            log.skip("empty text", place)
        elif isinstance(label, (list, tuple)):
            if label and all(isinstance(item, (str, int)) for item in label):
                raise UserError(
                    f"{place}: a list of labels; a text has one, or entities [start, end, label]."
                )
            yield SpannedText(text, spans_of(label, text, place, options, log), number)
        elif label is None or label != label or not str(label).strip():
            log.skip("without label", place)
        elif isinstance(label, dict):
            raise UserError(f"{place}: the label is an object; write a word or a number.")
        elif name in LABEL_COLUMNS[2:] and str(label).lstrip().startswith("["):
            raise UserError(
                f"{place}: the entities are a text, {str(label)[:40]}; write JSON lines with lists."
            )
        else:
            several = labels.read(str(label).strip())
            if several:
                label = (options.label_separator or "").join(several)
                yield LabelledText(text.strip(), label, label, number, labels=tuple(several))
            else:
                log.skip("without label", place)
    labels.close(log)


FORMAT = Format(
    "CSV, TSV, JSON lines or Parquet: texts with labels, or with [start, end, label] entities",
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
