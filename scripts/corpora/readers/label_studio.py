"""Label Studio: exports as JSON, JSON-MIN and CSV, with entities (labels) or with choices.

A task has data (its text under any name) and annotations; each of these has results, which a tag of the
project made (`from_name`). One tag of labels or choices is read. Of several annotations of a task, the
ground truth counts, otherwise the one created first. Offsets count characters, and the end is exclusive.
Predictions and drafts are not annotation.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial

from ...common.errors import UserError
from ...common.rawfile import RawFile
from ..examples import Example, Format, Log, labelled
from ..options import Options
from ..sample import Sample
from ..spans import Claim, Marked, spanned
from .annotations import NOT_STRING, RELATION, UNLABELLED, Labels, whole
from .label_studio_layout import Layout, Survey, own_text
from .label_studio_min import MIN_KEYS, minimal
from .label_studio_tasks import CHOICES, Result, Task, is_task, tasks

MARKUP = re.compile(r"</?[A-Za-z][^<>]*>")
# XPath of a text without markup in the page that a browser makes of it.
WHOLE_TEXT = "/text()[1]"
# What yields the annotated tasks of a file, and counts what it skips.
Tasks = Callable[[Log], Iterator[Task]]


def claims_of(result: Result, names: list[str], text: str, location: str) -> list[Claim]:
    """Return the entities of a region, one for each of its labels.

    Raises UserError for a region that is not a span of a text without markup.
    """
    value = result.value
    whole_text = value.get("start") == value.get("end") == WHOLE_TEXT
    offsets = value.get("globalOffsets") if isinstance(value.get("globalOffsets"), dict) else {}
    start, end = whole(value.get("start")), whole(value.get("end"))
    if (start is None or end is None) and offsets:
        start, end = whole(offsets.get("start")), whole(offsets.get("end"))
    if (start is None or end is None) and whole_text:
        start, end = whole(value.get("startOffset")), whole(value.get("endOffset"))
    if "startOffset" in value and MARKUP.search(text):
        raise UserError(
            f"{location}: entities marked in a page of HTML, whose offsets do not count characters "
            "of its source; convert the pages to plain text before annotating."
        )
    if start is None or end is None:
        raise UserError(
            f"{location}: a region from {str(value.get('start'))[:20]} to "
            f"{str(value.get('end'))[:20]}, which is not a span of a text; only texts can be read."
        )
    own = value.get("text")
    own = own_text(own, text) if isinstance(own, str) else None
    return [Claim(start, end, name, own) for name in names]


def read_tasks(
    file: RawFile, found: Tasks, layout: Layout, options: Options, log: Log
) -> Iterator[Marked | Example]:
    """Yield the texts of the annotated tasks. Raises UserError for invalid results."""
    labels = Labels(file, options)
    for task in found(log):
        location = file.location(task.number)
        for result in task.results:
            if not result.name:
                kind = f"result of type {result.kind}, not used"
                log.repair(RELATION if result.kind == "relation" else kind, location)
            elif (result.name, result.kind) != layout[:2]:
                log.repair(f"result of the tag {result.name} ({result.kind}), not used", location)
        results = [x for x in task.results if (x.name, x.kind) == layout[:2]]
        text = task.data.get(layout.text)
        if not isinstance(text, str):
            log.skip(NOT_STRING, location)
        elif layout.kind == CHOICES:
            yield labelled(
                text, labels.read([y for x in results for y in x.values], location), task.number
            )
        else:
            claims: list[Claim] = []
            for result in results:
                names = labels.read(result.values, location)
                if not names:
                    log.repair(UNLABELLED, location)
                claims += claims_of(result, names, text, location)
            yield Marked(text, claims, task.number)
    labels.close(log)


def read(file: RawFile, options: Options, log: Log) -> Iterator[Example]:
    """Yield the texts of a file, with labels or with entities depending on the tag that was used.

    Raises UserError for several tags, for annotation of other things than texts, and as the readers
    of JSON and of tables do.
    """
    found: Tasks = partial(tasks, file)
    if not any(is_task(record) for record in Sample(file.path, file.encoding).objects):
        found = minimal(file, options)
    layout = Survey(found(Log())).layout(file, options)
    if layout is None:
        yield from found(log)
        return
    log.layout.update(text_column=layout.text, label_column=layout.tag)
    yield from spanned(
        lambda log: read_tasks(file, found, layout, options, log), file, options, log
    )


def recognises(sample: Sample) -> bool:
    """Return whether a corpus is tasks of Label Studio, or its JSON-MIN or CSV."""
    records = sample.objects
    if records:
        tasks = all(isinstance(x.get("data"), dict) for x in records) and any(map(is_task, records))
        return tasks or all(x.keys() >= MIN_KEYS for x in records)
    return set(sample.columns) >= MIN_KEYS


FORMAT = Format(
    "Label Studio: JSON, JSON-MIN or CSV, with labels (entities) or choices",
    read,
    options=(
        "encoding",
        "text_column",
        "label_column",
        "label_names",
        "overlaps",
        "quoting",
    ),
    labels=None,
    recognises=recognises,
)
