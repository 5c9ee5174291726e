"""Pipelines compared on the same texts: differences with paired tests, and texts whose result changed."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy
from spacy.tokens import Doc

from ..encoders.checkpoint import strip_local_path
from .gold import Gold, labels_given
from .intervals import (
    SCORES,
    f_score,
    interval,
    paired_differences,
    percentile_interval,
    tallies,
)
from .label_map import new_names
from .metrics import score, unknown_labels
from .predictions import Header, Predictions

# The paired tests, by what the score is.
TESTS = {
    "accuracy": "exact McNemar test",
    "entity F": "paired bootstrap",
    "micro F": "paired bootstrap",
}
# Below, a difference is called significant.
LEVEL = 0.05


class System(NamedTuple):
    """A pipeline in a comparison. predicted: the scored documents, labels renamed by `names`.

    size: bytes of its folder or wheel, None if neither is there. timed: words per second, measured in
    turn with the others; None if only its header has a speed.
    """

    name: str
    header: Header
    names: dict[str, str]
    predicted: list[Doc]
    tally: numpy.ndarray
    size: int | None = None
    timed: int | None = None

    @classmethod
    def of(cls, name: str, predictions: Predictions, names: dict[str, str], gold: Gold) -> "System":
        header = predictions.header
        predicted = predictions.renamed(gold.of(predictions.docs), names)
        tally = tallies(predicted, gold.docs, gold.task, header.threshold_of(gold.task))
        return cls(name, header, names, predicted, tally)

    @property
    def right(self) -> numpy.ndarray:
        """Whether all answers to a text are right, and none is missing: booleans (texts,)."""
        right, given, wanted = self.tally.T
        return (right == given) & (right == wanted)

    def labels(self, task: str) -> list[str]:
        return new_names(self.header.labels[task], self.names)


def mcnemar(lost: int, won: int) -> float:
    """Return the p-value of the exact, two-sided McNemar test: how probable so unequal numbers are
    if each of the texts that changed could as well have changed the other way (McNemar 1947).

    lost, won: texts that only the first, and only the other pipeline classifies correctly.
    """
    changed, term, tail = lost + won, 1, 0
    for index in range(min(lost, won) + 1):
        tail += term
        term = term * (changed - index) // (index + 1)
    return min(1.0, 2 * tail / 2**changed)


def bootstrap_p(differences: numpy.ndarray) -> float:
    """Return the two-sided p-value of resampled differences, that of the percentile interval: it is
    below 0.05 where the 95 % interval excludes 0 (Efron and Tibshirani 1993, 15.4)."""
    least = min((differences <= 0).sum(), (differences >= 0).sum())
    return min(1.0, 2 * float(least + 1) / (len(differences) + 1))


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number, by Holm's step-down method (1979)."""
    corrected = [0.0] * len(values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        highest = max(highest, min(1.0, (len(values) - rank) * values[index]))
        corrected[index] = highest
    return corrected


def difference(first: System, other: System, score_name: str) -> dict[str, Any]:
    """Return what changes from one pipeline to another: the difference in score with its 95 %
    interval and p-value, and how many texts change. `lost`, `won`: texts that are right only with the
    first, and only with the other, by their place among those scored.
    """
    lost = numpy.flatnonzero(first.right & ~other.right)
    won = numpy.flatnonzero(~first.right & other.right)
    resampled = paired_differences(other.tally, first.tally)
    exact = score_name == "accuracy"
    return {
        "from": first.name,
        "to": other.name,
        "difference": float(f_score(other.tally) - f_score(first.tally)),
        "interval": percentile_interval(resampled),
        "p": mcnemar(len(lost), len(won)) if exact else bootstrap_p(resampled),
        "lost": lost.tolist(),
        "won": won.tolist(),
        "both_right": int((first.right & other.right).sum()),
        "both_wrong": int((~first.right & ~other.right).sum()),
    }


def support(gold: Gold) -> dict[str, int]:
    """Return how often each label is right in a split."""
    if gold.task == "ner":
        counts = Counter(entity.label_ for doc in gold.docs for entity in doc.ents)
    else:
        threshold = 0.5 if gold.task == "textcat_multilabel" else None
        counts = Counter(label for doc in gold.docs for label in labels_given(doc, threshold))
    return dict(sorted(counts.items()))


def figures_of(system: System, gold: Gold) -> dict[str, Any]:
    """Return what is known of a pipeline: its score with the 95 % interval, P, R and F of each label,
    its speed, and its size."""
    header = system.header
    table = score(header, gold.task, system.names, system.predicted, gold.docs)
    labels = table.get("ents_per_type") or table.get("cats_f_per_type") or {}
    return {
        "name": system.name,
        "pipeline": header.pipeline,
        "weights": header.weights,
        "encoder": strip_local_path(header.encoder) if header.encoder else None,
        "trained_on": header.trained_on,
        "seed": header.seed,
        "map": system.names,
        "score": float(f_score(system.tally)),
        "interval": interval(system.tally),
        "labels": labels,
        "f": {label: labels[label]["f"] for label in support(gold)},
        "unknown_labels": unknown_labels(header, gold, system.predicted),
        "wrong": int((~system.right).sum()),
        "parameters": header.parameters,
        "bytes": system.size,
        "words_per_second": system.timed or header.speed["words_per_second"],
        "measured_in_turn": system.timed is not None,
        "device": header.speed["device"],
        "precision": header.speed["precision"],
        "torch_threads": header.speed["torch_threads"],
    }


def compare_systems(systems: Sequence[System], gold: Gold) -> dict[str, Any]:
    """Return the figures of pipelines on a split, and the differences of all others to the first one.

    With several differences their p-values are also corrected by Holm's method, `p_holm`.
    """
    first, *others = systems
    name = SCORES[gold.task]
    differences = [difference(first, other, name) for other in others]
    for one, corrected in zip(differences, holm([one["p"] for one in differences])):
        one["p_holm"] = corrected
    return {
        "task": gold.task,
        "score": name,
        "test": TESTS[name],
        "corrected": "Holm" if len(others) > 1 else None,
        "examples": len(gold.docs),
        "unannotated": gold.unannotated,
        "support": support(gold),
        "pipelines": [figures_of(system, gold) for system in systems],
        "differences": differences,
    }


def verdict(one: dict[str, Any]) -> str:
    """Return "better", "worse" or "undecided" for a difference, by its corrected p-value."""
    if one["p_holm"] >= LEVEL:
        return "undecided"
    return "better" if one["difference"] > 0 else "worse"
