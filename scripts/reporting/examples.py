"""The examples of a page: predictions beside gold, drawn by displaCy and as data for examples.js."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from markupsafe import Markup, escape
from spacy import displacy
from spacy.tokens import Doc

from ..serving.entity_errors import KINDS, mistakes_in
from ..serving.predictions import CONFIDENCE, Entity, entities
from .figures import NOTHING, Scored, pairs

# Classes of style.css, the first ones for the labels that most corpora have.
FIRST = ("PER", "LOC", "ORG", "MISC")
COLOURS = 10
# displaCy's mark without its inline style: the style sheet has colours for light and dark.
MARK = '<mark class="entity {bg}">{text}<span>{label}</span></mark>'
# Examples on a page of them; those are in the file as text too, for print and without scripts.
SHOWN = 20
WRONG, LIKELY = "error", "likely label error"


def colours(labels: Sequence[str]) -> dict[str, str]:
    """Return the class of the colour of each entity label."""
    others = [label for label in sorted(labels) if label not in FIRST]
    return {label: f"e{number % COLOURS}" for number, label in enumerate((*FIRST, *others))}


def direction(doc: Doc) -> str:
    """Return the writing direction of a document's language, ltr or rtl."""
    return doc.vocab.writing_system.get("direction", "ltr")


def draw(doc: Doc, spans: Sequence[tuple[Entity, str]], palette: dict[str, str]) -> Markup:
    """Return displaCy's drawing of entities, each with what is shown as its label. displaCy escapes the
    text, but not the labels."""
    data = [
        {"start": start, "end": end, "label": str(escape(shown))}
        for (start, end, _), shown in spans
    ]
    classes = {str(escape(shown)): palette[label] for (*_, label), shown in spans}
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
        options={"colors": classes, "template": MARK},
    )
    return Markup(html)


def utf16(text: str) -> Callable[[int], int]:
    """Return a function from offsets in characters to those in UTF-16 units, which browsers count."""
    if text.isascii() or max(text) <= "\uffff":
        return int
    return lambda end: end + sum(character > "\uffff" for character in text[:end])


class Examples:
    """The examples of a split, the surest errors first; without confidences, those with most errors.

    Each is a dict, as short as examples.js reads it: n, its number from 0; t, text; a, where it is from; w, how
    wrong it is, 0 if it is right; k, numbers of `kinds`; g and f, gold and found: spans as [start, end,
    label, what is shown], in UTF-16 units; or of classes labels, and of c their probabilities. m: cells of
    `confusion`, as gold label * number of its columns + predicted label.
    """

    def __init__(
        self, scored: Scored, likely: set[int], decimal: Callable[[float, int], str]
    ) -> None:
        self.scored, self.decimal, self.labels = scored, decimal, scored.labels()
        self.palette = colours(self.labels)
        # Of the entities of most pipelines none is known: then those with most errors come first.
        self.sure = scored.task != "ner" or any(
            CONFIDENCE in doc.user_data for doc in scored.predicted
        )
        self.kinds = [WRONG, *(KINDS if scored.task == "ner" else ()), LIKELY]
        numbered = {label: number for number, label in enumerate(self.labels)}
        fill = self.of_entities if scored.task == "ner" else self.of_classes
        self.items = []
        columns = [*self.labels, NOTHING]
        cells = {pair: place for place, pair in enumerate(itertools.product(columns, repeat=2))}
        found = [[]] * len(scored.gold) if scored.several else pairs(scored)
        for number, ((item, kinds), taken) in enumerate(zip(fill(numbered), found)):
            kinds = [*([WRONG] if kinds or item["w"] else []), *kinds]
            kinds += [LIKELY] if number in likely else []
            doc = scored.gold[number]
            origin = doc.user_data.get("file"), doc.user_data.get("line")
            item |= {
                "n": number,
                "t": doc.text,
                "a": f"{origin[0]}:{origin[1]}" if all(origin) else "",
                "k": sorted({self.kinds.index(kind) for kind in kinds}),
                "w": round(item["w"], 4),
                "m": sorted({cells[pair] for pair in taken}),
            }
            self.items.append(item)
        self.items.sort(key=lambda item: -item["w"])

    def of_entities(self, numbered: dict[str, int]) -> Iterator[tuple[dict[str, Any], list[str]]]:
        """Yield of each document the item of its entities, and the kinds of its errors. It is as wrong as
        its surest wrong entity; without confidences, as it has errors."""
        scored = self.scored
        for found, gold, wrong in zip(
            scored.predicted, scored.gold, mistakes_in(scored.predicted, scored.gold)
        ):
            at = utf16(gold.text)
            values = found.user_data.get(CONFIDENCE)
            given = entities(found)
            shown = [label for *_, label in given]
            errors = float(len(wrong))
            if values is not None:
                shown = [f"{label} {self.decimal(v, 2)}" for label, v in zip(shown, values)]
                surest = dict(zip(given, values))
                # What was missed has no confidence; it comes after what is surely wrong.
                errors = max((surest.get(one.found, 0.01) for one in wrong), default=0.0)
            item = {
                "w": errors,
                "g": [[at(s), at(e), numbered[label], label] for s, e, label in entities(gold)],
                "f": [
                    [at(s), at(e), numbered[label], text]
                    for (s, e, label), text in zip(given, shown)
                ],
            }
            yield item, [one.kind for one in wrong]

    def of_classes(self, numbered: dict[str, int]) -> Iterator[tuple[dict[str, Any], list[str]]]:
        """Yield of each text the item of its classes, and no kinds of errors. It is as wrong as the sum of
        how far the probabilities of missing and spurious labels are off."""
        for index, found in enumerate(self.scored.predicted):
            right, given = self.scored.right(index), self.scored.given(index)
            values = [found.cats.get(label, 0.0) for label in self.labels]
            off = sum(abs((name in right) - found.cats.get(name, 0.0)) for name in right ^ given)
            item = {
                "w": off,
                "g": sorted(numbered[label] for label in right),
                "f": sorted(numbered[label] for label in given),
                "c": [round(value, 3) for value in values],
            }
            yield item, []

    def first(self) -> list[dict[str, Any]]:
        """Return the first items with what the template draws."""
        shown = []
        for item in self.items[:SHOWN]:
            number = item["n"]
            found, gold = self.scored.predicted[number], self.scored.gold[number]
            item = {**item, "direction": direction(gold)}
            if self.scored.task == "ner":
                given = entities(found)
                item["gold"] = draw(gold, [(one, one[2]) for one in entities(gold)], self.palette)
                labels = [text for *_, text in item["f"]]
                item["found"] = draw(found, list(zip(given, labels)), self.palette)
            shown.append(item)
        return shown
