"""Scores and speed of a pipeline on annotated documents."""

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import srsly
import torch
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ..errors import UserError
from .annotate import annotate, borrowed_head, encoder_name, encoder_of

PACKAGES = ("spacy", "spacy-transformers", "thinc", "transformers", "torch")


def bare(doc: Doc) -> Doc:
    """Return a document with the same tokens and nothing else."""
    return Doc(
        doc.vocab,
        words=[token.text for token in doc],
        spaces=[bool(token.whitespace_) for token in doc],
    )


def score(nlp: Language, predicted: list[Doc], gold: list[Doc]) -> dict[str, Any]:
    """Return the scorer's output of the pipeline's last component (ner or textcat).

    ents_p, ents_r, ents_f and ents_per_type, in [0, 1]; or cats_* with cats_f_per_type and
    `accuracy`, the share of documents whose most probable label is the right one.
    """
    examples = [Example(*pair) for pair in zip(predicted, gold)]
    if "ner" in nlp.pipe_names:
        return nlp.get_pipe("ner").score(examples)
    scores = nlp.get_pipe("textcat").score(examples)
    right = sum(best_label(pred) == best_label(doc) for pred, doc in zip(predicted, gold))
    return {"accuracy": right / len(gold), **scores}


def headline(scores: dict[str, Any]) -> str:
    """Return the one figure of a score table, in words: entity F 0.842, accuracy 0.913."""
    name, key = ("entity F", "ents_f") if "ents_f" in scores else ("accuracy", "accuracy")
    return f"{name} {scores[key]:.3f}"


def best_label(doc: Doc) -> str:
    """Return the label of the highest probability."""
    return max(doc.cats, key=doc.cats.__getitem__)


def measure(nlp: Language, gold: list[Doc]) -> tuple[dict[str, Any], list[Doc]]:
    """Return the metrics of a pipeline on gold documents, and what it predicts on their raw text.

    Words per second: gold tokens by the wall time of one pass of nlp.pipe over the raw texts.
    """
    # One document beforehand: the first call of a process pays for what later ones share.
    list(annotate(nlp, [gold[0].text]))
    head = borrowed_head(nlp)
    if head is not None:
        head.counts.clear()
    start = time.perf_counter()
    predicted = list(annotate(nlp, (doc.text for doc in gold)))
    seconds = time.perf_counter() - start
    words = sum(map(len, gold))
    metrics = {"raw_text": score(nlp, predicted, gold)}
    if head is not None:
        metrics["head"] = dict(head.counts)
    if "ner" in nlp.pipe_names:
        on_gold_tokens = list(annotate(nlp, [bare(doc) for doc in gold]))
        metrics["gold_tokens"] = score(nlp, on_gold_tokens, gold)
    encoder = encoder_of(nlp)
    metrics["speed"] = {
        "words_per_second": round(words / seconds),
        "method": "gold words / wall time of one nlp.pipe pass over the raw test texts",
        "device": str(encoder.device),
        "precision": str(encoder.dtype).replace("torch.", ""),
        "torch_threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
    }
    metrics["examples"] = len(gold)
    metrics["words"] = words
    metrics["parameters"] = encoder.num_parameters()
    metrics["versions"] = {
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }
    return metrics, predicted


# What `evaluate` writes, and others read.
FIELDS = ("pipeline", "corpus", "split", "encoder", "seed", "examples", "raw_text", "speed")


def read_metrics(path: Path, nlp: Language | None = None) -> dict[str, Any]:
    """Return what `evaluate` wrote. Raises UserError where it is missing or something else, or
    of another pipeline than `nlp`, by its task and its encoder."""
    if not path.is_file():
        raise UserError(f"{path} is missing: run `evaluate` first.")
    try:
        metrics = srsly.read_json(path)
    except ValueError as error:
        raise UserError(f"{path}: no JSON ({error}); run `evaluate` again.") from error
    if not isinstance(metrics, dict) or not set(FIELDS) <= set(metrics):
        raise UserError(f"{path}: not what `evaluate` writes; run it again.")
    if nlp is not None:
        task = ("ner" in nlp.pipe_names) == ("ents_f" in metrics["raw_text"])
        # An installed package names its encoder by the last part of the folder.
        if not task or Path(metrics["encoder"]).name != Path(encoder_name(nlp)).name:
            raise UserError(
                f"{path}: of another pipeline ({metrics['pipeline']} on {metrics['encoder']}); run "
                "`evaluate` with this one."
            )
    return metrics
