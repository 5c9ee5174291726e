"""Predictions as annotation tools import them, so that people correct instead of annotating from nothing.

Offsets count characters (code points) in all of them: that is what Label Studio's exports, doccano's and
brat's servers and Prodigy, which takes tokens from spaCy, count.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import quoteattr

from spacy.language import Language
from spacy.tokens import Doc

from ..common.annotate import forgetting
from ..common.errors import UserError
from .predictions import Entity, confidences, entities


class Suggested(NamedTuple):
    """What a pipeline predicts of a text.

    origin: the file and line of the text. labels: the classes assigned. confidences: of the entities,
    empty if the pipeline states none. certainty: of the least certain answer, None if there is none:
    the confidence of an entity; the probability of the best class; with several classes a text, the
    distance of a probability from the threshold.
    """

    text: str
    origin: str
    entities: list[Entity]
    confidences: list[float]
    labels: list[str]
    certainty: float | None


class Project(NamedTuple):
    """What is to be annotated: the task, its labels, and the pipeline that suggests them."""

    task: str
    labels: list[str]
    nlp: Language

    @property
    def name(self) -> str:
        meta = self.nlp.meta
        return f"{self.nlp.lang}_{meta['name']}-{meta['version']}"


def suggested(
    doc: Doc, origin: str, task: str, labels: list[str], threshold: float | None
) -> Suggested:
    """Return what a pipeline predicts of a text for a task.

    threshold: the probability from which a class is assigned; None if exactly one is.
    """
    if task == "ner":
        stated = confidences(doc)
        certainty = min(stated, default=None)
        return Suggested(doc.text, origin, entities(doc), stated, [], certainty)
    cats = {label: doc.cats[label] for label in labels}
    if threshold is None:
        best = max(cats, key=cats.__getitem__)
        return Suggested(doc.text, origin, [], [], [best], cats[best])
    given = [label for label, value in cats.items() if value >= threshold]
    certainty = min(abs(value - threshold) for value in cats.values())
    return Suggested(doc.text, origin, [], [], given, certainty)


def least_certain_first(found: list[Suggested]) -> list[Suggested]:
    """Return predictions by their certainty; those without any, such as texts without entities, last
    and in their order."""
    return sorted(found, key=lambda x: (x.certainty is None, x.certainty or 0.0))


def rounded(value: float) -> float:
    return round(float(value), 4)


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def label_studio_results(found: Suggested, project: Project) -> Iterator[dict[str, Any]]:
    """Yield the regions or the choice of a prediction. `label` and `text` are the names of the tags in
    the labelling interface that is written with the tasks."""
    tags = {"from_name": "label", "to_name": "text"}
    for number, (start, end, label) in enumerate(found.entities):
        value = {"start": start, "end": end, "text": found.text[start:end], "labels": [label]}
        score = {"score": rounded(found.confidences[number])} if found.confidences else {}
        yield {"id": f"entity-{number + 1}", **tags, "type": "labels", "value": value, **score}
    if project.task != "ner" and found.labels:
        yield {"id": "choice", **tags, "type": "choices", "value": {"choices": found.labels}}


def label_studio(found: list[Suggested], project: Project, folder: Path) -> str:
    """Write tasks with predictions, and the labelling interface that they need."""
    with (folder / "tasks.json").open("w", encoding="utf8") as stream:
        for number, each in enumerate(found):
            score = {} if each.certainty is None else {"score": rounded(each.certainty)}
            prediction = {
                "model_version": project.name,
                **score,
                "result": list(label_studio_results(each, project)),
            }
            task = {
                "data": {"text": each.text, "origin": each.origin},
                "predictions": [prediction],
            }
            stream.write(("[\n" if number == 0 else ",\n") + as_json(task))
        stream.write("\n]\n")
    choice = "single" if project.task == "textcat" else "multiple"
    tag, item, extra = "Choices", "Choice", f' choice="{choice}" showInLine="true"'
    if project.task == "ner":
        tag, item, extra = "Labels", "Label", ""
    items = "".join(f"    <{item} value={quoteattr(label)}/>\n" for label in project.labels)
    (folder / "interface.xml").write_text(
        f'<View>\n  <{tag} name="label" toName="text"{extra}>\n{items}  </{tag}>\n'
        '  <Text name="text" value="$text"/>\n</View>\n',
        encoding="utf8",
    )
    return (
        "paste interface.xml into the project's labelling interface (Code), then import tasks.json"
    )


def doccano(found: list[Suggested], project: Project, folder: Path) -> str:
    """Write a text a line, with its entities or labels."""
    with (folder / "texts.jsonl").open("w", encoding="utf8") as stream:
        for each in found:
            label = each.entities if project.task == "ner" else each.labels
            certainty = {} if each.certainty is None else {"certainty": rounded(each.certainty)}
            row = {"text": each.text, "label": label, "origin": each.origin, **certainty}
            stream.write(as_json(row) + "\n")
    return "import texts.jsonl into a project as JSONL, with the columns text and label"


def prodigy_spans(found: Suggested, doc: Doc) -> dict[str, Any]:
    """Return the tokens of a text, and its entities with the numbers of their first and last token."""
    tokens = [
        {
            "text": token.text, "start": token.idx, "end": token.idx + len(token), "id": token.i,
            "ws": bool(token.whitespace_),
        }
        for token in doc
    ]  # fmt: skip
    starts = {token["start"]: token["id"] for token in tokens}
    ends = {token["end"]: token["id"] for token in tokens}
    spans = [
        {
            "start": start, "end": end, "token_start": starts[start], "token_end": ends[end],
            "label": label,
        }
        for start, end, label in found.entities
    ]  # fmt: skip
    return {"tokens": tokens, "spans": spans}


def prodigy(found: list[Suggested], project: Project, folder: Path) -> str:
    """Write a task a line: tokens and spans, or options of which some are accepted."""
    style = "single" if project.task == "textcat" else "multiple"
    options = [{"id": label, "text": label} for label in project.labels]
    recipe = "ner.manual" if project.task == "ner" else "textcat.manual"
    with (folder / "tasks.jsonl").open("w", encoding="utf8") as stream:
        for each in found:
            meta = {"origin": each.origin}
            if each.certainty is not None:
                meta["certainty"] = rounded(each.certainty)
            if project.task == "ner":
                with forgetting(project.nlp):
                    shown = prodigy_spans(each, project.nlp.make_doc(each.text))
            else:
                config = {"choice_style": style}
                shown = {"options": options, "accept": each.labels, "config": config}
            stream.write(as_json({"text": each.text, **shown, "meta": meta}) + "\n")
    loaded = f"blank:{project.nlp.lang} " if project.task == "ner" else ""
    exclusive = " --exclusive" if project.task == "textcat" else ""
    labels = ",".join(project.labels)
    return f"prodigy {recipe} DATASET {loaded}tasks.jsonl --label {labels}{exclusive}"


def check_tool(tool: str, project: Project) -> None:
    """Raise UserError for what a tool cannot show: brat neither classes nor labels with spaces."""
    if tool != "brat":
        return
    if project.task != "ner":
        raise UserError(
            "brat marks spans of text, and this pipeline has classes of texts; choose label-studio, doccano "
            "or prodigy."
        )
    spaced = next((label for label in project.labels if label.split() != [label]), None)
    if spaced is not None:
        raise UserError(
            f"the label {spaced!r} has a space, which brat does not accept; choose label-studio, "
            "doccano or prodigy."
        )


def brat_span(text: str, start: int, end: int) -> tuple[str, str]:
    """Return an entity's offsets and text as brat writes them, in one part for each line."""
    parts, position = [], start
    for line in text[start:end].split("\n"):
        if line:
            parts.append((position, position + len(line)))
        position += len(line) + 1
    offsets = ";".join(f"{first} {last}" for first, last in parts)
    return offsets, " ".join(text[first:last] for first, last in parts)


def brat(found: list[Suggested], project: Project, folder: Path) -> str:
    """Write two files a text, numbered in their order, and the labels."""
    width = len(str(len(found)))
    for number, each in enumerate(found, 1):
        name = f"{number:0{width}}"
        lines = []
        for count, (start, end, label) in enumerate(each.entities, 1):
            offsets, content = brat_span(each.text, start, end)
            lines.append(f"T{count}\t{label} {offsets}\t{content}\n")
            if each.confidences:
                note = f"confidence {each.confidences[count - 1]:.2f}"
                lines.append(f"#{count}\tAnnotatorNotes T{count}\t{note}\n")
        (folder / f"{name}.txt").write_bytes(each.text.encode())
        (folder / f"{name}.ann").write_bytes("".join(lines).encode())
    kinds = "\n".join(project.labels)
    configuration = f"[entities]\n{kinds}\n\n[relations]\n\n[events]\n\n[attributes]\n"
    (folder / "annotation.conf").write_bytes(configuration.encode())
    return "move the folder into brat's data folder"


# Each writes files into a folder, and returns how to import them.
TOOLS: dict[str, Callable[[list[Suggested], Project, Path], str]] = {
    "label-studio": label_studio,
    "doccano": doccano,
    "prodigy": prodigy,
    "brat": brat,
}
