"""What the API is asked and what it answers."""

from bisect import bisect_left
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

ENDS = ("start", "end")


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
    label: str | None = Field(None, description="The best label; null for an empty text")
    score: float | None = Field(None, description="Its probability")
    labels: list[str] | None = Field(None, description="Of several labels a text, those assigned")


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


class File(BaseModel):
    """A file that is annotated, and deleted an hour after."""

    id: str
    name: str
    state: Literal["waiting", "reading", "annotating", "done", "failed"]
    total: int = Field(description="Rows; 0 until they have been counted")
    done: int = Field(description="Rows that are annotated, bad ones included")
    bad: int = Field(description="Rows that could not be annotated; their column error says why")
    told: list[str] = Field(description="The first of these: where and why")
    problem: str = Field(description="Why it failed; else empty")
    result: str = Field(description="Name of the annotated file once it is done")


class Problem(BaseModel):
    """An error: what is wrong, and what to do."""

    detail: str


def with_utf16(text: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return what is predicted of a text as in Annotation: entities with their offsets in UTF-16 units."""
    if "entities" not in values:
        return values
    # Characters that are two units in UTF-16.
    wide = [index for index, character in enumerate(text) if character > "\uffff"]
    found = [
        entity | {f"{side}_utf16": entity[side] + bisect_left(wide, entity[side]) for side in ENDS}
        for entity in values["entities"]
    ]
    return values | {"entities": found}
