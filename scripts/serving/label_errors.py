"""Likely label errors of a split: where a pipeline is surest that the gold annotation is wrong."""

from collections.abc import Iterator, Sequence
from typing import Any

from spacy.tokens import Doc
from wasabi import msg

from .gold import best_label, judged
from .predictions import CONFIDENCE, entities

# Label errors in a metrics file, and in a table.
MOST, SHOWN = 100, 10
# Characters of a text in a file and in a table; of those, before an entity.
LONG, LINE, BEFORE = 300, 70, 25
NONE = "–"


def entry(
    doc: Doc, number: int, confidence: float, given: str, found: str, span: tuple[int, int] | None
) -> dict[str, Any]:
    """Return a likely label error.

    doc: has the text, and says where it came from; number: its own, from 0. given, found: labels, in
    the annotation and by the model. span: first character of an entity and the one after the last.
    """
    data, text = doc.user_data, doc.text
    shown = text if span is None else text[max(0, span[0] - LONG // 2) : span[1] + LONG // 2]
    result = {
        "example": number,
        "at": f"{data.get('file', 'example')}:{data.get('line', number + 1)}",
        "confidence": round(confidence, 4),
        "given": given,
        "found": found,
        "text": shown[: 2 * LONG if span else LONG],
    }
    if span is None:
        return result
    return {**result, "entity": text[slice(*span)], "start": span[0], "end": span[1]}


def entity_errors(predicted: Sequence[Doc], gold: Sequence[Doc]) -> Iterator[dict[str, Any]]:
    """Yield the predicted entities that are not in the gold annotation, where that is known."""
    for number, (found, doc) in enumerate(zip(predicted, gold)):
        given = entities(found)
        values = found.user_data.get(CONFIDENCE, ())
        wanted = entities(doc)
        for (start, end, label), value, known in zip(given, values, judged(given, doc)):
            if known and (start, end, label) not in wanted:
                others = [
                    f"{doc.text[a:b]} {name}" if (a, b) != (start, end) else name
                    for a, b, name in wanted
                    if a < end and start < b
                ]
                yield entry(doc, number, value, ", ".join(others) or NONE, label, (start, end))


def category_errors(
    predicted: Sequence[Doc], gold: Sequence[Doc], exclusive: bool
) -> Iterator[dict[str, Any]]:
    """Yield the texts that get another label, or each label that is given or denied unlike gold if
    labels do not exclude each other."""
    for number, (found, doc) in enumerate(zip(predicted, gold)):
        if exclusive:
            given, answer = best_label(doc), best_label(found)
            if answer != given:
                yield entry(doc, number, 1 - found.cats.get(given, 0.0), given, answer, None)
            continue
        for label in found.cats.keys() & doc.cats.keys():
            wrong = abs(doc.cats[label] - found.cats[label])
            if wrong > 0.5:
                names = (label, NONE) if doc.cats[label] else (NONE, label)
                yield entry(doc, number, wrong, *names, None)


def label_errors(
    task: str, predicted: Sequence[Doc], gold: Sequence[Doc]
) -> list[dict[str, Any]] | None:
    """Return the likely label errors among examples, the surest first; None if the pipeline gives no
    confidences for what it predicts.

    predicted: with the labels' new names.
    """
    if task == "ner":
        if any(doc.ents for doc in predicted) and not any(
            CONFIDENCE in doc.user_data for doc in predicted
        ):
            return None
        found = entity_errors(predicted, gold)
    else:
        found = category_errors(predicted, gold, exclusive=task == "textcat")
    return sorted(found, key=lambda error: -error["confidence"])[:MOST]


def excerpt(error: dict[str, Any]) -> str:
    """Return the text of a label error in one line, an entity in brackets in it."""
    text = error["text"]
    if "entity" in error:
        start = min(error["start"], LONG // 2)
        end = start + len(error["entity"])
        before, after = text[:start][-BEFORE:], text[end:]
        text = f"{before}[{error['entity']}]{after}"
    text = " ".join(text.split())
    return text if len(text) <= LINE else f"{text[: LINE - 1]}…"


def print_errors(errors: Sequence[dict[str, Any]], limit: int = SHOWN) -> None:
    """Print the first of some label errors as a table."""
    rows = [
        (f"{error['confidence']:.3f}", error["given"][:30], error["found"][:30], excerpt(error), error["at"])
        for error in errors[:limit]
    ]  # fmt: skip
    header = ("", "given", "rather", "likely label errors, the surest first", "at")
    msg.table(rows, header=header, divider=True, aligns=("r", "l", "l", "l", "l"), max_col=100)
