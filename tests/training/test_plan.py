"""Proposed settings, epochs, and the score of knowing nothing."""

from collections import Counter

import pytest
import spacy
from spacy.tokens import Doc

from scripts.config import training_config
from scripts.training.baseline import Baseline, constant_score
from scripts.training.plan import Plan, Split, parts_for, rate_for, words_for


def split(lengths: list[int], **labels: int) -> Split:
    return Split(lengths, Counter(), Counter(labels), [True] * len(lengths))


def planned(task: str, train: Split, width: int = 384, gpu: bool = False, **settings):
    """The settings of a training on a split; those in `settings` are given by the user."""
    overrides = {f"settings.{name}": value for name, value in settings.items()}
    _, config, given = training_config(task, overrides)
    plan = Plan(config, given)
    plan.propose_all(train, {task}, width, gpu)
    return config["settings"], plan


def test_rates_suit_the_encoders_width():
    assert [rate_for(width) for width in (768, 384, 1024, 32, 8192)] == [
        5e-5,
        2e-4,
        3e-5,
        1e-3,
        1e-5,
    ]


def test_updates_are_small_in_a_small_corpus_and_not_too_many_in_a_large_one():
    assert [words_for(total) for total in (500, 90_000, 200_000, 630_000, 3_500_000)] == [
        200, 200, 300, 900, 2000,
    ]  # fmt: skip


def test_a_large_corpus_is_read_three_times():
    settings, plan = planned("textcat", split([9] * 60_000))
    assert (settings["batch_words"], settings["batch_examples"]) == (800, 32)
    epoch = len(plan.batches)
    assert epoch == pytest.approx(60_000 * 9 / 800, rel=0.05)
    assert settings["max_steps"] == 3 * epoch and settings["warmup_steps"] == 3 * epoch // 10
    assert settings["eval_frequency"] == 3 * epoch // 6


def test_a_small_corpus_gets_enough_updates_and_long_texts_enough_examples():
    settings, plan = planned("textcat", split([400] * 300, a=150, b=150))
    assert settings["batch_examples"] == 16 and {len(batch) for batch in plan.batches} == {16, 12}
    assert settings["max_steps"] == 240
    # 16 texts of 400 words are read in parts that fit in memory; on a GPU that is more.
    assert settings["accumulate"] == 7
    assert planned("textcat", split([400] * 300), gpu=True)[0]["accumulate"] == 1
    assert planned("textcat", split([400] * 300), width=768)[0]["accumulate"] == 13
    # Entities need more updates, as these are smaller.
    settings, _ = planned("ner", split([20] * 1000))
    assert (settings["max_steps"], settings["warmup_steps"]) == (400, 100)
    # Thirty sentences are three batches; they are not read hundreds of times.
    assert planned("ner", split([20] * 30))[0]["max_steps"] == 180


def test_what_the_user_gives_wins():
    settings, plan = planned(
        "textcat", split([50] * 2000), learn_rate=1e-3, batch_words=500, batch_examples=4, epochs=5,
        warmup_steps=3, eval_frequency=7, accumulate=2,
    )  # fmt: skip
    assert settings["max_steps"] == 5 * len(plan.batches)
    assert settings["learn_rate"] == 1e-3 and settings["batch_words"] == 500
    assert (settings["warmup_steps"], settings["eval_frequency"], settings["accumulate"]) == (
        3,
        7,
        2,
    )
    assert [name for name, *_ in plan.proposals] == ["max_steps"]
    # `auto` asks for the proposal, as if nothing had been given.
    settings, _ = planned("textcat", split([50] * 2000), learn_rate="auto", max_steps=90)
    assert settings["learn_rate"] == 2e-4 and settings["warmup_steps"] == 9


def test_nothing_is_proposed_for_a_full_config(tmp_path):
    _, config, _ = training_config("ner", {})
    config.to_disk(tmp_path / "full.cfg")
    _, config, given = training_config(str(tmp_path / "full.cfg"), {"settings.batch_words": "auto"})
    plan = Plan(config, given)
    plan.propose_all(split([20] * 50), {"ner"}, 384, False)
    assert [name for name, *_ in plan.proposals] == ["batch_words"]
    assert config["settings"]["max_steps"] == 2000 and config["settings"]["learn_rate"] == 5e-5


def test_macro_f_chooses_where_labels_are_imbalanced(capsys):
    weights = planned("textcat", split([9] * 50, a=40, b=10))[1].config["training"]["score_weights"]
    assert (weights["cats_micro_f"], weights["cats_macro_f"]) == (0.0, 1.0)
    assert "imbalanced labels (a 40, b 10): macro F chooses" in capsys.readouterr().out
    weights = planned("textcat", split([9] * 50, a=30, b=20))[1].config["training"]["score_weights"]
    assert weights["cats_micro_f"] == 1.0 and not weights["cats_macro_f"]
    # Unless the user chose.
    _, config, given = training_config("textcat", {"training.score_weights.cats_micro_f": 0.5})
    Plan(config, given).propose_all(split([9] * 50, a=40, b=10), {"textcat"}, 384, False)
    assert config["training"]["score_weights"]["cats_micro_f"] == 0.5


def test_parts_fit_on_average_and_at_the_longest():
    assert parts_for([[100] * 20], 1000) == 2 and parts_for([[10] * 20], 1000) == 1
    assert parts_for([[10] * 20] * 40 + [[1000] * 20], 1000) == 5


def test_a_split_is_described_by_one_pass():
    vocab = spacy.blank("fr").vocab
    docs = [Doc(vocab, words=["un", "film"]), Doc(vocab, words=["un"])]
    docs[0].cats = {"a": 1.0, "b": 0.0}
    found = Split.of(iter(docs))
    assert (found.lengths, found.words) == ([2, 1], 3)
    assert found.tokens == {"un": 2, "film": 1} and found.labels == {"a": 1}


def test_the_score_of_always_giving_the_most_frequent_label():
    dev = split([5] * 10, a=8, b=2)
    assert constant_score(dev, {"cats_micro_f": 1.0, "cats_f_per_type": None}) == pytest.approx(0.8)
    assert constant_score(dev, {"cats_macro_f": 0.5}) == pytest.approx((16 / 18) / 2 / 2)
    # Entities, and texts with any number of labels, have none.
    assert constant_score(split([5] * 10), {"ents_f": 1.0}) == 0
    assert constant_score(split([5] * 10, a=8, b=9), {"cats_micro_f": 1.0}) == 0


@pytest.mark.parametrize(
    "baseline, examples, score, learnt",
    [
        (0.0, 100, 0.0, False), (0.0, 100, 0.01, True),
        # FLUE with five reviews an update, and with 35.
        (0.5, 1200, 0.5, False), (0.5, 1200, 0.549, False), (0.5, 1200, 0.878, True),
        # Few examples: chance goes further.
        (0.5, 20, 0.65, False), (0.5, 20, 0.75, True),
        (0.95, 1000, 0.951, False), (0.95, 1000, 0.97, True),
    ],
)  # fmt: skip
def test_what_counts_as_having_learnt(baseline, examples, score, learnt):
    problem = Baseline(baseline, examples, {"cats_micro_f": 1.0}).problem({"cats_micro_f": score})
    assert bool(problem) is not learnt
    if problem:
        assert "it fails to learn" in problem and "settings.learn_rate" in problem
