"""What another form of a pipeline costs in score, and what it saves in time, on the same texts."""

import time
from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy
from spacy.language import Language
from spacy.tokens import Doc

from ..common.annotate import pipe
from ..serving.gold import Gold
from ..serving.intervals import f_score, paired_interval, tallies
from ..serving.metrics import labels_given, score_categories, score_entities
from ..serving.predictions import entities

# Texts that are read to compare speeds, and how often, in turn.
TIMED, ROUNDS = 100, 3
NAMES = {"ner": "entity F", "textcat": "accuracy", "textcat_multilabel": "micro F"}


class Comparison(NamedTuple):
    """Scores of a pipeline and of another form of it on a split, in [0, 1].

    low, high: the 95 % interval of the difference. same: the share of examples with the same result,
    all entities or the labels. time: of the other form, relative to the pipeline's. scores: all of the
    other form's.
    """

    task: str
    corpus: str
    split: str
    examples: int
    before: float
    after: float
    low: float
    high: float
    same: float
    time: float
    scores: dict[str, Any]

    @property
    def row(self) -> tuple[str, ...]:
        difference = f"{self.after - self.before:+.4f} ({self.low:+.4f} to {self.high:+.4f})"
        return (
            f"{self.corpus}, {self.split}", f"{self.examples:,}", NAMES[self.task],
            f"{self.before:.4f}", f"{self.after:.4f}", difference, f"{self.same:.1%}",
            f"{self.time:.2f}",
        )  # fmt: skip


HEADER = (
    "split", "examples", "score", "before", "after", "difference, 95 %", "same result", "time"
)  # fmt: skip


def threshold_of(nlp: Language, task: str) -> float | None:
    """Return the probability from which a pipeline assigns a label; None if exactly one always is."""
    return nlp.get_pipe(task).cfg.get("threshold", 0.5) if task == "textcat_multilabel" else None


def result(doc: Doc, task: str, threshold: float | None) -> set:
    """Return what a pipeline found in a text: its entities, or its labels."""
    return set(entities(doc)) if task == "ner" else labels_given(doc, threshold)


def share_alike(
    one: Sequence[Doc], other: Sequence[Doc], task: str, threshold: float | None
) -> float:
    """Return the share of texts in which two pipelines found the same."""
    return float(
        numpy.mean(
            [result(a, task, threshold) == result(b, task, threshold) for a, b in zip(one, other)]
        )
    )


def time_ratio(before: Language, after: Language, texts: list[str]) -> float:
    """Return the time that a pipeline takes to read some texts relative to that of another, both in
    turn."""
    seconds: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(ROUNDS):
        for number, nlp in enumerate((before, after)):
            start = time.perf_counter()
            list(pipe(nlp, texts))
            seconds[number].append(time.perf_counter() - start)
    return median(seconds[1]) / median(seconds[0])


def compare(before: Language, after: Language, gold: Gold, corpus: str, split: str) -> Comparison:
    """Score two forms of a pipeline on the examples of a split."""
    texts = [doc.text for doc in gold.docs]
    threshold = threshold_of(before, gold.task)
    found = [list(pipe(nlp, texts)) for nlp in (before, after)]
    one, other = (tallies(docs, gold.docs, gold.task, threshold) for docs in found)
    if gold.task == "ner":
        scores = score_entities(found[1], gold.docs)
    else:
        scores = score_categories(
            found[1], gold.docs, list(after.get_pipe(gold.task).labels), threshold
        )
    step = max(1, len(texts) // TIMED)
    return Comparison(
        gold.task, corpus, split, len(texts), float(f_score(one)), float(f_score(other)),
        *paired_interval(other, one), share_alike(*found, gold.task, threshold),
        time_ratio(before, after, texts[::step][:TIMED]), scores,
    )  # fmt: skip
