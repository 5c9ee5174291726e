"""Dataturks: a JSON object a line, with entities whose end is inclusive, or with labels of the text.

{"content": "…", "annotation": [{"label": ["Ville"], "points": [{"start": 0, "end": 4, "text": "…"}]}]}
{"content": "…", "annotation": {"labels": ["positive"]}}
"""

from collections.abc import Iterator
from typing import Any

from ...common.errors import UserError
from ...common.rawfile import RawFile
from ..examples import Example, Format, Log, labelled
from ..options import Options
from ..records import json_objects
from ..spans import Claim, Marked, spanned
from .annotations import NOT_ANNOTATED, NOT_STRING, UNLABELLED, Labels, whole


def as_list(value: Any) -> list[Any]:
    """Return a value that may be a list or one of its items; an empty list for null."""
    return value if isinstance(value, list) else [] if value is None else [value]


def claims_of(entry: Any, labels: Labels, location: str, log: Log) -> Iterator[Claim]:
    """Yield the entities of an entry, one for each of its labels and points.

    Raises UserError for what is not an entity, such as a box in an image.
    """
    points = as_list(entry.get("points")) if isinstance(entry, dict) else [None]
    for point in points:
        start, end = (
            whole(point.get(key)) if isinstance(point, dict) else None for key in ("start", "end")
        )
        if start is None or end is None:
            raise UserError(
                f"{location}: {str(entry)[:60]} is not an entity; expected a label, and points with a "
                "start and an end."
            )
        names = labels.read(as_list(entry.get("label")), location)
        if not names:
            log.repair(UNLABELLED, location)
        own = point.get("text") if isinstance(point.get("text"), str) else None
        for name in names:
            yield Claim(start, end + 1, name, own)


def is_undone(row: dict[str, Any]) -> bool:
    """Return whether nobody has annotated a text: others may have no annotation either."""
    metadata = row.get("metadata")
    status = metadata.get("status") if isinstance(metadata, dict) else None
    return row.get("annotation") is None and status != "done"


def read_rows(file: RawFile, options: Options, log: Log) -> Iterator[Marked | Example]:
    """Yield the texts of a file. Raises UserError for what is not an annotation of a text."""
    labels = Labels(file, options)
    for number, row in json_objects(file, log.lines):
        location = file.location(number)
        text, found = row.get("content"), row.get("annotation")
        if not isinstance(text, str):
            log.skip(NOT_STRING, location)
        elif is_undone(row):
            log.skip(NOT_ANNOTATED, location)
        elif isinstance(found, dict):
            yield labelled(text, labels.read(as_list(found.get("labels")), location), number)
        else:
            entries = as_list(found)
            claims = [y for x in entries for y in claims_of(x, labels, location, log)]
            yield Marked(text, claims, number)
    labels.close(log)


def read(file: RawFile, options: Options, log: Log) -> Iterator[Example]:
    """Yield the texts of a file, with entities or with labels. Raises UserError."""
    return spanned(lambda log: read_rows(file, options, log), file, options, log)


def is_row(record: dict[str, Any]) -> bool:
    """Return whether a JSON object is a line of Dataturks."""
    entries = as_list(record.get("annotation"))
    return {"content", "annotation"} <= record.keys() and all(
        isinstance(x, dict) and ("labels" in x or {"label", "points"} <= x.keys()) for x in entries
    )


FORMAT = Format(
    "Dataturks: JSON Lines, with entities or labels",
    read,
    options=("encoding", "label_names", "overlaps"),
    labels=None,
    recognises=lambda sample: bool(sample.objects) and all(map(is_row, sample.objects)),
)
