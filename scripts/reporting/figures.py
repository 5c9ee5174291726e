"""What a page shows beside the metrics: scores of labels and slices, what is taken for what."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy
from spacy.tokens import Doc

from ..serving.entity_errors import mistakes_in
from ..serving.gold import best_label, labels_given
from ..serving.intervals import f_score, interval, tallies
from ..serving.predictions import PIECES, entities

# With fewer examples, or entities, a figure says little.
FEW = 30
# Of files or categories, those with most examples.
MOST_VALUES = 25
# Upper ends of the ranges that texts are sliced into: words, and pieces per word.
LENGTHS = (5, 10, 20, 40, 80, 160)
RATIOS = (1.25, 1.5, 1.75, 2.0)
THRESHOLDS = tuple(number / 20 for number in range(1, 20))
NOTHING = ""


class Scored(NamedTuple):
    """The documents of a split that are scored for a task: predicted, with new names, and gold.

    labels: those of either. threshold: the probability from which a label is assigned; None if exactly one
    is, or for entities.
    """

    task: str
    predicted: list[Doc]
    gold: list[Doc]
    threshold: float | None

    @property
    def several(self) -> bool:
        return self.task == "textcat_multilabel"

    def given(self, index: int) -> set[str]:
        """Return the classes that the pipeline gives a text."""
        return labels_given(self.predicted[index], self.threshold)

    def right(self, index: int) -> set[str]:
        """Return the gold classes of a text."""
        return labels_given(self.gold[index], 0.5 if self.several else None)

    def tally(self) -> numpy.ndarray:
        return tallies(self.predicted, self.gold, self.task, self.threshold)

    def labels(self) -> list[str]:
        """Return the labels of the documents, predicted or gold, in alphabetical order."""
        docs = (*self.predicted, *self.gold)
        if self.task == "ner":
            return sorted({label for doc in docs for *_, label in entities(doc)})
        return sorted({label for doc in docs for label in doc.cats})


def scores_of(tally: numpy.ndarray) -> dict[str, Any]:
    """Return P, R, F with its interval, and how many answers there are and are wanted, of a tally."""
    right, given, wanted = tally.sum(axis=0).tolist()
    return {
        "p": right / given if given else None,
        "r": right / wanted if wanted else None,
        "f": float(f_score(tally)) if given + wanted else None,
        "interval": interval(tally) if given + wanted else None,
        "given": given,
        "wanted": wanted,
        "few": wanted < FEW,
    }


def label_scores(scored: Scored) -> list[dict[str, Any]]:
    """Return the scores of each label."""
    rows = []
    for label in scored.labels():
        if scored.task == "ner":
            sides = (
                [{one for one in entities(doc) if one[2] == label} for doc in docs]
                for docs in (scored.predicted, scored.gold)
            )
            pairs = list(zip(*sides))
        else:
            indices = range(len(scored.gold))
            pairs = [({label} & scored.given(i), {label} & scored.right(i)) for i in indices]
        tally = numpy.array([(len(a & b), len(a), len(b)) for a, b in pairs]).reshape(-1, 3)
        rows.append({"label": label, **scores_of(tally)})
    return rows


def pairs(scored: Scored) -> Iterator[list[tuple[str, str]]]:
    """Yield of each example its (gold, predicted) labels: of a text its own, of entities each, with
    NOTHING where one is missed or spurious."""
    docs = zip(scored.predicted, scored.gold)
    if scored.task != "ner":
        yield from ([(best_label(gold), best_label(found))] for found, gold in docs)
        return
    for (found, gold), wrong in zip(docs, mistakes_in(scored.predicted, scored.gold)):
        right = set(entities(found)) & set(entities(gold))
        yield [(label, label) for *_, label in right] + [
            (one.wanted[2] if one.wanted else NOTHING, one.found[2] if one.found else NOTHING)
            for one in wrong
        ]


def confusion(scored: Scored) -> dict[str, Any] | None:
    """Return how often each gold label is predicted as each label: a matrix, shaded by the share of its
    row; None for several labels per text."""
    if scored.several:
        return None
    counts = Counter(pair for found in pairs(scored) for pair in found)
    labels = scored.labels()
    if scored.task == "ner":
        labels.append(NOTHING)
    rows = []
    for gold in labels:
        row = [counts[gold, label] for label in labels]
        total = sum(row) or 1
        # In quarters of the row.
        shades = [-(-4 * count // total) for count in row]
        rows.append({"label": gold, "cells": list(zip(labels, row, shades)), "total": sum(row)})
    return {"labels": labels, "rows": rows}


def grouped(scored: Scored, value_of: Callable[[int], Any]) -> dict[Any, list[int]]:
    """Return the indices of the examples with each value; those without one are left out."""
    groups: dict[Any, list[int]] = {}
    for index in range(len(scored.gold)):
        if (value := value_of(index)) is not None:
            groups.setdefault(value, []).append(index)
    return groups


def slice_of(name: str, tally: numpy.ndarray, indices: list[int]) -> dict[str, Any]:
    """Return the score of some examples; of few without an interval, as resampling so few says nothing."""
    few = len(indices) < FEW
    found = scores_of(tally[indices])
    interval = None if few else found["interval"]
    return {
        "name": name,
        "f": found["f"],
        "examples": len(indices),
        "few": few,
        "interval": interval,
    }


def ranges(ends: Sequence[float], write: Callable[[float], str]) -> list[str]:
    """Return the names of the ranges up to each end, and of that above."""
    names = [f"≤ {write(ends[0])}"]
    names += [f"{write(low)}–{write(high)}" for low, high in zip(ends, ends[1:])]
    return [*names, f"> {write(ends[-1])}"]


def slices(scored: Scored, decimal: Callable[..., str]) -> list[dict[str, Any]]:
    """Return tables of scores by words, by pieces per word, by gold label, and by category and file where
    there are several: `by` says what, with rows."""
    tally = scored.tally()

    def by_range(number_of: Callable[[int], float | None], ends, digits: int) -> list[dict]:
        def place(index: int) -> int | None:
            number = number_of(index)
            return None if number is None else int(numpy.searchsorted(ends, number))

        groups = grouped(scored, place)
        names = ranges(ends, lambda end: decimal(end, digits))
        return [slice_of(names[at], tally, groups[at]) for at in sorted(groups)]

    def ratio(index: int) -> float | None:
        pieces = scored.predicted[index].user_data.get(PIECES)
        return None if pieces is None else pieces / max(len(scored.gold[index]), 1)

    tables = [
        {"by": "words", "rows": by_range(lambda index: len(scored.gold[index]), LENGTHS, 0)},
        {"by": "pieces per word", "rows": by_range(ratio, RATIOS, 2)},
    ]
    values = {
        "gold label": lambda index: best_label(scored.gold[index]),
        "category": lambda index: scored.gold[index].user_data.get("category"),
        "file": lambda index: scored.gold[index].user_data.get("file"),
    }
    if scored.task != "textcat":
        del values["gold label"]
    known = []
    for by, value_of in values.items():
        groups = grouped(scored, value_of)
        parts = sorted(groups.values())
        # A file of its own for each category says nothing new.
        if parts not in known:
            known.append(parts)
            largest = sorted(groups, key=lambda value: (-len(groups[value]), str(value)))
            rows = [slice_of(str(value), tally, groups[value]) for value in largest[:MOST_VALUES]]
            tables.append({"by": by, "rows": rows})
    return [table for table in tables if len(table["rows"]) > 1]


def threshold_curve(scored: Scored) -> dict[str, list[tuple[float, float]]]:
    """Return P, R and micro F over the threshold from which labels are assigned, where none has no answer
    left out."""
    curves: dict[str, list[tuple[float, float]]] = {"P": [], "R": [], "F": []}
    for threshold in THRESHOLDS:
        found = scores_of_sum(tallies(scored.predicted, scored.gold, scored.task, threshold))
        for name, value in found.items():
            if value is not None:
                curves[name].append((threshold, value))
    return curves


def scores_of_sum(tally: numpy.ndarray) -> dict[str, float | None]:
    """Return P, R and F of a tally, without an interval."""
    right, given, wanted = tally.sum(axis=0).tolist()
    return {
        "P": right / given if given else None,
        "R": right / wanted if wanted else None,
        "F": float(f_score(tally)),
    }
