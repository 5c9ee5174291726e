"""One HTML page per pipeline: scores, then examples drawn by displaCy, errors first."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape
from spacy import displacy
from spacy.tokens import Doc

from ..serving.metrics import entities, labels_given
from ..serving.predictions import CONFIDENCE

COLOURS = {"PER": "#9ad0f5", "LOC": "#a8e0b8", "ORG": "#f9c99b", "MISC": "#d9c2f0"}
OTHER_COLOURS = ("#f3b0b8", "#f2e394", "#9fe0dc", "#c8cdd3", "#e6bfa3", "#bcd68f", "#f0b6dd")


def colours(labels: Sequence[str]) -> dict[str, str]:
    """Return a colour for each entity label (displaCy has colours for English ones only)."""
    others = [label for label in sorted(labels) if label not in COLOURS]
    return {
        **COLOURS,
        **{label: OTHER_COLOURS[i % len(OTHER_COLOURS)] for i, label in enumerate(others)},
    }


def direction(doc: Doc) -> str:
    """Return the writing direction of a document's language, ltr or rtl."""
    return doc.vocab.writing_system.get("direction", "ltr")


def draw(doc: Doc, palette: dict[str, str]) -> Markup:
    """Return displaCy's drawing of the entities, each with its confidence if there is one. displaCy
    escapes the text, but not the labels."""
    found = entities(doc)
    shown = [
        f"{label} {value:.2f}".replace(" 0.", " .")
        for (*_, label), value in zip(found, doc.user_data.get(CONFIDENCE, ()))
    ] or [label for *_, label in found]
    data = [
        {"start": start, "end": end, "label": str(escape(label))}
        for (start, end, _), label in zip(found, shown)
    ]
    coloured = {label: palette[name] for label, (*_, name) in zip(shown, found)}
    html = displacy.render(
        {
            "text": doc.text,
            "ents": data,
            "title": None,
            "settings": {"lang": doc.lang_, "direction": direction(doc)},
        },
        style="ent",
        manual=True,
        jupyter=False,
        options={"colors": {str(escape(label)): colour for label, colour in coloured.items()}},
    )
    return Markup(html)


def entity_items(predicted: list[Doc], gold: list[Doc]) -> list[dict[str, Any]]:
    """Return an item of the page per document: predicted entities, gold entities, errors."""
    labels = {label for doc in (*predicted, *gold) for _, _, label in entities(doc)}
    palette = colours(sorted(labels))
    return [
        {
            "wrong": len(set(entities(found)) ^ set(entities(doc))),
            "gold": draw(doc, palette),
            "predicted": draw(found, palette),
        }
        for found, doc in zip(predicted, gold)
    ]


def category_items(
    predicted: list[Doc], gold: list[Doc], threshold: float | None
) -> list[dict[str, Any]]:
    """Return an item of the page per text: the probability of each label, the gold ones marked.

    threshold: see labels_given. `wrong` is the sum, over labels that are missing or spurious, of how
    far their probability is off.
    """
    items = []
    for found, doc in zip(predicted, gold):
        right = labels_given(doc, threshold)
        cats = [(label, value, label in right) for label, value in sorted(found.cats.items())]
        errors = right ^ labels_given(found, threshold)
        wrong = sum(abs((label in right) - found.cats[label]) for label in errors)
        items.append({"wrong": wrong, "text": doc.text, "direction": direction(doc), "cats": cats})
    return items


def render(
    title: str,
    about: str,
    lang: str,
    split: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    items: list[dict[str, Any]],
    limit: int,
    checked: Sequence[Sequence[str]] = (),
) -> str:
    """Return the page: no script, every text escaped; the `limit` worst items, worst first.

    checked: rows of the table of what `check` found in the corpus, if it is given.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=False
    )
    shown = sorted(items, key=lambda item: -item["wrong"])[:limit]
    return environment.get_template("page.html").render(
        title=title,
        about=about,
        lang=lang,
        split=split,
        header=header,
        rows=rows,
        wrong=sum(bool(item["wrong"]) for item in items),
        total=len(items),
        shown=shown,
        checked=checked,
    )
