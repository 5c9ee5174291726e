"""Prodigy: JSON Lines as `db-out` writes them, with entities, with choices, or with yes and no to a label.

    {"text": "…", "spans": [{"start": 0, "end": 5, "label": "PER"}], "answer": "accept"}
    {"text": "…", "options": [{"id": "a"}, {"id": "b"}], "accept": ["a"], "answer": "accept"}
    {"text": "…", "label": "COMPLAINT", "answer": "reject"}

The first two kinds are used if they were accepted. In the third the answer is the annotation: a text may
be asked about several labels, each in a line of its own.
"""

from collections.abc import Iterator
from typing import Any

from ...common.errors import UserError
from ...common.rawfile import RawFile
from ..examples import WITHOUT_LABEL, Example, Format, Log, labelled
from ..options import Options
from ..records import json_objects
from ..spans import Claim, Marked, spanned
from .annotations import FURTHER, NOT_STRING, RELATION, UNLABELLED, Labels, whole

ENTITIES, CHOICE, QUESTION = "entities", "choices", "yes or no to a label"
COLUMNS = {"spans": ENTITIES, "accept": CHOICE, "label": QUESTION}
VIEWS = {
    "ner_manual": ENTITIES,
    "spans_manual": ENTITIES,
    "relations": ENTITIES,
    "choice": CHOICE,
    "classification": QUESTION,
}
# Interfaces that show any of the above.
MIXED = ("", "blocks", "review", "llm_io")
ANSWERS = ("accept", "reject", "ignore")
UNANSWERED = "without answer"
AGAIN = "question that was answered before, not used"
CONTRADICTION = "answer that contradicts an earlier one, not used"
NOT_ASKED = "text that was not asked about every label; of the others it is taken to have none"
LATER = FURTHER.partition(",")[0]


def kinds_of(row: dict[str, Any], location: str) -> set[str]:
    """Return what a line may be annotated with.

    Raises UserError for an interface that does not annotate texts as a whole.
    """
    view = row.get("_view_id") or ""
    view = row.get("view_id") or "" if view == "review" else view
    if view in VIEWS:
        return {VIEWS[view]}
    if view in ("ner", "spans"):
        raise UserError(
            f"{location}: yes or no to single entities (_view_id {view}), which says nothing of the "
            "others in the text; annotate with ner.manual or ner.correct. If each line has all its "
            "entities, remove _view_id."
        )
    if view not in MIXED:
        raise UserError(
            f"{location}: annotated in the interface {str(view)[:40]!r}; only entities, choices and "
            "classification of texts can be read."
        )
    found = set()
    if row.get("spans") or "tokens" in row and "options" not in row:
        found.add(ENTITIES)
    if "options" in row or isinstance(row.get("accept"), list):
        found.add(CHOICE)
    if isinstance(row.get("label"), str) and not found:
        found.add(QUESTION)
    return found


def kind_of(file: RawFile, options: Options) -> str | None:
    """Return what the lines of a file are annotated with; None of an empty file.

    Raises UserError for several kinds, none of which is named, and for none.
    """
    named = COLUMNS.get((options.label_column or "").casefold())
    if options.label_column and not named:
        raise UserError(
            f"--label-column {options.label_column}: not a key with annotation; name one of "
            f"{', '.join(COLUMNS)}."
        )
    found: dict[str, int] = {}
    number = 0
    for number, row in json_objects(file):
        for kind in sorted(kinds_of(row, file.location(number))):
            found[kind] = found.get(kind, 0) + 1
    if named or len(found) == 1:
        return named or next(iter(found))
    if found:
        listed = ", ".join(f"{kind} ({count:,})" for kind, count in found.items())
        raise UserError(
            f"{file}: several kinds of annotation: {listed}; name the key of one with --label-column: "
            "spans, accept or label."
        )
    if number:
        raise UserError(
            f"{file}: lines with neither spans, nor options, nor a label; nothing was annotated."
        )
    return None


def answered(file: RawFile, log: Log) -> Iterator[tuple[int, dict[str, Any], str]]:
    """Yield (number, line, answer) of lines with a text and an answer. Raises UserError."""
    for number, row in json_objects(file, log.lines):
        location = file.location(number)
        answer = row.get("answer")
        if not isinstance(row.get("text"), str):
            log.skip(NOT_STRING, location)
        elif answer is None:
            log.skip(UNANSWERED, location)
        elif answer not in ANSWERS:
            raise UserError(
                f"{location}: the answer {str(answer)[:40]!r} is not one of {', '.join(ANSWERS)}."
            )
        else:
            yield number, row, answer


def accepted(file: RawFile, log: Log) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the lines that were accepted; of several annotators' of a task the first. Raises UserError."""
    seen: set[Any] = set()
    for number, row, answer in answered(file, log):
        task = row.get("_task_hash")
        if answer != "accept":
            log.skip(f"answer: {answer}", file.location(number))
        elif task is not None and str(task) in seen:
            log.skip(LATER, file.location(number))
        else:
            seen.add(str(task))
            yield number, row


def offsets_of(span: dict[str, Any], row: dict[str, Any]) -> tuple[int | None, int | None]:
    """Return where a span starts and ends: its characters, or those of its tokens, whose end is
    inclusive."""
    start, end = whole(span.get("start")), whole(span.get("end"))
    first, last = whole(span.get("token_start")), whole(span.get("token_end"))
    tokens = row.get("tokens")
    if None not in (start, end) or None in (first, last) or not isinstance(tokens, list):
        return start, end
    if not 0 <= first <= last < len(tokens):
        return None, None
    return whole(tokens[first].get("start")), whole(tokens[last].get("end"))


def claims_of(row: dict[str, Any], labels: Labels, location: str, log: Log) -> Iterator[Claim]:
    """Yield the entities of a text. Raises UserError for what is not an entity."""
    spans = row.get("spans") or []
    for span in spans if isinstance(spans, list) else [spans]:
        start, end = offsets_of(span, row) if isinstance(span, dict) else (None, None)
        if start is None or end is None:
            raise UserError(
                f"{location}: {str(span)[:60]} is not an entity; expected an object with start, end "
                "and label."
            )
        names = labels.read([span.get("label")], location)
        if not names:
            log.repair(UNLABELLED, location)
        own = span.get("text") if isinstance(span.get("text"), str) else None
        for name in names:
            yield Claim(start, end, name, own)


def read_entities(file: RawFile, options: Options, log: Log) -> Iterator[Marked]:
    """Yield the accepted texts with their entities. Raises UserError."""
    labels = Labels(file, options)
    for number, row in accepted(file, log):
        location = file.location(number)
        relations = row.get("relations")
        for _ in relations if isinstance(relations, list) else ():
            log.repair(RELATION, location)
        yield Marked(row["text"], list(claims_of(row, labels, location, log)), number)
    labels.close(log)


def chosen(row: dict[str, Any]) -> list[Any]:
    """Return the options that were accepted: their ids, or their texts if the ids are numbers."""
    found = row.get("accept")
    found = found if isinstance(found, list) else [] if found is None else [found]
    options = row.get("options")
    texts = {
        option["id"]: option["text"]
        for option in (options if isinstance(options, list) else ())
        if isinstance(option, dict) and isinstance(option.get("id"), int) and option.get("text")
    }
    return [texts.get(x, x) if isinstance(x, int) else x for x in found]


def read_choices(file: RawFile, options: Options, log: Log) -> Iterator[Example]:
    """Yield the accepted texts with what was chosen. Raises UserError."""
    labels = Labels(file, options)
    for number, row in accepted(file, log):
        config = row.get("config")
        several = isinstance(config, dict) and config.get("choice_style") == "multiple"
        names = labels.read(chosen(row), file.location(number))
        yield labelled(row["text"], names, number, several=several)
    labels.close(log)


class Asked:
    """What was asked about a text, and answered: label → whether it has it. `number` is the line that
    it is read from."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.answers: dict[str, bool] = {}


def key_of(row: dict[str, Any]) -> str:
    """Return what identifies a text in several lines."""
    return str(row["_input_hash"]) if row.get("_input_hash") is not None else row["text"]


def read_questions(file: RawFile, options: Options, log: Log) -> Iterator[Example]:
    """Yield each text with the labels that it was said to have. Raises UserError."""
    labels = Labels(file, options)
    asked: dict[str, Asked] = {}
    every: set[str] = set()
    for number, row, answer in answered(file, Log()):
        location = file.location(number)
        for name in labels.read([row.get("label")] if answer != "ignore" else [], location):
            of_text = asked.setdefault(key_of(row), Asked(number))
            every.add(name)
            has = answer == "accept"
            if name not in of_text.answers:
                of_text.answers[name] = has
            else:
                log.repair(AGAIN if of_text.answers[name] == has else CONTRADICTION, location)
    for number, row, answer in answered(file, log):
        found = asked.get(key_of(row))
        if found is None:
            ignored = answer == "ignore"
            log.skip("answer: ignore" if ignored else WITHOUT_LABEL, file.location(number))
        elif found.number == number:
            if found.answers.keys() != every:
                log.repair(NOT_ASKED, file.location(number))
            names = [name for name, has in found.answers.items() if has]
            yield labelled(row["text"], names, number, several=True)
    labels.close(log)


READERS = {ENTITIES: read_entities, CHOICE: read_choices, QUESTION: read_questions}


def read(file: RawFile, options: Options, log: Log) -> Iterator[Example]:
    """Yield the texts of a file, with entities or with labels. Raises UserError."""
    kind = kind_of(file, options)
    if kind is not None:
        log.layout["annotation"] = kind
        yield from spanned(lambda log: READERS[kind](file, options, log), file, options, log)


def is_row(record: dict[str, Any]) -> bool:
    """Return whether a JSON object is a task of Prodigy."""
    marks = {"_input_hash", "_task_hash", "_view_id", "_session_id"}
    return bool(marks & record.keys()) or (
        "text" in record and record.get("answer") in ANSWERS
        and bool({"spans", "options", "accept", "label", "tokens"} & record.keys())
    )  # fmt: skip


FORMAT = Format(
    "Prodigy: JSON Lines, with entities, choices, or yes and no to a label",
    read,
    options=("encoding", "label_column", "label_names", "overlaps"),
    labels=None,
    recognises=lambda sample: bool(sample.objects) and all(map(is_row, sample.objects)),
)
