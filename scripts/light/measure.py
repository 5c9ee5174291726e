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
from ..serving.intervals import SCORES, f_score, paired_interval, tallies
from ..serving.metrics import labels_given, score_categories, score_entities
from ..serving.pipeline import threshold_of
from ..serving.predictions import entities

# Texts that are read to compare speeds, and how often, in turn.
TIMED, ROUNDS = 100, 3


class Comparison(NamedTuple):
    """Scores of a pipeline and of another form of it on a split, in [0, 1].

    low, high: the 95 % interval of the difference. same: the share of examples with the same result,
    all entities or the labels. time: of the other form, relative to the pipeline's. words_per_second,
    scores: of the other form.
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
    words_per_second: int
    scores: dict[str, Any]

    @property
    def row(self) -> tuple[str, ...]:
        difference = f"{self.after - self.before:+.4f} ({self.low:+.4f} to {self.high:+.4f})"
        return (
            f"{self.corpus}, {self.split}", f"{self.examples:,}", SCORES[self.task],
            f"{self.before:.4f}", f"{self.after:.4f}", difference, f"{self.same:.1%}",
            f"{self.time:.2f}",
        )  # fmt: skip


HEADER = (
    "split", "examples", "score", "before", "after", "difference, 95 %", "same result", "time"
)  # fmt: skip


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


def timed_docs(docs: Sequence[Doc]) -> Sequence[Doc]:
    """Return those of some documents that speeds are compared on: TIMED, evenly spaced."""
    return docs[:: max(1, len(docs) // TIMED)][:TIMED]


def seconds_of(pipelines: Sequence[Language], texts: list[str]) -> list[float]:
    """Return the seconds that each of some pipelines takes to read some texts, in turn; medians."""
    seconds: list[list[float]] = [[] for _ in pipelines]
    for _ in range(ROUNDS):
        for nlp, taken in zip(pipelines, seconds):
            start = time.perf_counter()
            list(pipe(nlp, texts))
            taken.append(time.perf_counter() - start)
    return [median(taken) for taken in seconds]


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
    timed = timed_docs(gold.docs)
    slow, fast = seconds_of((before, after), [doc.text for doc in timed])
    return Comparison(
        gold.task, corpus, split, len(texts), float(f_score(one)), float(f_score(other)),
        *paired_interval(other, one), share_alike(*found, gold.task, threshold),
        fast / slow, round(sum(map(len, timed)) / fast), scores,
    )  # fmt: skip
