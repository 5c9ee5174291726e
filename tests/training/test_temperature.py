"""Temperatures: what is found for data with a known one."""

import numpy
import pytest

from scripts.training.temperature import (
    HIGHEST,
    LOWEST,
    fit_temperature,
    fit_temperature_of_sigmoids,
)


def log_softmax(logits: numpy.ndarray) -> numpy.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - numpy.log(numpy.exp(shifted).sum(axis=1, keepdims=True))


def calibrated(examples: int = 20_000, labels: int = 3) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return log probabilities, and labels that were drawn with them."""
    random = numpy.random.default_rng(0)
    scores = log_softmax(random.normal(0, 2, (examples, labels)))
    # Gumbel's trick: the highest is a draw from the softmax.
    return scores, (scores + random.gumbel(size=scores.shape)).argmax(axis=1)


def test_calibrated_probabilities_have_temperature_1():
    assert fit_temperature(*calibrated()) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("factor", [0.5, 2, 3])
def test_multiplied_logits_have_that_temperature(factor):
    scores, gold = calibrated()
    found = fit_temperature(log_softmax(scores * factor), gold)
    assert found == pytest.approx(factor * fit_temperature(scores, gold), rel=1e-6)


def test_the_temperature_has_the_lowest_loss():
    scores, gold = calibrated(300)
    found = fit_temperature(scores * 1.7, gold)

    def loss(temperature: float) -> float:
        return -log_softmax(scores * 1.7 / temperature)[range(300), gold].mean()

    assert loss(found) < min(loss(found * 0.999), loss(found * 1.001))


def test_sigmoids_have_one_temperature():
    random = numpy.random.default_rng(0)
    logits = random.normal(0, 2, (10_000, 4))
    gold = random.random(logits.shape) < 1 / (1 + numpy.exp(-logits))
    assert fit_temperature_of_sigmoids(logits, gold) == pytest.approx(1, abs=0.03)
    assert fit_temperature_of_sigmoids(logits * 2, gold) == pytest.approx(2, abs=0.06)


def test_data_without_an_optimum_stay_within_bounds():
    scores, gold = calibrated(100)
    assert fit_temperature(scores, scores.argmax(axis=1)) == pytest.approx(LOWEST)
    assert fit_temperature(scores, scores.argmin(axis=1)) == pytest.approx(HIGHEST)
    assert fit_temperature(scores * 1e6, gold) == pytest.approx(HIGHEST)
    # Every temperature is as good.
    assert fit_temperature(numpy.zeros((10, 2)), numpy.zeros(10, int)) == pytest.approx(1)
    with pytest.raises(ValueError):
        fit_temperature(numpy.empty((0, 2)), numpy.empty(0, int))
