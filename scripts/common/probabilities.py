"""Probabilities of labels: their logits, and how far they are from the share of correct answers."""

from typing import NamedTuple

import numpy

# As in Naeini et al. 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", and in
# most of what has been published since: equal widths, each with its upper limit.
BINS = 15
# The nearest to 0 or 1 that a probability is taken for in a loss, where one wrong answer given with
# the probability 1 would else be infinitely bad.
NEAREST = 1e-9
# The key in a pipeline's meta: by component, the temperature that its logits were divided by, and
# the number of examples that this was found with.
CALIBRATION = "calibration"


def logits_of(probabilities: numpy.ndarray, exclusive: bool) -> numpy.ndarray:
    """Return what a softmax over the last axis, or a sigmoid if labels do not exclude each other,
    turns into these probabilities. A softmax's are one of many, its log probabilities; a probability
    of 0 or 1 has an infinite one."""
    values = numpy.asarray(probabilities, "f8")
    with numpy.errstate(divide="ignore"):
        return numpy.log(values) - (0 if exclusive else numpy.log1p(-values))


def probabilities_of(logits: numpy.ndarray, exclusive: bool) -> numpy.ndarray:
    """Return the softmax over the last axis, or the sigmoid if labels do not exclude each other.

    Where all labels have the probability 0, as in a text without tokens, they keep it.
    """
    if not exclusive:
        # As 1 / (1 + exp(-x)), which would overflow.
        return numpy.exp(-numpy.logaddexp(0, -logits))
    total = numpy.logaddexp.reduce(logits, -1, keepdims=True)
    return numpy.exp(logits - numpy.where(total == -numpy.inf, 0, total))


def rescaled(probabilities: numpy.ndarray, factor: float, exclusive: bool) -> numpy.ndarray:
    """Return the probabilities that logits multiplied by a factor would have had: a factor of 1 / T
    has the effect of temperature T, a factor of T undoes that."""
    return probabilities_of(logits_of(probabilities, exclusive) * factor, exclusive)


class Confidences(NamedTuple):
    """Answers of a pipeline: the probability, in [0, 1], that it gives each, and whether each is
    correct."""

    values: numpy.ndarray
    correct: numpy.ndarray


def answers(probabilities: numpy.ndarray, gold: numpy.ndarray, exclusive: bool) -> Confidences:
    """Return the answers in probabilities of labels, both arrays of shape (examples, labels).

    Of exclusive labels: one answer per example, the most probable. Of others: one per label, that it
    applies or, from a probability below .5, that it does not; none where gold is not a number.
    """
    if exclusive:
        best = probabilities.argmax(axis=1)[:, None]
        values, right = (numpy.take_along_axis(of, best, 1)[:, 0] for of in (probabilities, gold))
        return Confidences(values, right == 1)
    known = ~numpy.isnan(gold)
    values, right = probabilities[known], gold[known] == 1
    return Confidences(numpy.maximum(values, 1 - values), (values >= 0.5) == right)


def bin_of(confidences: numpy.ndarray) -> numpy.ndarray:
    """Return the bin, from 0, that each confidence falls into."""
    return numpy.clip(numpy.ceil(confidences * BINS).astype(int) - 1, 0, BINS - 1)


def calibration_error(values: numpy.ndarray, correct: numpy.ndarray) -> float:
    """Return the expected calibration error, in [0, 1]: how far, on average over the answers, the
    mean confidence of a bin is from the share of correct answers in it. Of at least one answer."""
    gaps = numpy.bincount(bin_of(values), correct - values, BINS)
    return float(abs(gaps).sum() / len(values))


def log_loss(values: numpy.ndarray, correct: numpy.ndarray) -> float:
    """Return the mean negative log-likelihood of whether answers are correct, if each is with the
    probability that it was given. Of at least one answer."""
    values = numpy.clip(values, NEAREST, 1 - NEAREST)
    return float(-numpy.log(numpy.where(correct, values, 1 - values)).mean())
