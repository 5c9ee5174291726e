"""Label Studio's JSON-MIN and CSV: a record an annotation, with its data and the results of each tag
side by side; a single choice is a plain string. In CSV the other results are JSON in a cell."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ...common.errors import UserError
from ...common.rawfile import RawFile, plain_path
from ..examples import Log
from ..options import Options
from ..records import JSON, json_objects
from .annotations import FURTHER, NOT_ANNOTATED, pick, whole
from .columns import TEXT_COLUMNS
from .label_studio_tasks import CHOICES, SPANS, Result, Task
from .tabular import Row, delimited, delimiter_of

MIN_KEYS = {"id", "annotator", "annotation_id"}
FIXED = {*MIN_KEYS, "created_at", "updated_at", "lead_time", "agreement", "history"}
LATER = FURTHER.partition(",")[0]


def cell(text: str) -> Any:
    """Return what a cell of the CSV holds: results in JSON, or a string."""
    try:
        value = json.loads(text) if text[:1] in ("[", "{") else text
    except (ValueError, RecursionError):
        return text
    return value if is_result(value) else text


def records(file: RawFile, options: Options, log: Log) -> Iterator[Row]:
    """Yield (number, record) for each annotation. Raises UserError."""
    suffix = plain_path(Path(file.name)).suffix.lower()
    if suffix in JSON:
        yield from json_objects(file, log.lines)
        return
    quoting = options.quoting
    delimiter = "\t"
    if suffix not in (".tsv", ".tab"):
        delimiter = delimiter_of(file, sorted(FIXED), quoting=quoting)
    for number, row in delimited(file, delimiter, log, required=sorted(MIN_KEYS), quoting=quoting):
        yield number, {name: cell(text) for name, text in row.items() if text != ""}


def created_first(record: dict[str, Any]) -> tuple[str, int]:
    """Return the key by which the annotation of a task that counts is the least."""
    return str(record.get("created_at") or ""), whole(record["annotation_id"]) or 0


def first_of_task(file: RawFile, options: Options) -> dict[str, int]:
    """Return, for each task that was annotated several times, the number of the record that counts."""
    first: dict[str, tuple[tuple[str, int], int]] = {}
    several: set[str] = set()
    for number, record in records(file, options, Log()):
        if record.get("annotation_id") is None or record.get("id") is None:
            continue
        task, key = str(record["id"]), created_first(record)
        if task in first:
            several.add(task)
        if task not in first or key < first[task][0]:
            first[task] = key, number
    return {task: first[task][1] for task in several}


def annotated(file: RawFile, first: dict[str, int], options: Options, log: Log) -> Iterator[Row]:
    """Yield the annotation that counts of each task; first: see `first_of_task`. Raises UserError."""
    for number, record in records(file, options, log):
        if record.get("annotation_id") is None:
            log.skip(NOT_ANNOTATED, file.location(number))
        elif first.get(str(record.get("id")), number) != number:
            log.skip(LATER, file.location(number))
        else:
            yield number, record


def after_data(record: dict[str, Any]) -> list[str] | None:
    """Return the keys of results: those after `id`, which is written after the data. None if the order
    does not tell: columns may be sorted, and data may have an `id` of its own."""
    keys = list(record)
    if "id" not in keys[1:] or keys == sorted(keys):
        return None
    return [key for key in keys[keys.index("id") :] if key not in FIXED]


def kind_of(value: dict[str, Any]) -> str:
    """Return the type of a result by the keys of its value."""
    kinds = (*SPANS, CHOICES, "taxonomy", "rating", "number", "datetime")
    found = next((kind for kind in kinds if kind in value), None)
    return found or ("labels" if "start" in value else "text" if "text" in value else "other")


def results_of(name: str, value: Any) -> Iterator[Result]:
    """Yield the results of a tag: a list of values, one of them alone, or a single choice."""
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, dict):
            yield Result.of(name, kind_of(each), each)
        else:
            yield Result(name, CHOICES, {CHOICES: [each]}, "")


def is_result(value: Any) -> bool:
    """Return whether a value is the result of a tag, rather than data or a single choice."""
    found = value if isinstance(value, list) else [value]
    return any(isinstance(x, dict) and kind_of(x) != "other" for x in found)


def string_tags(file: RawFile, found: Iterator[Row], options: Options) -> set[str]:
    """Return the names of tags, whose values may be single choices.

    Raises UserError if all values are strings, several of which may be choices.
    """
    strings: dict[str, None] = {}
    tags: dict[str, None] = {}
    ordered: dict[str, None] = {}
    told = True
    for _, record in found:
        after = after_data(record)
        told = told and after is not None
        ordered.update(dict.fromkeys(after or ()))
        for key, value in record.items():
            if key not in FIXED and is_result(value):
                tags[key] = None
            elif key not in FIXED and isinstance(value, str):
                strings[key] = None
    text = pick(strings, options.text_column or "") or next(
        (key for key in TEXT_COLUMNS if key in strings), None
    )
    ordered.pop(text or "", None)
    # In a table whose columns were moved, no result may come after `id`.
    told = told and bool(ordered)
    named = pick([*tags, *strings], options.label_column or "")
    if named or told or tags:
        return {*tags, *(ordered if told else ()), *filter(None, [named])}
    others = [key for key in strings if key != text]
    if len(strings) > 1 and (text is None or len(others) > 1):
        raise UserError(
            f"{file}: which of {', '.join(strings)[:200]} is the text and which the label cannot be "
            "told; name them with --text-column and --label-column, or export as JSON."
        )
    return set(others)


def minimal(file: RawFile, options: Options) -> Callable[[Log], Iterator[Task]]:
    """Return what yields the annotated tasks of a file. Raises UserError."""
    first = first_of_task(file, options)
    tags = string_tags(file, annotated(file, first, options, Log()), options)

    def tasks(log: Log) -> Iterator[Task]:
        for number, record in annotated(file, first, options, log):
            held = {key: value for key, value in record.items() if key not in FIXED}
            data = {key: value for key, value in held.items() if key not in tags}
            results = [
                result
                for tag in held.keys() & tags
                if held[tag] is not None
                for result in results_of(tag, held[tag])
            ]
            yield Task(number, data, results)

    return tasks
