"""Calibration: whether answers given with 80 % confidence are correct 80 % of the time."""

from typing import Any

import numpy
from spacy.tokens import Doc

from ..common.probabilities import BINS, Confidences, answers, bin_of, calibration_error, rescaled
from .gold import judged
from .label_map import new_names
from .predictions import CONFIDENCE, Header, entities

SIMULATIONS = 1000
# Random numbers drawn at once, about: 40 MB of them.
DRAWS = 10_000_000
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
# What has a confidence, by task: one label per text, each label of a text, a predicted entity.
ANSWERS = {"textcat": "examples", "textcat_multilabel": "labels", "ner": "entities"}


def band(confidences: numpy.ndarray, seed: int) -> list[float]:
    """Return the limits within which the calibration error lies 95 % of the time if each answer is
    correct with a probability equal to its confidence: it is not 0, as answers are few."""
    ordered = numpy.sort(confidences)
    _, starts = numpy.unique(bin_of(ordered), return_index=True)
    expected = numpy.add.reduceat(ordered, starts)
    random, limits = numpy.random.default_rng(seed), ordered.astype("f4")
    size = max(1, DRAWS // len(ordered))
    errors = []
    for start in range(0, SIMULATIONS, size):
        shape = min(size, SIMULATIONS - start), len(ordered)
        correct = random.random(shape, "f4") < limits
        gaps = numpy.add.reduceat(correct, starts, axis=1, dtype="f8") - expected
        errors.append(abs(gaps).sum(axis=1) / len(ordered))
    return [float(limit) for limit in numpy.quantile(numpy.concatenate(errors), (0.025, 0.975))]


def calibration(
    confidences: numpy.ndarray, correct: numpy.ndarray, seed: int = 0
) -> dict[str, Any]:
    """Return how far confidences, in [0, 1], are from the share of correct answers.

    error: see `calibration_error`; band: that of a perfectly calibrated model with these confidences,
    by simulation. bins: those that are not empty, from the lowest. thresholds: the precision of the
    answers with at least that confidence, None if there are none, and their share of all (coverage).
    {} without any answers.
    """
    if not len(confidences):
        return {}
    values, correct = numpy.asarray(confidences, "f8"), numpy.asarray(correct, bool)
    bins = bin_of(values)
    above = [(threshold, correct[values >= threshold]) for threshold in THRESHOLDS]
    return {
        "n": len(values),
        "error": calibration_error(values, correct),
        "band": band(values, seed),
        "mean_confidence": float(values.mean()),
        "accuracy": float(correct.mean()),
        "bins": [
            {
                "from": number / BINS,
                "count": int((bins == number).sum()),
                "mean_confidence": float(values[bins == number].mean()),
                "accuracy": float(correct[bins == number].mean()),
            }
            for number in numpy.unique(bins).tolist()
        ],
        "thresholds": [
            {
                "threshold": threshold,
                "precision": float(found.mean()) if len(found) else None,
                "coverage": len(found) / len(values),
            }
            for threshold, found in above
        ],
    }


def entity_confidences(predicted: list[Doc], gold: list[Doc], names: dict[str, str]) -> Confidences:
    """Return the confidence of each predicted entity that has one and is scored, and whether its
    characters and label are in the gold annotation.

    predicted: with the pipeline's own labels; names: new ones.
    """
    values, correct = [], []
    for found, doc in zip(predicted, gold):
        if CONFIDENCE not in found.user_data:
            continue
        wanted, given = set(entities(doc)), entities(found)
        confidences = found.user_data[CONFIDENCE]
        for (start, end, label), value, counts in zip(
            given, confidences, judged(given, doc), strict=True
        ):
            label = names.get(label, label)
            if label and counts:
                values.append(value)
                correct.append((start, end, label) in wanted)
    return Confidences(numpy.array(values, "f8"), numpy.array(correct, bool))


def cats_of(docs: list[Doc], labels: list[str]) -> numpy.ndarray:
    """Return the values of labels, not a number where a document has none: (documents, labels)."""
    rows = [[doc.cats.get(label, numpy.nan) for label in labels] for doc in docs]
    return numpy.array(rows, "f8").reshape(len(docs), len(labels))


def category_calibration(
    header: Header, task: str, names: dict[str, str], predicted: list[Doc], gold: list[Doc]
) -> dict[str, Any]:
    """Return `calibration` of the probabilities of a classifier's labels, {} if there are none.

    predicted: with the new names. With a temperature on record also that, and the error before it was
    applied, `error_before`, unless labels are renamed.
    """
    exclusive, labels = task == "textcat", new_names(header.labels[task], names)
    if not gold or not labels:
        return {}
    truth, probabilities = cats_of(gold, labels), cats_of(predicted, labels)
    if exclusive:
        truth = truth == numpy.nanmax(truth, axis=1, keepdims=True)
    found = answers(probabilities, truth, exclusive)
    result = calibration(*found)
    temperature = header.temperatures.get(task)
    if temperature is not None:
        result["temperature"] = temperature
        if not names:
            earlier = rescaled(probabilities, temperature, exclusive)
            result["error_before"] = calibration_error(*answers(earlier, truth, exclusive))
    return result


def measure_calibration(
    header: Header,
    task: str,
    names: dict[str, str],
    found: list[Doc],
    gold: list[Doc],
    predicted: list[Doc],
) -> dict[str, Any]:
    """Return the calibration of a pipeline's predictions for a task, {} if it gives no confidences.

    found: the predictions with the pipeline's own labels; predicted: those with new names.
    """
    if task == "ner":
        result = calibration(*entity_confidences(found, gold, names))
    else:
        result = category_calibration(header, task, names, predicted, gold)
    return result and {"of": ANSWERS[task], **result}


def in_words(found: dict[str, Any]) -> str:
    """Return the calibration in a metrics file as a line; "" if there is none."""
    if not found:
        return ""
    low, high = found["band"]
    line = (
        f"calibration error {found['error']:.3f} (a perfectly calibrated model of {found['n']:,} "
        f"{found['of']}: {low:.3f}–{high:.3f})"
    )
    if "error_before" in found:
        line += f", before calibration {found['error_before']:.3f}"
    return line
