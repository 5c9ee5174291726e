"""A learning curve: scores by the share of train, how sure they are, and whether more examples would pay."""

import math
from collections.abc import Sequence
from typing import Any

import numpy

from .intervals import RESAMPLES, f_score, percentile_interval

# The gain in score by a doubling of train that is worth the annotation, one point; less is little.
WORTH = 0.01


def resampled_means(tally: numpy.ndarray) -> numpy.ndarray:
    """Return the mean score of each share in RESAMPLES resamples of texts and of seeds, the same for
    all shares: floats of shape (RESAMPLES, shares).

    tally: what `tallies` counts, of shape (shares, seeds, texts, 3). With a single seed, only texts
    are resampled: the noise of training is not in it.
    """
    random = numpy.random.default_rng(0)
    _, seeds, texts, _ = tally.shape
    means = []
    for _ in range(RESAMPLES):
        chosen = tally[:, random.integers(seeds, size=seeds)]
        means.append(f_score(chosen[:, :, random.integers(texts, size=texts)]).mean(axis=1))
    return numpy.array(means)


def verdict(low: float, high: float, learnt: bool) -> str:
    """Return whether more examples would pay: "yes", "little", "unknown", or "not learnt".

    low, high: the interval of what a doubling of train added last. learnt: whether the largest share is
    better than a baseline; else its trainings say nothing of the data.
    """
    if not learnt:
        return "not learnt"
    if high < WORTH:
        return "little"
    return "yes" if low > 0 else "unknown"


def last_step(
    examples: Sequence[float], means: numpy.ndarray, scores: numpy.ndarray, baseline: float
) -> dict[str, Any]:
    """Return what the last step of the curve added, and what that is for each doubling of train.

    examples: of each share, on average. means: see `resampled_means`. scores: of shape (shares, seeds).
    baseline: a score that needs no training.
    """
    doublings = math.log2(examples[-1] / examples[-2])
    added = means[:, -1] - means[:, -2]
    low, high = percentile_interval(added / doublings)
    gain = float((scores[-1] - scores[-2]).mean())
    return {
        "from": round(examples[-2]),
        "to": round(examples[-1]),
        "gain": gain,
        "interval": percentile_interval(added),
        "by_doubling": gain / doublings,
        "by_doubling_interval": (low, high),
        "pays": verdict(low, high, percentile_interval(means[:, -1])[0] > baseline),
        "worth": WORTH,
    }


def curve(runs: Sequence[Sequence[dict[str, Any]]], baseline: float) -> dict[str, Any]:
    """Return the points of a learning curve and what its last step says.

    runs: of each share, from the smallest to the largest, a run of each seed, with its `tally`: of
    each text of the test split the numbers of answers that are right, given, and gold. baseline: the
    score there of what needs no training.
    """
    tally = numpy.array([[run["tally"] for run in share] for share in runs])
    scores = f_score(tally)
    means = resampled_means(tally)
    seeds = len(runs[0])
    points = []
    for number, share in enumerate(runs):
        one = scores[number]
        points.append(
            {
                "share": share[0]["share"],
                "examples": float(numpy.mean([run["examples"] for run in share])),
                "score": float(one.mean()),
                "sd": float(one.std(ddof=1)) if seeds > 1 else None,
                "interval": percentile_interval(means[:, number]),
                "scores": one.tolist(),
            }
        )
    examples = [point["examples"] for point in points]
    step = last_step(examples, means, scores, baseline)
    return {"points": points, "last_step": step}
