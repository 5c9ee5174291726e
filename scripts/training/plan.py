"""What a training will do, found out before it starts: settings that suit the corpus and the encoder,
updates and epochs, and the score of a pipeline that has learnt nothing."""

import math
import random
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from spacy.schemas import ConfigSchemaTraining
from spacy.tokens import Doc
from spacy.util import dict_to_dot, registry
from thinc.api import Config
from wasabi import msg

from ..common.errors import UserError, warn
from ..corpora.docbins import CLASSIFIERS
from .augment import JOINED, join_neighbours
from .readers import balance

# The rate for vectors of BASE_WIDTH values. A narrower encoder needs a higher one: in the time that
# fine-tuning takes, it learns nothing at this.
BASE_RATE, BASE_WIDTH = 5e-5, 768
LOWEST_RATE, HIGHEST_RATE = 1e-5, 1e-3
# Words of an update: as many as make some UPDATES updates of EPOCHS epochs, within bounds. Of the same
# 200,000 words of sentences, four times as many updates a quarter as large taught entities much better,
# and alike with every seed.
FEWEST_WORDS, MOST_WORDS, UPDATES = 200, 2000, 2000
# Examples of an update for classes. Of a dozen reviews an update, little is learnt, and that late.
EXAMPLES, LARGE_EXAMPLES = (16, 32), 5000
EPOCHS, MOST_EPOCHS = 3, 60
# Fewer updates teach little: labels, of so many examples, and entities, of so few words.
FEWEST_UPDATES = {"labels": 240, "entities": 400}
# One update in so many is warm-up. A new parser's gradients are noise that takes longer to fade.
WARM_UP = {"labels": (10, "a tenth"), "entities": (4, "a quarter")}
EVALUATIONS = 6
# Words read at once, padding included, by an encoder of SMALL_WIDTH; of a wider one, fewer. The demo's
# encoder, 12 layers of this width, then takes some 4 GB on a CPU.
PART_WORDS, SMALL_WIDTH = {"cpu": 1000, "gpu": 8000}, 384


# The lowest value that makes sense; spaCy checks no more than the type of most.
LOWEST = {
    "settings.epochs": 0, "settings.max_steps": 0, "settings.batch_words": 1,
    "settings.batch_examples": 1, "settings.accumulate": 1, "settings.eval_frequency": 1,
    "training.max_steps": 0, "training.accumulate_gradient": 1, "training.eval_frequency": 1,
}  # fmt: skip


# Shares of the examples: from 0 to 1; those of VARIANTS, which exclude each other, also in all.
VARIANTS = ("lower_case", "upper_case", "no_punctuation")
SECTIONS = ("settings", "corpora.train.augmenter")


def check_ranges(config: Config) -> None:
    """Raise UserError for a number that a training cannot work with. config: references resolved."""
    values = dict_to_dot(config)
    for name, lowest in LOWEST.items():
        value = values.get(name, lowest)
        if isinstance(value, (int, float)) and value < lowest:
            raise UserError(f"{name} {value}: give {lowest} or more.")
    variants = [[f"{section}.{name}" for name in VARIANTS] for section in SECTIONS]
    for name in ("settings.joined", "corpora.train.joined", *variants[0], *variants[1]):
        share = values.get(name, 0)
        if not isinstance(share, (int, float)) or not 0 <= share <= 1:
            raise UserError(f"{name} {share}: a share of the examples; give 0 to 1.")
    for names in variants:
        if (total := sum(values.get(name, 0) for name in names)) > 1:
            raise UserError(f"{', '.join(names)}: {total:g} in all; give shares of at most 1.")
    dropout = values.get("training.dropout", 0)
    if isinstance(dropout, (int, float)) and not 0 <= dropout < 1:
        raise UserError(f"training.dropout {dropout}: give 0 or more, and less than 1.")


def imbalanced(counts: Collection[int]) -> bool:
    """Return whether one of several labels is at least twice as frequent as another."""
    return len(counts) > 1 and max(counts) >= 2 * min(counts)


@dataclass
class Split:
    """What a training needs to know of a split: the number of words of each example, how often each
    token and each label occurs, whether each example has a label, how many have entities, and how many
    sentences were joined to make longer ones.

    total: the number of examples of the split, if this is only a sample of it; the labels are those of
    all."""

    lengths: list[int] = field(default_factory=list)
    tokens: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    labelled: list[bool] = field(default_factory=list)
    with_entities: int = 0
    total: int = 0
    joined: int = 0

    @classmethod
    def of(cls, docs: Iterable[Doc], joined: float = 0.0) -> "Split":
        """Read the documents of a split once. joined: the share that is joined with neighbours."""
        split = cls()
        for doc in join_neighbours(docs, joined, random.Random(0)):
            split.lengths.append(len(doc))
            split.labelled.append(bool(doc.cats))
            split.with_entities += bool(doc.ents)
            split.joined += doc.user_data.get(JOINED, 0)
            split.tokens.update(token.text for token in doc)
            split.labels.update(label for label, value in doc.cats.items() if value)
        return split

    @classmethod
    def of_all(cls, splits: Sequence["Split"], balanced: bool) -> "Split":
        """Return the splits of several corpora as one; balanced: smaller ones repeated, as an epoch
        reads them."""
        parts = [list(zip(split.lengths, split.labelled)) for split in splits]
        rows = balance(parts, random.Random(0)) if balanced else sum(parts, [])
        return cls(
            [length for length, _ in rows],
            sum((split.tokens for split in splits), Counter()),
            sum((split.labels for split in splits), Counter()),
            [labelled for _, labelled in rows],
            sum(split.with_entities for split in splits),
            sum(split.total for split in splits),
            sum(split.joined for split in splits),
        )

    @property
    def examples(self) -> int:
        return self.total or len(self.lengths)

    @property
    def scale(self) -> float:
        """How many times as large as this sample the split is; 1 if it is no sample."""
        return self.examples / max(len(self.lengths), 1)

    @property
    def words(self) -> int:
        return round(sum(self.lengths) * self.scale)


class Sized:
    """Stands for an example of so many words, with labels or without, to count batches with."""

    def __init__(self, words: int, labelled: bool = False) -> None:
        self.words = words
        self.reference, self.cats = self, {"": 1.0} if labelled else {}

    def __len__(self) -> int:
        return self.words


def epoch_of(config: Config, train: Split) -> list[list[int]]:
    """Return the batches of one epoch as a config's batcher makes them: the lengths of the examples.

    Raises ConfigValidationError for an invalid [training], ValueError for an unknown function.
    """
    training = registry.resolve(config.interpolate()["training"], schema=ConfigSchemaTraining)
    batcher = training["batcher"]
    examples = [Sized(*row) for row in zip(train.lengths, train.labelled)]
    random.Random(0).shuffle(examples)
    return [[len(example) for example in batch] for batch in batcher(examples)]


def rate_for(width: int) -> float:
    """Return the learning rate for an encoder's width, to one digit: 5e-5 for 768, 2e-4 for 384."""
    rate = float(f"{BASE_RATE * (BASE_WIDTH / width) ** 2:.0e}")
    return min(max(rate, LOWEST_RATE), HIGHEST_RATE)


def words_for(total: int) -> int:
    """Return the words of an update for a corpus of so many words, in hundreds."""
    words = round(EPOCHS * total / UPDATES / 100) * 100
    return min(max(words, FEWEST_WORDS), MOST_WORDS)


def parts_for(batches: list[list[int]], most: int) -> int:
    """Return in how many parts updates are to be read for them to fit in memory: on average of no
    more than `most` words, padding included, and four times as many at the longest."""
    sizes = [max(batch) * len(batch) for batch in batches]
    return max(1, math.ceil(sum(sizes) / len(sizes) / most), math.ceil(max(sizes) / (4 * most)))


def learnt_by(tasks: Collection[str]) -> str:
    """Return what tasks learn that needs the most updates: entities, or else labels."""
    return "entities" if "ner" in tasks else "labels"


def warm_up(steps: int, tasks: Collection[str]) -> tuple[int, str]:
    """Return the updates of warm-up of a training for some tasks, and what share of its steps they
    are, in words."""
    part, called = WARM_UP[learnt_by(tasks)]
    return steps // part, f"{called} of max_steps"


class Plan:
    """A config whose settings are replaced by proposed ones, unless the user has given them.

    given: the names of the settings that the user gave, such as settings.learn_rate.
    """

    def __init__(self, config: Config, given: set[str]) -> None:
        self.config = config
        self.given = given
        self.proposals: list[tuple[str, str, str]] = []

    def propose(self, name: str, value: Any, reason: str) -> None:
        """Set a setting, if the config has it and the user has not given it."""
        settings = self.config.get("settings", {})
        if name in settings and f"settings.{name}" not in self.given:
            settings[name] = value
            shown = f"{value:,}" if isinstance(value, int) else f"{value:.0e}"
            self.proposals.append((name, shown, reason))

    def propose_all(self, train: Split, tasks: set[str], width: int, gpu: bool) -> None:
        """Propose settings for a corpus, tasks and an encoder's width (0: there is none)."""
        settings = self.config.get("settings", {})
        if width:
            self.propose(
                "learn_rate", rate_for(width), f"the encoder's vectors have {width} values"
            )
        self.propose("batch_words", words_for(train.words), f"train has {train.words:,} words")
        if CLASSIFIERS & tasks:
            labelled = sum(train.labelled)
            reason = "at least, however long: classes are not learnt from a few texts an update"
            least = EXAMPLES[labelled * train.scale >= LARGE_EXAMPLES]
            self.propose("batch_examples", least, reason)
        else:
            self.propose("batch_examples", 1, "entities are learnt word by word")
        batches = epoch_of(self.config, train)
        self.batches, self.epoch = batches, max(1, round(len(batches) * train.scale))
        epoch = self.epoch
        most = PART_WORDS["gpu" if gpu else "cpu"]
        most = round(most * SMALL_WIDTH / max(width, SMALL_WIDTH))
        reason = f"parts of about {most:,} words, which fit in memory"
        self.propose("accumulate", parts_for(batches, most), reason)
        if epochs := settings.get("epochs", 0):
            self.propose("max_steps", epochs * epoch, f"{epochs} epochs of {epoch:,} updates")
        else:
            fewest = FEWEST_UPDATES[learnt_by(tasks)]
            steps = max(EPOCHS * epoch, min(fewest, MOST_EPOCHS * epoch))
            reason = f"an epoch has {epoch:,}; fewer than {fewest} teach little"
            self.propose("max_steps", steps, reason)
        if steps := settings.get("max_steps", 0):
            self.propose("warmup_steps", *warm_up(steps, tasks))
            reason = f"{EVALUATIONS} evaluations"
            self.propose("eval_frequency", max(1, steps // EVALUATIONS), reason)
        if imbalanced(train.labels.values()) and "textcat" in tasks:
            self.select_by_macro_f(train)

    def select_by_macro_f(self, train: Split) -> None:
        """Let macro F, to which each label contributes equally, choose the best pipeline, unless the
        user gave score weights."""
        weights = self.config["training"].get("score_weights", {})
        if weights.get("cats_micro_f") and "training.score_weights.cats_micro_f" not in self.given:
            weights["cats_micro_f"], weights["cats_macro_f"] = 0.0, weights["cats_micro_f"]
            counts = ", ".join(f"{label} {count:,}" for label, count in train.labels.most_common(5))
            msg.info(f"imbalanced labels ({counts}): macro F chooses the best pipeline")

    def show(self, train: Split, dev: Split, corpora: list[tuple[str, int]]) -> None:
        """Print the proposals with their reasons, and what the training will do.

        corpora: their names, and the number of training examples of each.
        """
        if self.proposals:
            msg.table(
                self.proposals,
                header=("proposed", "value", "because"),
                divider=True,
                aligns=("l", "r", "l"),
            )
        training = self.config.interpolate()["training"]
        steps, frequency = training["max_steps"], training["eval_frequency"]
        epochs = training["max_epochs"]
        updates = f"{epochs:,} epochs" if epochs > 0 else "no end but its patience"
        if steps:
            updates = f"{steps:,} updates, {steps / self.epoch:.1f} epochs"
        print(
            f"train: {train.examples:,} examples, {train.words:,} words; an update reads "
            f"{train.examples / self.epoch:,.0f} examples, {train.words / self.epoch:,.0f} words on "
            f"average; {updates}"
        )
        if self.config.interpolate()["corpora"].get("train", {}).get("joined", 0):
            if train.joined:
                print(
                    f"{train.joined * train.scale:,.0f} sentences are joined with those that follow"
                )
            else:
                warn("settings.joined: nothing is joined, as texts with labels stay alone")
        if len(corpora) > 1:
            largest = max(n for _, n in corpora)
            times = (f"{n:,} of {name}, {largest / n:.1f} times" for name, n in corpora)
            print(f"an epoch reads {'; '.join(times)}")
        times = f", {steps // frequency + 1:,} times" if steps else ""
        print(f"dev: {dev.examples:,} examples, {dev.words:,} words{times}")
