"""Points of a learning curve, and whether more examples would pay."""

import numpy
import pytest

from scripts.serving.curve import curve, resampled_means

RIGHT, WRONG = (1, 1, 1), (0, 1, 1)


def run(share: float, seed: int, examples: int, right: int, texts: int = 400) -> dict:
    """A run that is right on so many texts, others with each seed."""
    tally = numpy.roll([RIGHT] * right + [WRONG] * (texts - right), 37 * seed, axis=0)
    return {"share": share, "seed": seed, "examples": examples, "tally": tally.tolist()}


def runs(*rights: tuple[int, ...]) -> list[list[dict]]:
    """Runs of growing shares, of each so many right answers with each seed."""
    return [
        [run(0.25 * 2**place, seed, 100 * 2**place, right) for seed, right in enumerate(share)]
        for place, share in enumerate(rights)
    ]


def test_points_have_means_and_deviations_of_the_seeds():
    found = curve(runs((200, 220), (300, 320)), baseline=0.4)
    first, last = found["points"]
    assert (first["share"], first["examples"], last["examples"]) == (0.25, 100, 200)
    assert first["scores"] == [0.5, 0.55] and first["score"] == pytest.approx(0.525)
    assert first["sd"] == pytest.approx(0.05 / 2**0.5)
    low, high = first["interval"]
    assert low < 0.5 and high > 0.55
    assert found["last_step"]["gain"] == pytest.approx(0.25)


def test_shares_are_resampled_with_the_same_texts_and_seeds():
    """A share that is right on the same texts has the same mean in each sample."""
    one = run(0.5, 0, 50, 150)
    means = resampled_means(numpy.array([[one["tally"]], [one["tally"]]]))
    assert (means[:, 0] == means[:, 1]).all() and means[:, 0].std() > 0.01


@pytest.mark.parametrize(
    "rights, baseline, pays",
    [
        (((200, 204, 202), (280, 284, 282)), 0.2, "yes"),
        (((320, 320, 320), (320, 320, 320)), 0.2, "little"),
        # The seeds disagree by far more than the mean grows.
        (((280, 330, 300), (340, 300, 310)), 0.2, "unknown"),
        (((200, 200, 200), (200, 200, 200)), 0.5, "not learnt"),
    ],
)
def test_the_last_step_is_judged_against_its_noise(rights, baseline, pays):
    found = curve(runs(*rights), baseline)
    assert found["last_step"]["pays"] == pays


def test_a_gain_over_two_doublings_counts_half_for_each():
    first, _, last = runs((200,), (220,), (240,))
    found = curve([first, last], baseline=0)["last_step"]
    assert found["gain"] == pytest.approx(0.1) and found["by_doubling"] == pytest.approx(0.05)
