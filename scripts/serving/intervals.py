"""How sure a score on a split is: a bootstrap over its texts."""

from collections.abc import Sequence
from itertools import compress

import numpy
from spacy.tokens import Doc

from .gold import judged, labels_given
from .predictions import entities

RESAMPLES = 2000
# What F of a task's tallies is called.
SCORES = {"ner": "entity F", "textcat": "accuracy", "textcat_multilabel": "micro F"}


def tallies(
    found: Sequence[Doc], gold: Sequence[Doc], task: str, threshold: float | None
) -> numpy.ndarray:
    """Return of each text the numbers of answers that are right, given, and gold; of exclusive
    classes 1 or 0, 1, 1. F of their sums is entity F, micro F or accuracy. Entities where the gold
    annotation is missing do not count.

    threshold: the probability from which `textcat_multilabel` assigns a label.
    """
    if task == "ner":
        pairs = [
            (set(compress(given := entities(one), judged(given, doc))), set(entities(doc)))
            for one, doc in zip(found, gold)
        ]
    else:
        right = None if threshold is None else 0.5
        pairs = [
            (labels_given(one, threshold), labels_given(doc, right))
            for one, doc in zip(found, gold)
        ]
    return numpy.array([(len(a & b), len(a), len(b)) for a, b in pairs]).reshape(-1, 3)


def f_score(tally: numpy.ndarray) -> numpy.ndarray:
    """Return F of tallies of shape (…, texts, 3), summed over the texts."""
    right, found, gold = numpy.moveaxis(tally.sum(axis=-2), -1, 0)
    return 2 * right / numpy.maximum(found + gold, 1)


def interval(tally: numpy.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of F, resampling texts."""
    random = numpy.random.default_rng(0)
    texts = len(tally)
    scores = [f_score(tally[random.integers(texts, size=texts)]) for _ in range(RESAMPLES)]
    return percentile_interval(numpy.array(scores))


def paired_differences(one: numpy.ndarray, other: numpy.ndarray) -> numpy.ndarray:
    """Return the difference in F of two tallies of the same texts in each of RESAMPLES resamples of
    the texts, the same for both."""
    random = numpy.random.default_rng(0)
    texts = len(one)
    samples = (random.integers(texts, size=texts) for _ in range(RESAMPLES))
    return numpy.array([f_score(one[sample]) - f_score(other[sample]) for sample in samples])


def percentile_interval(values: numpy.ndarray) -> tuple[float, float]:
    """Return the ends of the middle 95 % of resampled values."""
    low, high = numpy.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def paired_interval(one: numpy.ndarray, other: numpy.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of the difference in F of two tallies of the same texts, which are
    resampled together."""
    return percentile_interval(paired_differences(one, other))
