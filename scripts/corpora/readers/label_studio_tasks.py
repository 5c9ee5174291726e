"""Tasks of Label Studio, whichever export they come from: their data, and the results of an annotation.

In the JSON export a task has annotations (completions, earlier), each with its results.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ...common.errors import UserError
from ...common.rawfile import RawFile
from ..examples import Log
from ..records import json_objects
from .annotations import CANCELLED, FURTHER, NOT_ANNOTATED, whole

ENTITIES, CHOICES = "labels", "choices"
# Kinds of results that are spans of a text, and the key of their labels.
SPANS = {"labels": "labels", "hypertextlabels": "hypertextlabels"}


class Result(NamedTuple):
    """What one tag of the project states about a text.

    name: of the tag, "" of a relation; kind: ENTITIES, CHOICES or another; object: name of the tag
    that shows the text, "" if it is not known.
    """

    name: str
    kind: str
    value: dict[str, Any]
    object: str

    @classmethod
    def of(cls, name: str, kind: str, value: dict[str, Any], object: str = "") -> "Result":
        """Return a result with a kind that may be that of choices about a region."""
        if kind in SPANS:
            kind = ENTITIES
        elif "start" in value:
            kind = f"{kind} of a region"
        return cls(name, kind, value, object)

    @property
    def values(self) -> list[Any]:
        """The labels or choices."""
        found = [self.value.get(key) for key in (*SPANS.values(), CHOICES)]
        values = next((x for x in found if x is not None), [])
        return values if isinstance(values, list) else [values]


class Task(NamedTuple):
    number: int
    data: dict[str, Any]
    results: list[Result]


def results_of(annotation: dict[str, Any], location: str) -> Iterator[Result]:
    """Yield the results of an annotation. Raises UserError for what is not a list of objects."""
    results = annotation.get("result") or []
    if not isinstance(results, list) or not all(isinstance(x, dict) for x in results):
        raise UserError(f"{location}: the result is not a list of objects; export it again.")
    for result in results:
        value = result.get("value")
        kind = str(result.get("type", "")).casefold()
        name = str(result.get("from_name", ""))
        if isinstance(value, dict):
            yield Result.of(name, kind, value, str(result.get("to_name", "")))
        else:
            yield Result(name, kind or "unknown", {}, "")


def created_first(annotation: dict[str, Any]) -> tuple[bool, str, int]:
    """Return the key by which the annotation of a task that counts is the least."""
    created = str(annotation.get("created_at") or "")
    return annotation.get("ground_truth") is not True, created, whole(annotation.get("id")) or 0


def tasks(file: RawFile, log: Log) -> Iterator[Task]:
    """Yield the annotated tasks of a JSON export. Raises UserError for what is not a task."""
    for number, task in json_objects(file, log.lines):
        location = file.location(number)
        data, found = task.get("data"), task.get("annotations", task.get("completions")) or []
        if not isinstance(data, dict):
            raise UserError(f"{location}: no data, so this is not a task of Label Studio's JSON.")
        if not isinstance(found, list) or not all(isinstance(x, dict) for x in found):
            raise UserError(f"{location}: the annotations are no list of objects; export as JSON.")
        valid = [x for x in found if not (x.get("was_cancelled") or x.get("skipped"))]
        if not valid:
            log.skip(CANCELLED if found else NOT_ANNOTATED, location)
            continue
        for _ in valid[1:]:
            log.repair(FURTHER, location)
        yield Task(number, data, list(results_of(min(valid, key=created_first), location)))


def is_task(record: dict[str, Any]) -> bool:
    """Return whether a JSON object is a task with its annotations, in the JSON export."""
    found = [record.get(key) for key in ("annotations", "completions", "predictions")]
    return isinstance(record.get("data"), dict) and any(
        isinstance(x, list) and all(isinstance(y, dict) for y in x) for x in found
    )
