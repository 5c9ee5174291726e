"""Temperature scaling: one divisor of the logits that makes a classifier's probabilities calibrated
(Guo et al. 2017, "On Calibration of Modern Neural Networks")."""

from collections.abc import Callable
from functools import cache

import numpy

# Where a temperature is searched for. Without these bounds, it would be 0 for data on which every
# answer is right.
LOWEST, HIGHEST = 0.1, 10.0
# Halvings of that range, in its logarithm: the temperature is exact to eleven digits.
HALVINGS = 40
# A search tries so many temperatures in that range, 26 % apart, then those between the best one and
# its neighbours, in so many steps, each half as long as the one before: it is exact to 1 %.
COARSE, STEPS = 21, 5


def find_temperature(slope: Callable[[float], float]) -> float:
    """Return the temperature, in [LOWEST, HIGHEST], at which a loss is lowest.

    slope: the derivative of the loss by the inverse temperature, at an inverse temperature. It has to
    grow with that, as it does for the log-likelihood of a softmax or of sigmoids. Where the loss does
    not depend on the temperature, that is 1.
    """
    low, high = numpy.log((LOWEST, HIGHEST))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        value = slope(float(numpy.exp(-middle)))
        low, high = (low if value <= 0 else middle), (high if value >= 0 else middle)
    return float(numpy.exp((low + high) / 2))


def search_temperature(loss: Callable[[float], float]) -> float:
    """Return the temperature, in [LOWEST, HIGHEST], at which a loss is lowest: one of which nothing
    is known, and which may have several low points."""
    loss = cache(loss)
    best = min(map(float, numpy.geomspace(LOWEST, HIGHEST, COARSE)), key=loss)
    step = (HIGHEST / LOWEST) ** (1 / (COARSE - 1))
    for _ in range(STEPS):
        step **= 0.5
        best = min((best, max(LOWEST, best / step), min(HIGHEST, best * step)), key=loss)
    return best


def fit_temperature(log_probabilities: numpy.ndarray, gold: numpy.ndarray) -> float:
    """Return the T in [LOWEST, HIGHEST] for which softmax(log_probabilities / T) has the lowest
    negative log-likelihood.

    log_probabilities: of shape (examples, labels), finite; logits will do. gold: the index of the
    right label of each example. Raises ValueError without examples.
    """
    if not len(log_probabilities):
        raise ValueError("no examples to fit a temperature to")
    scores = numpy.asarray(log_probabilities, "f8")
    # Relative to the right label: the loss is the mean of log(sum(exp(scores / T))).
    scores = scores - numpy.take_along_axis(scores, numpy.asarray(gold)[:, None], axis=1)

    def slope(inverse: float) -> float:
        scaled = scores * inverse
        weights = numpy.exp(scaled - scaled.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        return float((weights * scores).sum(axis=1).mean())

    return find_temperature(slope)


def fit_temperature_of_sigmoids(logits: numpy.ndarray, gold: numpy.ndarray) -> float:
    """Return the T in [LOWEST, HIGHEST] for which sigmoid(logits / T) has the lowest negative
    log-likelihood: one T for independent labels.

    logits: finite, of any shape, usually (examples, labels). gold: 0 or 1, of the same shape. Raises
    ValueError without any.
    """
    if not numpy.size(logits):
        raise ValueError("no examples to fit a temperature to")
    # The sigmoid of x is the first of softmax((x, 0)).
    scores = numpy.asarray(logits, "f8").reshape(-1, 1)
    wrong = 1 - numpy.asarray(gold, int).reshape(-1)
    return fit_temperature(numpy.hstack([scores, numpy.zeros_like(scores)]), wrong)
