"""What the API answers: its models, and a document as one of them."""

from bisect import bisect_left
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from spacy.tokens import Doc

from ..serving.predictions import confidences, entities


class Task(NamedTuple):
    """What a component sets. threshold: the probability from which a label is assigned; None if
    exactly one always is."""

    labels: list[str]
    threshold: float | None


class Question(BaseModel):
    """Texts to annotate."""

    model_config = ConfigDict(extra="forbid")
    text: str | list[str] = Field(description="One text, or a list of texts")
    pipeline: str | None = Field(
        None, description="Name of the pipeline; needed if the server has several"
    )


class Entity(BaseModel):
    """A named entity. Offsets count from 0; the end is that of the character after the last one."""

    start: int = Field(description="Offset in characters (Unicode code points), as Python counts")
    end: int
    start_utf16: int = Field(description="Offset in UTF-16 units, as JavaScript and Java count")
    end_utf16: int
    label: str
    text: str
    confidence: float | None = Field(
        None, description="Probability, of pipelines that state one; else absent"
    )


class Annotation(BaseModel):
    """What a pipeline predicts of a text; of its tasks it has only those that the pipeline has."""

    entities: list[Entity] | None = None
    cats: dict[str, float] | None = Field(None, description="Probability of each label")
    labels: list[str] | None = Field(None, description="The labels assigned")


class Answer(BaseModel):
    """Annotations, one for each text in their order."""

    pipeline: str
    annotations: list[Annotation]


class TaskOf(BaseModel):
    labels: list[str]
    threshold: float | None = Field(
        description="Probability from which a label is assigned; null: the best one is"
    )


class Pipeline(BaseModel):
    name: str
    lang: str
    version: str
    encoder: str | None
    tasks: dict[str, TaskOf] = Field(description="ner, textcat, textcat_multilabel")


class Health(BaseModel):
    status: str
    pipelines: int
    waiting_chars: int = Field(description="Characters of the texts that wait to be annotated")


class Problem(BaseModel):
    """An error: what is wrong, and what to do."""

    detail: str


def utf16_entities(doc: Doc) -> list[dict[str, Any]]:
    """Return the entities of a document as in Entity."""
    # Characters that are two units in UTF-16.
    wide = [index for index, character in enumerate(doc.text) if character > "\uffff"]
    found = [
        {
            "start": start, "end": end, "start_utf16": start + bisect_left(wide, start),
            "end_utf16": end + bisect_left(wide, end), "label": label, "text": doc.text[start:end],
        }
        for start, end, label in entities(doc)
    ]  # fmt: skip
    for entity, value in zip(found, confidences(doc)):
        entity["confidence"] = float(value)
    return found


def annotation(doc: Doc, tasks: dict[str, Task]) -> dict[str, Any]:
    """Return a document as in Annotation: plain values, none of them of the vocabulary."""
    answer: dict[str, Any] = {}
    if "ner" in tasks:
        answer["entities"] = utf16_entities(doc)
    for name, task in tasks.items():
        if name == "ner":
            continue
        cats = {label: float(doc.cats[label]) for label in task.labels}
        if task.threshold is None:
            # An empty text has no probabilities but zeros, and no label.
            given = [max(cats, key=cats.__getitem__)] if any(cats.values()) else []
        else:
            given = [label for label, value in cats.items() if value >= task.threshold]
        answer["cats"] = answer.get("cats", {}) | cats
        answer["labels"] = answer.get("labels", []) + given
    return answer
