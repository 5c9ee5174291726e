"""The score of a pipeline that has learnt nothing, to tell whether one has."""

import math
from dataclasses import dataclass

from spacy.scorer import Scorer
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from .plan import Split

# A pipeline that has learnt covers at least this share of the way from the baseline to 1.
SHARE = 0.1
ADVICE = (
    "it fails to learn. Try another settings.learn_rate, more settings.batch_examples, more "
    "settings.max_steps or fewer settings.frozen_layers; settings.warmup_steps is about a tenth of the "
    "updates"
)


def constant_score(dev: Split, weights: dict[str, float | None]) -> float:
    """Return the score on a split of always giving its most frequent label; 0 for entities.

    weights: [training.score_weights]. For exclusive classes, each text having one label.
    """
    if not dev.labels or sum(dev.labels.values()) != len(dev.lengths):
        return 0.0
    (most, _), *_ = dev.labels.most_common(1)
    vocab = Vocab()
    examples = []
    for label, count in dev.labels.items():
        gold, guess = Doc(vocab, words=["–"]), Doc(vocab, words=["–"])
        gold.cats = {name: float(name == label) for name in dev.labels}
        guess.cats = {name: float(name == most) for name in dev.labels}
        examples += [Example(guess, gold)] * count
    scores = Scorer.score_cats(examples, "cats", labels=list(dev.labels), multi_label=False)
    return sum((scores.get(name) or 0.0) * weight for name, weight in weights.items() if weight)


@dataclass
class Baseline:
    """The score of always giving the most frequent label (0: of finding nothing), and the number of
    examples that it was measured on."""

    score: float = 0.0
    examples: int = 0

    @classmethod
    def of(cls, dev: Split, weights: dict[str, float | None]) -> "Baseline":
        return cls(constant_score(dev, weights), len(dev.lengths))

    def problem(self, score: float) -> str:
        """Return in words why a score is none of a pipeline that has learnt; "" if it is one.

        It has to exceed the baseline by two standard errors, and by SHARE of what is left to 1.
        """
        if not self.score:
            return "" if score else f"the score is still 0: {ADVICE}"
        error = math.sqrt(self.score * (1 - self.score) / max(self.examples, 1))
        if score > self.score + max(2 * error, SHARE * (1 - self.score)):
            return ""
        return (
            f"the score, {score:.3f}, is little better than {self.score:.3f}, that of always giving the "
            f"most frequent label: {ADVICE}"
        )
