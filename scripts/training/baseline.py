"""The score of a pipeline that has learnt nothing, to tell whether one has."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spacy.scorer import Scorer
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from .plan import Split

# A pipeline that has learnt covers at least this share of the way from the baseline to 1.
SHARE = 0.1
ADVICE = (
    "it fails to learn. Try another settings.learn_rate, more settings.batch_examples, more "
    "settings.max_steps or fewer settings.frozen_layers; settings.warmup_steps is a tenth to a quarter of the "
    "updates"
)


def weighted(scores: Mapping[str, Any], weights: dict[str, float | None]) -> float:
    """Return a weighted sum of scores; those that are missing, or None, count as 0."""
    return sum((scores.get(name) or 0.0) * weight for name, weight in weights.items() if weight)


def constant_score(dev: Split, weights: dict[str, float | None]) -> float:
    """Return the score on the labelled texts of a split of always giving its most frequent label; 0
    for entities, and for several labels per text that of giving none.

    weights: of spaCy's scores.
    """
    if not dev.labels or sum(dev.labels.values()) != round(sum(dev.labelled) * dev.scale):
        # The area under the curve of probabilities that say nothing.
        return 0.5 * (weights.get("cats_macro_auc") or 0.0)
    (most, _), *_ = dev.labels.most_common(1)
    vocab = Vocab()
    examples = []
    for label, count in dev.labels.items():
        gold, guess = Doc(vocab, words=["–"]), Doc(vocab, words=["–"])
        gold.cats = {name: float(name == label) for name in dev.labels}
        guess.cats = {name: float(name == most) for name in dev.labels}
        examples += [Example(guess, gold)] * count
    scores = Scorer.score_cats(examples, "cats", labels=list(dev.labels), multi_label=False)
    return weighted(scores, weights)


@dataclass
class Baseline:
    """The score of always giving the most frequent label (0: of finding nothing), and the number of
    examples that it was measured on.

    weights: of spaCy's scores in this one, together 1. name: what it is called.
    """

    score: float = 0.0
    examples: int = 0
    weights: dict[str, float] = field(default_factory=dict)
    name: str = "the score"

    @classmethod
    def of(cls, dev: Split, weights: Mapping[str, float | None]) -> list["Baseline"]:
        """Return the baselines of what a pipeline is scored for, labels and anything else, each on its
        own: of two tasks, one may be learnt and the other not.

        weights: [training.score_weights].
        """
        given = {name: weight for name, weight in weights.items() if weight}
        of_labels = {name for name in given if name.startswith("cats_")}
        found = []
        for names, examples in (
            (of_labels, sum(dev.labelled)),
            (given.keys() - of_labels, len(dev.lengths)),
        ):
            total = sum(given[name] for name in names)
            if total > 0:
                own = {name: given[name] / total for name in sorted(names)}
                found.append(cls(constant_score(dev, own), examples, own))
        if len(found) > 1:
            for baseline in found:
                baseline.name = " + ".join(baseline.weights)
        # Where nothing counts, nothing can be learnt.
        return found or [cls(examples=len(dev.lengths))]

    @property
    def answers(self) -> str:
        """In words, the answers that have this score."""
        if "cats_macro_auc" in self.weights:
            return "probabilities at random"
        return "always giving the most frequent label"

    def problem(self, scores: Mapping[str, Any]) -> str:
        """Return in words why spaCy's scores are none of a pipeline that has learnt; "" if they are.

        Their weighted sum has to exceed the baseline by two standard errors, and by SHARE of what is
        left to 1.
        """
        score = weighted(scores, self.weights)
        if not self.score:
            return "" if score else f"{self.name} is still 0: {ADVICE}"
        error = math.sqrt(self.score * (1 - self.score) / max(self.examples, 1))
        if score > self.score + max(2 * error, SHARE * (1 - self.score)):
            return ""
        return (
            f"{self.name}, {score:.3f}, is little better than {self.score:.3f}, that of {self.answers}: "
            f"{ADVICE}"
        )


def problems(baselines: list[Baseline], scores: Mapping[str, Any]) -> list[str]:
    """Return what `Baseline.problem` says of each, where it says anything."""
    return [problem for baseline in baselines if (problem := baseline.problem(scores))]
