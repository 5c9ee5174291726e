"""What a student learns from: gold and silver text together, and the teacher's probabilities."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy
from spacy.language import Language
from spacy.pipeline import TextCategorizer
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import load_config, registry
from spacy.vocab import Vocab
from thinc.api import Config

from ..corpora.docbins import read_docs
from .names import Names
from .stream import ShuffledCorpus

# Key of user_data that marks a silver text: the teacher's probabilities of classes, or {}.
SILVER = "silver"
# How the shards of each are named.
GOLD_SHARD, SILVER_SHARD = "gold", "silver"
# Share of the entities that become others where a text is read once more.
SWAPPED = 0.7
# The score of each task that chooses the best pipeline. Of classes: accuracy; of several per text, F.
SCORES = {"ner": "ents_f", "textcat": "cats_micro_f", "textcat_multilabel": "cats_micro_f"}


class GoldAndSilver(ShuffledCorpus):
    """Gold and silver shards in a random order, the gold texts several times; and those with entities
    some times more, names of other texts in the place of theirs."""

    def __init__(self, path: str | Path, gold_times: int, swapped_times: int) -> None:
        super().__init__(path)
        self.gold_times, self.swapped_times = gold_times, swapped_times
        self.names: Names | None = None

    def read_docbin(self, vocab: Vocab, locs: Iterable[str | Path]) -> Iterator[Doc]:
        shards = [Path(loc) for loc in locs]
        gold = [shard for shard in shards if not shard.name.startswith(SILVER_SHARD)]
        if self.swapped_times and self.names is None:
            self.names = Names()
            for shard in shards:
                for doc in read_docs(shard, vocab):
                    self.names.add(doc)
        times: Counter[str] = Counter()
        more = gold * (self.gold_times + self.swapped_times - 1)
        for doc in super().read_docbin(vocab, shards + more):
            if SILVER in doc.user_data:
                yield doc
                continue
            times[doc.text] += 1
            if times[doc.text] <= self.gold_times:
                yield doc
            elif doc.ents:
                yield self.names.swap(doc, SWAPPED)


@registry.readers("project.gold_and_silver.v1")
def gold_and_silver(
    path: Path, gold_times: int, swapped_times: int
) -> Callable[[Language], Iterable[Example]]:
    """Return a reader of what `silver` wrote, for a training with max_epochs = -1."""
    return GoldAndSilver(path, gold_times, swapped_times)


def learn_probabilities(textcat: TextCategorizer) -> None:
    """Let a classifier learn the teacher's probabilities of silver texts instead of their labels.

    spaCy refuses labels that are neither 0 nor 1 (E851). Only the object is changed: a saved pipeline
    has nothing of this.
    """
    truth_of = textcat._examples_to_truth

    def soft_truth(examples: Iterable[Example]) -> tuple[numpy.ndarray, numpy.ndarray]:
        examples = list(examples)
        truths, not_missing = truth_of(examples)
        for row, example in zip(truths, examples):
            if probabilities := example.reference.user_data.get(SILVER):
                row[:] = textcat.model.ops.asarray1f(
                    [probabilities.get(x, 0.0) for x in textcat.labels]
                )
        return truths, not_missing

    textcat._examples_to_truth = soft_truth


@registry.callbacks("project.soft_targets.v1")
def soft_targets() -> Callable[[Language], None]:
    """Return a callback for [initialize.after_init], see `learn_probabilities`."""

    def callback(nlp: Language) -> None:
        for _, component in nlp.pipeline:
            if isinstance(component, TextCategorizer):
                learn_probabilities(component)

    return callback


def keep_to_spacy(folder: Path) -> None:
    """Replace the project's functions in the config of a trained pipeline, which only its training
    needed: nothing in it then needs more than spaCy."""
    config = load_config(folder / "config.cfg", interpolate=False)
    config["initialize"] |= {"after_init": None, "components": {}}
    config["corpora"]["train"] = {**config["corpora"]["dev"], "path": "${paths.train}"}
    config["training"]["max_epochs"] = 0
    config.to_disk(folder / "config.cfg")


def for_task(config: Config, task: str, labels: Any) -> None:
    """Let a student's config, references resolved, be of a task. labels: what its component is
    initialised with."""
    config["nlp"]["pipeline"] = [task]
    config["components"] = {task: config["components"][task]}
    weights = config["training"]["score_weights"]
    if not any(weights.values()):
        weights[SCORES[task]] = 1.0
    config["initialize"]["components"] = {task: {"labels": labels}}
