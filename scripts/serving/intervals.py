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


def resampled(tally: numpy.ndarray) -> numpy.ndarray:
    """Return the sums of RESAMPLES resamples of texts: of shape (RESAMPLES, columns).

    tally: of shape (texts, columns). Drawn by how often each distinct row is, which are few: the
    same distribution as drawing texts, at a hundredth of the time.
    """
    rows, counts = numpy.unique(tally, axis=0, return_counts=True)
    texts = counts.sum()
    random = numpy.random.default_rng(0)
    return random.multinomial(texts, counts / texts, size=RESAMPLES) @ rows


def interval(tally: numpy.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of F, resampling texts."""
    return percentile_interval(f_score(resampled(tally)[:, None]))


def paired_differences(one: numpy.ndarray, other: numpy.ndarray) -> numpy.ndarray:
    """Return the difference in F of two tallies of the same texts in each of RESAMPLES resamples of
    the texts, the same for both."""
    sums = resampled(numpy.concatenate([one, other], axis=1))
    return f_score(sums[:, None, :3]) - f_score(sums[:, None, 3:])


def percentile_interval(values: numpy.ndarray) -> tuple[float, float]:
    """Return the ends of the middle 95 % of resampled values."""
    low, high = numpy.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def paired_interval(one: numpy.ndarray, other: numpy.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of the difference in F of two tallies of the same texts, which are
    resampled together."""
    return percentile_interval(paired_differences(one, other))
