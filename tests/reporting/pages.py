"""Pages of a few examples made by hand: predictions, gold and metrics as `evaluate` writes them."""

from collections.abc import Sequence
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc

from scripts.reporting.figures import FEW, Scored
from scripts.reporting.page import render
from scripts.serving.calibration import calibration, entity_confidences
from scripts.serving.entity_errors import counted, seen_and_unseen
from scripts.serving.intervals import interval
from scripts.serving.label_errors import label_errors
from scripts.serving.metrics import main_score, score_categories, score_entities
from scripts.serving.predictions import CONFIDENCE

FRENCH = spacy.blank("fr")


def entity_doc(
    text: str, *spans: tuple[str, str], confidences: Sequence[float] = (), nlp: Language = FRENCH
) -> Doc:
    """Return a document with entities: the text of each and its label."""
    doc = nlp.make_doc(text)
    starts = [text.index(words) for words, _ in spans]
    doc.set_ents(
        [
            doc.char_span(at, at + len(words), label, alignment_mode="expand")
            for at, (words, label) in zip(starts, spans)
        ]
    )
    if confidences:
        doc.user_data[CONFIDENCE] = list(confidences)
    return doc


def class_doc(text: str, nlp: Language = FRENCH, **cats: float) -> Doc:
    doc = nlp.make_doc(text)
    doc.cats = cats
    return doc


def metrics_of(scored: Scored) -> dict[str, Any]:
    """Return what a page reads of the metrics."""
    if scored.task == "ner":
        scores = score_entities(scored.predicted, scored.gold)
        own = {
            "entity_errors": counted(scored.predicted, scored.gold),
            "entities_of_train": seen_and_unseen(scored.predicted, scored.gold, {"Marie"}),
        }
        calibrated = calibration(*entity_confidences(scored.predicted, scored.gold, {}))
    else:
        labels = scored.labels()
        scores = score_categories(scored.predicted, scored.gold, labels, scored.threshold)
        own = {}
        values = [
            max(doc.cats.values()) if scored.threshold is None else value
            for doc in scored.predicted
            for value in doc.cats.values()
        ]
        calibrated = calibration(values, [value > 0.5 for value in values])
    return {
        **own, "raw_text": scores, "interval": interval(scored.tally()), "calibration": calibrated,
        "label_errors": label_errors(scored.task, scored.predicted, scored.gold), "split": "test",
        "baseline": {"what": "most frequent label of train", "name": "accuracy", "score": 0.5},
        "examples": len(scored.gold), "seed": 0, "parameters": 1234, "cut_windows": 0,
        "unannotated": 0, "unseen_text": {"shared_with_train": 0, "examples": 0},
        "speed": {"words_per_second": 1000, "device": "cpu", "torch_threads": 2, "precision": "float32"},
    }  # fmt: skip


def page_of(
    task: str,
    predicted: list[Doc],
    gold: list[Doc],
    threshold: float | None = None,
    lang: str = "en",
    title: str = "made by hand",
    limit: int = 10_000,
    log=None,
    **fields: Any,
) -> str:
    """Return a page of examples. fields: replace those of the metrics."""
    scored = Scored(task, predicted, gold, threshold)
    metrics = {**metrics_of(scored), **fields}
    name, _, score = main_score(metrics["raw_text"])
    return render(
        lang, scored, metrics, log, ("fr_a-1-py3-none-any.whl", 94_000_000), limit, title=title,
        score=score, score_name=name, scored_on="a corpus, test", encoder="tiny",
        text_lang="fr", few=FEW, header=("scored on", "label"), rows=[("raw text", title)],
        checked=[("serious", "3", title, "train:1")],
    )  # fmt: skip
