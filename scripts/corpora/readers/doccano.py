"""doccano: its JSON Lines, JSON and CSV of every version, with entities or with labels.

    {"id": 1, "text": "…", "label": [[0, 5, "PER"]], "Comments": []}
    {"id": 1, "text": "…", "entities": [{"label": "PER", "start_offset": 0, "end_offset": 5}], "relations": []}
    {"id": 1, "text": "…", "label": ["positive"]}

Earlier ones name the text `data` or the label `labels`, or have `annotations` whose labels are numbers.
Offsets count UTF-16 units where people marked texts in the browser, and characters where texts with
entities were uploaded. The CSV has labels only, joined with #.
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from ...common.errors import UserError
from ...common.rawfile import RawFile, plain_path
from ..examples import WITHOUT_LABEL, Example, Format, Log, labelled
from ..options import Options
from ..records import JSON, json_objects
from ..sample import Sample
from ..spans import Claim, Marked, spanned
from .annotations import FURTHER, NOT_STRING, RELATION, UNLABELLED, Labels, pick, whole
from .tabular import delimited, delimiter_of

TEXT_KEYS = ("text", "data")
LABEL_KEYS = ("label", "labels", "entities", "annotations", "cats")
SEPARATOR = "#"
OBJECT = ("start_offset", "end_offset", "label")


def is_span(value: Any) -> bool:
    """Return whether an item of a list is an entity: [start, end, label], or an object."""
    if isinstance(value, dict):
        return "start_offset" in value
    return isinstance(value, list) and len(value) == 3


def items_of(value: Any) -> list[Any]:
    """Return the entities or labels of a text: a list, one label, or an object of 0 and 1."""
    if isinstance(value, dict) and not is_span(value):
        return [name for name, held in value.items() if held]
    return value if isinstance(value, list) else [] if value in (None, "") else [value]


def key_of(file: RawFile, named: str) -> str:
    """Return the key with the annotation: the one that the user names, or the only one with entities or
    labels; without any, the first one.

    Raises UserError for several, and if there is none.
    """
    keys: dict[str, None] = {}
    filled: dict[str, None] = {}
    for _, row in json_objects(file):
        for key in row if named else LABEL_KEYS:
            if key in row:
                keys[key] = None
                if items_of(row[key]):
                    filled[key] = None
    if named:
        keys = {key: None for key in (pick(keys, named),) if key}
    elif len(filled) > 1:
        raise UserError(
            f"{file}: entities or labels in each of {', '.join(filled)}; name one with --label-column, "
            "and convert the others separately."
        )
    key = next(iter([*filled, *keys] if not named else keys), None)
    if key is None:
        raise UserError(
            f"{file}: no key {named or ' or '.join(LABEL_KEYS)}; name that of the labels with "
            "--label-column."
        )
    return key


def of_first_user(items: list[Any], location: str, log: Log) -> list[Any]:
    """Return the items of one annotator; old exports join those of all."""
    users = [x.get("user") if isinstance(x, dict) else None for x in items]
    for _ in set(users[1:]) - {*users[:1]}:
        log.repair(FURTHER, location)
    return [x for x, user in zip(items, users) if user == users[0]]


def claims_of(items: list[Any], labels: Labels, location: str, log: Log) -> Iterator[Claim]:
    """Yield the entities of a text. Raises UserError for what is not an entity."""
    for item in items:
        values = [item.get(key) for key in OBJECT] if isinstance(item, dict) else item
        start, end, label = values if is_span(values) else (None, None, None)
        start, end = whole(start), whole(end)
        if start is None or end is None:
            raise UserError(
                f"{location}: {str(item)[:60]} is not an entity; expected [start, end, label], or "
                "an object with start_offset, end_offset and label."
            )
        names = labels.read([label], location, ids=True)
        if not names:
            log.repair(UNLABELLED, location)
        for name in names:
            yield Claim(start, end, name, item.get("text") if isinstance(item, dict) else None)


def text_of(row: dict[str, Any], named: str, location: str) -> Any:
    """Return the text of a row. Raises UserError if it has no such key."""
    key = pick(row, named) if named else next((key for key in TEXT_KEYS if key in row), None)
    if key is None:
        raise UserError(
            f"{location}: no text: {named or ' or '.join(TEXT_KEYS)} is not in {', '.join(row)[:200]}; "
            "name it with --text-column."
        )
    return row[key]


def read_json(
    file: RawFile, key: str, spans: bool, options: Options, log: Log
) -> Iterator[Marked | Example]:
    """Yield the texts of JSON, with the entities or labels in a key. Raises UserError."""
    labels = Labels(file, options)
    for number, row in json_objects(file, log.lines):
        location = file.location(number)
        text = text_of(row, options.text_column or "", location)
        relations = row.get("relations")
        for _ in relations if isinstance(relations, list) else ():
            log.repair(RELATION, location)
        items = of_first_user(items_of(row.get(key)), location, log)
        if not isinstance(text, str):
            log.skip(NOT_STRING, location)
        elif spans:
            yield Marked(text, list(claims_of(items, labels, location, log)), number)
        else:
            names = [x.get("label") if isinstance(x, dict) else x for x in items]
            if any(isinstance(x, (dict, list)) or is_span(y) for x, y in zip(names, items)) or (
                items and names == [None] * len(items)
            ):
                raise UserError(
                    f"{location}: {str(items[0])[:60]} is not a label; expected a list of labels, as in "
                    "the other texts."
                )
            ids = any(isinstance(x, dict) for x in items)
            yield labelled(text, labels.read(names, location, ids), number)
    labels.close(log)


def has_spans(file: RawFile, key: str) -> bool:
    """Return whether the first annotation is an entity; that of a text without any, if all are."""
    found = (item for _, row in json_objects(file) for item in items_of(row.get(key)))
    return is_span(next(found, [0, 0, ""]))


def read_csv(file: RawFile, options: Options, log: Log) -> Iterator[Example]:
    """Yield the texts of the CSV, in which old versions have a row a label. Raises UserError."""
    suffix = plain_path(Path(file.name)).suffix.lower()
    quoting = options.quoting
    wanted = (*TEXT_KEYS, *LABEL_KEYS, "id")
    delimiter = "\t" if suffix == ".tsv" else delimiter_of(file, wanted, quoting=quoting)
    separator = options.label_separator or SEPARATOR
    labels = Labels(file, options, separator)

    def text_and_id(row: tuple[int, dict[str, str]]) -> tuple[str, str]:
        number, values = row
        text = text_of(values, options.text_column or "", file.location(number))
        return text, values.get("id") or str(-number)

    rows = delimited(file, delimiter, log, quoting=quoting)
    for (text, _), group in groupby(rows, text_and_id):
        found = list(group)
        location = file.location(found[0][0])
        cells = []
        for number, row in found:
            key = pick(row, options.label_column or "label")
            if key is None or "start_offset" in row:
                raise UserError(
                    f"{file.location(number)}: no column of labels in {', '.join(row)[:200]}; name "
                    "it with --label-column, or export entities as JSONL."
                )
            cell = row[key].strip()
            if separator in cell and not all(part.strip() for part in cell.split(separator)):
                raise UserError(
                    f"{file.location(number)}: the label {cell[:60]!r} may hold a {separator} of its "
                    "own; read each cell as one label with --label-separator none, or export JSONL."
                )
            cells.append(cell)
        if any(cells):
            yield labelled(text, labels.read(cells, location), found[0][0])
        else:
            log.skip(WITHOUT_LABEL, location)
    labels.close(log)


def read(file: RawFile, options: Options, log: Log) -> Iterator[Example]:
    """Yield the texts of a file, with entities or with labels. Raises UserError."""
    if plain_path(Path(file.name)).suffix.lower() not in JSON:
        yield from read_csv(file, options, log)
        return
    key = key_of(file, options.label_column or "")
    spans = has_spans(file, key)
    log.layout["label_column"] = key
    yield from spanned(lambda log: read_json(file, key, spans, options, log), file, options, log)


def is_row(record: dict[str, Any]) -> bool:
    """Return whether a JSON object is clearly of doccano: others have a text and a label as well."""
    if not any(key in record for key in TEXT_KEYS) or "annotation_id" in record:
        return False
    entities = [x for key in LABEL_KEYS for x in items_of(record.get(key))]
    return (
        "id" in record and ("Comments" in record or isinstance(record.get("comments"), list))
        or "annotation_approver" in record
        or {"id", "entities", "relations"} <= record.keys()
        or {"id", "data", "label"} <= record.keys() and isinstance(record["data"], str)
        or any(isinstance(x, dict) and "start_offset" in x for x in entities)
    )  # fmt: skip


def recognises(sample: Sample) -> bool:
    """Return whether a corpus is an export of doccano."""
    if sample.objects:
        return any(map(is_row, sample.objects)) and all(
            any(key in record for key in TEXT_KEYS) for record in sample.objects
        )
    columns = set(sample.columns)
    if columns == {"id", "data", "label"}:
        return True
    return {"id", "label", "comments"} <= columns and bool(columns & {*TEXT_KEYS})


FORMAT = Format(
    "doccano: JSONL, JSON or CSV, with entities or labels",
    read,
    options=(
        "encoding",
        "text_column",
        "label_column",
        "label_names",
        "label_separator",
        "overlaps",
        "quoting",
    ),
    labels=None,
    recognises=recognises,
)
