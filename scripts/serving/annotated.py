"""Rows with what a pipeline predicts of their texts, in flat memory whatever their number.

Of entities: `entities`, a list of {start, end, label, text} and, where the pipeline states one, confidence;
offsets count characters from 0, the end is exclusive. Of classes: `cats`, the probability of each label,
with the best one's `label` and `score` or, of several labels a text, `labels`, those assigned.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import pyarrow
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException
from spacy.language import Language
from spacy.tokens import Doc

from ..common.annotate import BATCH_DOCS, forgetting, pipe
from ..common.errors import AMBIGUOUS, first_line, sift
from .pipeline import DAMAGED, threshold_of
from .predictions import confidences, entities
from .rows import BadRow, Row

# The characters of the texts that are annotated together, which bound the memory of long ones.
CHUNK_CHARACTERS = 1_000_000
# Annotated when all texts of a chunk fail, to tell whether the pipeline fails on any text.
PROBE = "This is a sentence."
# What a component, its model or the memory may raise because of a single text.
FAILURES = (*DAMAGED, *AMBIGUOUS, ArithmeticError, MemoryError, RuntimeException)
ENTITY = pyarrow.struct(
    {
        "start": pyarrow.int64(), "end": pyarrow.int64(), "label": pyarrow.string(),
        "text": pyarrow.string(), "confidence": pyarrow.float64(),
    }
)  # fmt: skip


class Annotated(NamedTuple):
    """A row, and what is predicted of its text, by field; see `fields`."""

    row: Row
    values: dict[str, Any]


def fields(tasks: dict[str, list[str]]) -> dict[str, pyarrow.DataType]:
    """Return the fields that a pipeline with these tasks and labels adds to each row, and their types."""
    found: dict[str, pyarrow.DataType] = {}
    if "ner" in tasks:
        found["entities"] = pyarrow.list_(ENTITY)
    labels = [label for task in tasks if task != "ner" for label in tasks[task]]
    if labels:
        found["cats"] = pyarrow.struct(dict.fromkeys(labels, pyarrow.float64()))
    if "textcat" in tasks:
        found |= {"label": pyarrow.string(), "score": pyarrow.float64()}
    if "textcat_multilabel" in tasks:
        found["labels"] = pyarrow.list_(pyarrow.string())
    return found


def described(doc: Doc) -> list[dict[str, Any]]:
    """Return the entities of a document as `fields` describes them."""
    text, stated = doc.text, confidences(doc)
    found = [
        {"start": start, "end": end, "label": label, "text": text[start:end]}
        for start, end, label in entities(doc)
    ]
    for entity, confidence in zip(found, stated):
        entity["confidence"] = float(confidence)
    return found


def values_of(
    doc: Doc, tasks: dict[str, list[str]], thresholds: dict[str, float | None]
) -> dict[str, Any]:
    """Return what is predicted of a document, by field.

    thresholds: of each task, the probability from which a label is assigned; None if exactly one is.
    """
    values: dict[str, Any] = {}
    if "ner" in tasks:
        values["entities"] = described(doc)
    for task, labels in tasks.items():
        if task == "ner":
            continue
        cats = {label: float(doc.cats[label]) for label in labels}
        values["cats"] = values.get("cats", {}) | cats
        threshold = thresholds[task]
        if threshold is None:
            values["label"] = max(cats, key=cats.__getitem__)
            values["score"] = cats[values["label"]]
        else:
            values["labels"] = [label for label, value in cats.items() if value >= threshold]
    return values


def chunks(
    rows: Iterable[Row | BadRow],
    longest: int,
    most: int = BATCH_DOCS,
    characters: int = CHUNK_CHARACTERS,
) -> Iterator[list[Row | BadRow]]:
    """Yield rows in lists that are annotated together: at most so many, or until their texts have so many
    characters. longest: the pipeline's limit of a text."""
    chunk: list[Row | BadRow] = []
    size = 0
    for row in rows:
        if isinstance(row, Row):
            if len(row.text) > longest:
                row = row.bad(
                    f"{len(row.text):,} characters, over the pipeline's limit of {longest:,}"
                )
            else:
                size += len(row.text)
        chunk.append(row)
        if len(chunk) == most or size >= characters:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def predicted(nlp: Language, texts: list[str]) -> list[Doc | str]:
    """Return the predicted document of each text, or why the pipeline failed on it: a list that fails
    is halved until a single text is left."""
    try:
        return list(pipe(nlp, texts))
    except FAILURES as error:
        if len(texts) == 1:
            sift("the pipeline", error)
            return [f"the pipeline failed ({type(error).__name__}: {first_line(error)[:120]})"]
    half = len(texts) // 2
    return predicted(nlp, texts[:half]) + predicted(nlp, texts[half:])


def annotated(
    nlp: Language,
    rows: Iterable[Row | BadRow],
    tasks: dict[str, list[str]],
    keep: Callable[[Doc], None] | None = None,
) -> Iterator[Annotated | BadRow]:
    """Yield each row with what is predicted of its text, in order; rows that are bad as they are, and
    as bad ones those on which the pipeline fails.

    tasks: the labels of each task, as `task_labels` returns them. keep: called with each document, in
    order and before its row is yielded, while its memory lasts. What it yields holds nothing of the
    pipeline's memory, and the pipeline may be used between two rows. Raises what the pipeline raises if
    it fails on any text.
    """
    thresholds = {task: threshold_of(nlp, task) for task in tasks if task != "ner"}
    for chunk in chunks(rows, nlp.max_length):
        texts = [row.text for row in chunk if isinstance(row, Row)]
        with forgetting(nlp):
            docs = predicted(nlp, texts)
            if texts and all(isinstance(doc, str) for doc in docs):
                nlp(PROBE)
            found = [
                doc if isinstance(doc, str) else values_of(doc, tasks, thresholds) for doc in docs
            ]
            for doc in docs if keep else ():
                if not isinstance(doc, str):
                    keep(doc)
            # They must not outlive the memory zone.
            doc = docs = None
        results = iter(found)
        for row in chunk:
            if isinstance(row, BadRow):
                yield row
                continue
            result = next(results)
            yield row.bad(result) if isinstance(result, str) else Annotated(row, result)
