"""Scores of predictions against gold annotation, and the metrics file that they go into."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import compress
from pathlib import Path
from typing import Any

import numpy
import srsly
from spacy.language import Language
from spacy.scorer import PRFScore, Scorer
from spacy.tokens import Doc
from spacy.training import Example

from ..common.errors import UserError
from ..common.files import check_whole
from ..common.weights import weights_hash
from .calibration import measure_calibration
from .entity_errors import counted, seen_and_unseen
from .gold import Gold, best_label, gold_labels, judged, labels_given
from .intervals import interval, tallies
from .label_map import new_names
from .predictions import Header, Predictions, entities, on_gold_tokens
from .train_split import Train, baseline

# The main score of a table: its key, its name, and the hub's name for the metric.
HEADLINES = (
    ("ents_f", "entity F", "f1"),
    ("accuracy", "accuracy", "accuracy"),
    ("cats_micro_f", "micro F", "f1"),
)
# Score tables in the metrics, and what they were measured on.
TABLES = {
    "raw_text": "raw text",
    "gold_tokens": "gold tokens",
    "unseen_text": "raw text that is not in train",
}


def score_entities(predicted: list[Doc], gold: list[Doc]) -> dict[str, Any]:
    """Return ents_p, ents_r, ents_f and ents_per_type, in [0, 1], by character offsets.

    An entity is correct if its first and last character and its label are. spaCy's own scorer first
    aligns predictions to the gold tokens: it accepts Express for L'Express if that is one gold
    token. As in spaCy, predictions where the gold annotation is missing do not count. Without any
    entities the scores are None.
    """
    per_type: defaultdict[str, PRFScore] = defaultdict(PRFScore)
    for found, doc in zip(predicted, gold):
        wanted, given = set(entities(doc)), entities(found)
        given = set(compress(given, judged(given, doc)))
        for label in {label for _, _, label in wanted | given}:
            per_type[label].score_set(
                {entity for entity in given if entity[2] == label},
                {entity for entity in wanted if entity[2] == label},
            )
    total = sum(per_type.values(), PRFScore())
    overall = total.to_dict() if len(total) else dict.fromkeys("prf")
    return {
        **{f"ents_{letter}": value for letter, value in overall.items()},
        "ents_per_type": {label: score.to_dict() for label, score in per_type.items()},
    }


def average_precision(probabilities: numpy.ndarray, gold: numpy.ndarray) -> float | None:
    """Return the mean of the precision at each text that has a label, texts in the order of its
    probability; None if none has it. Texts with the same probability share a rank.

    probabilities: floats of shape (texts,). gold: booleans of the same shape.
    """
    if not gold.any():
        return None
    values, inverse = numpy.unique(-probabilities, return_inverse=True)
    texts = numpy.bincount(inverse, minlength=len(values))
    right = numpy.bincount(inverse, weights=gold, minlength=len(values))
    return float((right * right.cumsum() / texts.cumsum()).sum() / gold.sum())


def score_categories(
    predicted: list[Doc], gold: list[Doc], labels: list[str], threshold: float | None
) -> dict[str, Any]:
    """Return spaCy's cats_* with cats_f_per_type; for exclusive labels (no threshold) also
    `accuracy`, the share of documents whose most probable label is correct, and for others the
    average precision of each label and their mean."""
    examples = [Example(*pair) for pair in zip(predicted, gold)]
    several = threshold is not None
    scores = Scorer.score_cats(
        examples, "cats", labels=labels, multi_label=several, threshold=threshold
    )
    if several:
        precisions = {
            label: average_precision(
                numpy.array([doc.cats.get(label, 0.0) for doc in predicted]),
                numpy.array([doc.cats.get(label, 0.0) >= 0.5 for doc in gold]),
            )
            for label in labels
        }
        known = [value for value in precisions.values() if value is not None]
        mean = sum(known) / len(known) if known else None
        return {**scores, "cats_macro_ap": mean, "cats_ap_per_type": precisions}
    if not gold:
        return scores
    right = sum(best_label(found) == best_label(doc) for found, doc in zip(predicted, gold))
    return {"accuracy": right / len(gold), **scores}


def main_score(scores: dict[str, Any]) -> tuple[str, str, float | None]:
    """Return the main score of a table: its name, the hub's name for the metric, its value."""
    return next((name, kind, scores[key]) for key, name, kind in HEADLINES if key in scores)


def headline(scores: dict[str, Any]) -> str:
    """Return the main score of a table in words: entity F 0.842, accuracy 0.913."""
    name, _, value = main_score(scores)
    return f"{name} –" if value is None else f"{name} {value:.3f}"


def tables(metrics: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the score tables in the metrics, each with what it was measured on."""
    for key, title in TABLES.items():
        scores = metrics.get(key, {})
        if any(key in scores for key, *_ in HEADLINES):
            yield title, scores


def scored_on(metrics: dict[str, Any]) -> str:
    """Return in words what was scored: corpus, split, where it comes from, renamed labels."""
    split = ": ".join(filter(None, (metrics["split"], metrics["about"])))
    renamed = ", ".join(f"{old} → {new or '–'}" for old, new in metrics["map"].items())
    return f"{metrics['corpus']}, {split}" + (f" (labels {renamed})" if renamed else "")


def score(
    header: Header, task: str, names: dict[str, str], predicted: list[Doc], gold: list[Doc]
) -> dict[str, Any]:
    """Return the score table of a task; `names` are new names for the pipeline's labels."""
    if task == "ner":
        return score_entities(predicted, gold)
    labels = new_names(header.labels[task], names)
    return score_categories(predicted, gold, labels, header.threshold_of(task))


def measure(
    predictions: Predictions, gold: Gold, names: dict[str, str], train: Train | None
) -> tuple[dict[str, Any], list[Doc]]:
    """Return the metrics of predictions, and the documents that were scored, labels renamed.

    names: new names for the pipeline's labels. train: None if there is no train split to compare with.
    """
    header, docs = predictions.header, gold.docs
    found = gold.of(predictions.docs)
    predicted = predictions.renamed(found, names)
    tally = tallies(predicted, docs, gold.task, header.threshold_of(gold.task))
    metrics = {
        "raw_text": score(header, gold.task, names, predicted, docs),
        "interval": interval(tally),
    }
    calibrated = measure_calibration(header, gold.task, names, found, docs, predicted)
    if calibrated:
        metrics["calibration"] = calibrated
    if header.head is not None:
        metrics["head"] = header.head
    if gold.task == "ner":
        metrics["scored_by"] = "character offsets"
        on_gold = predictions.renamed(list(map(on_gold_tokens, found, docs)), names)
        metrics["gold_tokens"] = score(header, gold.task, names, on_gold, docs)
        metrics["entity_errors"] = counted(predicted, docs)
    if train is not None:
        metrics["baseline"] = baseline(train, gold)
        if gold.task == "ner":
            metrics["entities_of_train"] = seen_and_unseen(predicted, docs, train.names)
        unseen = [pair for pair in zip(predicted, docs) if pair[1].text not in train.shared]
        known = len(docs) - len(unseen)
        metrics["unseen_text"] = {"examples": len(unseen), "shared_with_train": known}
        if known and unseen:
            metrics["unseen_text"] |= score(header, gold.task, names, *map(list, zip(*unseen)))
    metrics["speed"] = header.speed
    metrics["cut_windows"] = header.cut_windows
    metrics["examples"] = len(docs)
    metrics["unannotated"] = gold.unannotated
    metrics["words"] = sum(map(len, docs))
    metrics["parameters"] = header.parameters
    metrics["versions"] = header.versions
    return metrics, predicted


def unknown_labels(header: Header, gold: Gold, docs: list[Doc]) -> dict[str, int]:
    """Return how often each label is predicted that the split does not have, in alphabetical order."""
    known = {label for doc in gold.docs for label in gold_labels(doc, gold.task)}
    if gold.task == "ner":
        found = Counter(entity.label_ for doc in docs for entity in doc.ents)
    else:
        threshold = header.threshold_of(gold.task)
        found = Counter(label for doc in docs for label in labels_given(doc, threshold))
    return {label: count for label, count in sorted(found.items()) if label not in known}


# Fields that other commands read.
FIELDS = (
    "pipeline", "weights", "corpus", "split", "about", "split_sha256", "trained_on", "task", "map",
    "encoder", "seed", "examples", "raw_text", "speed", "versions",
)  # fmt: skip


def metrics_in(path: Path) -> dict[str, Any]:
    """Return the metrics that `evaluate` wrote to a file. Raises UserError if it is missing or
    something else."""
    check_whole(path)
    if not path.is_file():
        raise UserError(f"{path} is missing: run `evaluate` first.")
    try:
        metrics = srsly.read_json(path)
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}); run `evaluate` again.") from error
    if not isinstance(metrics, dict) or not set(FIELDS) <= set(metrics):
        raise UserError(f"{path}: not metrics in the current format; run `evaluate` again.")
    return metrics


def read_metrics(path: Path, nlp: Language) -> dict[str, Any]:
    """Return the metrics that `evaluate` wrote for a pipeline.

    Raises UserError if the file is missing or something else, or the pipeline has other weights.
    """
    metrics = metrics_in(path)
    if metrics["weights"] != weights_hash(nlp):
        raise UserError(
            f"{path}: metrics of a pipeline with other weights ({metrics['pipeline']}); run `evaluate` "
            "on this one."
        )
    return metrics
