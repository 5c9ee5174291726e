"""The page of a comparison: differences, texts that became right or wrong, speed and size."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from ..serving.comparison import System, verdict
from ..serving.gold import Gold, labels_given
from ..serving.predictions import entities
from .examples import colours, direction, draw
from .figures import FEW, Scored
from .page import known
from .templates import environment

SAID = {
    "better": "{to} is better than {from}.",
    "worse": "{to} is worse than {from}.",
    "undecided": "{n} texts do not tell {to} from {from}.",
}


def in_words(
    one: dict[str, Any], texts: int, words: Callable[..., str], integer: Callable[[int], str]
) -> str:
    """Return in a sentence what a difference on so many texts says."""
    return words(SAID[verdict(one)], to=one["to"], n=integer(texts), **{"from": one["from"]})


class Texts:
    """The texts of a split with what pipelines find in them, as the page shows them."""

    def __init__(self, systems: Sequence[System], gold: Gold) -> None:
        self.gold, self.task = gold.docs, gold.task
        self.names = [system.name for system in systems]
        self.scored = [
            known(Scored(gold.task, one.predicted, gold.docs, one.header.threshold_of(gold.task)))
            for one in systems
        ]
        self.errors = [system.tally.sum(axis=1) - 3 * system.tally[:, 0] for system in systems]
        self.palette = colours(sorted({name for one in self.scored for name in one.labels()}))

    def surest(self, rows: Sequence[int], better: int, worse: int, limit: int) -> list[int]:
        """Return the first `limit` of some texts, those with most errors of one pipeline, and fewest of
        another, first."""
        more = (self.errors[worse] - self.errors[better])[list(rows)]
        return [rows[place] for place in numpy.argsort(-more, kind="stable")[:limit]]

    def item(self, row: int, pair: Sequence[int]) -> dict[str, Any]:
        """Return a text with what two pipelines find in it, given by their places."""
        gold = self.gold[row]
        origin = gold.user_data.get("file"), gold.user_data.get("line")
        item = {
            "n": row + 1,
            "origin": f"{origin[0]}:{origin[1]}" if all(origin) else "",
            "text": gold.text,
            "direction": direction(gold),
        }
        if self.task == "ner":
            docs = [gold, *(self.scored[place].predicted[row] for place in pair)]
            # Drawn in the gold text, which knows its language.
            spans = [[(entity, entity[2]) for entity in entities(doc)] for doc in docs]
            item["gold"], *item["found"] = (draw(gold, one, self.palette) for one in spans)
        else:
            right = labels_given(gold, 0.5 if self.task == "textcat_multilabel" else None)
            found = [self.scored[place].predicted[row].cats for place in pair]
            item["classes"] = [
                [(label, value, label in right) for label, value in sorted(cats.items())]
                for cats in found
            ]
        return item

    def changed(self, differences: Sequence[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
        """Return, of each difference to the first pipeline, the texts that became wrong, and right."""
        shown = []
        for place, one in enumerate(differences, 1):
            lost = self.surest(one["lost"], 0, place, limit)
            won = self.surest(one["won"], place, 0, limit)
            shown.append(
                {
                    **one,
                    "names": (one["from"], one["to"]),
                    "groups": [
                        (kind, len(one[kind]), [self.item(row, (0, place)) for row in rows])
                        for kind, rows in (("lost", lost), ("won", won))
                    ],
                }
            )
        return shown


def render(
    lang: str, result: dict[str, Any], systems: Sequence[System], gold: Gold, limit: int
) -> str:
    """Return the page, in a language of LANGUAGES.

    result: what `compare_systems` returns, with the corpus and split. limit: the number of texts that
    became wrong, and of those that became right, of each difference.
    """
    pages = environment(lang)
    words, integer = pages.globals["_"], pages.globals["integer"]
    said = [in_words(one, result["examples"], words, integer) for one in result["differences"]]
    names = [system.name for system in systems]
    return pages.get_template("comparison.html").render(
        title=words("Comparison: {names}", names=", ".join(names)),
        result=result,
        differences={one["to"]: one for one in result["differences"]},
        said=said,
        names=names,
        few=FEW,
        text_lang=systems[0].header.lang,
        changed=Texts(systems, gold).changed(result["differences"], limit),
    )
