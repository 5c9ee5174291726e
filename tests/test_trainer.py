"""The order of rows in trainings with transformers' Trainer, also in those that resume."""

import random
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    set_seed,
)

from scripts.common.trainer import ByLength, QuietTrainer, training_arguments


def test_batches_are_of_one_length_and_in_random_order():
    lengths = random.Random(0).choices(range(5, 90), k=403)
    sampler = ByLength(8, lengths, seed=0, kept=403)
    order = list(sampler)
    assert sorted(order) == list(range(403))
    batches = [[lengths[n] for n in order[start : start + 8]] for start in range(0, 400, 8)]
    assert sum(max(batch) - min(batch) for batch in batches) / len(batches) < 20
    means = [sum(batch) / 8 for batch in batches]
    assert sum(one > other for one, other in zip(means, means[1:])) < 35
    # The same again in a training that resumes in this epoch, and another in the next.
    assert list(ByLength(8, lengths, seed=0, kept=403)) == order
    sampler.set_epoch(1)
    assert list(sampler) != order
    sampler.set_epoch(0)
    assert list(sampler) == order


def test_the_rows_that_are_left_out_differ_from_epoch_to_epoch_whatever_their_length():
    lengths = random.Random(0).choices(range(5, 90), k=403)
    sampler = ByLength(8, lengths, seed=0, kept=384)
    missing: list[set[int]] = []
    for epoch in range(40):
        sampler.set_epoch(epoch)
        order = list(sampler)
        assert len(order) == len(set(order)) == len(sampler) == 384
        missing.append(set(range(403)) - set(order))
    assert len(set.union(*missing)) > 300
    left_out = [lengths[row] for rows in missing for row in rows]
    assert abs(sum(left_out) / len(left_out) - sum(lengths) / 403) < 5


@pytest.fixture
def trainer(distilbert, tmp_path):
    """Makes a trainer for 22 rows in batches of 2."""
    tokenizer = AutoTokenizer.from_pretrained(distilbert)
    words = random.Random(0).choices(["le", "chat", "dort", "bien", "dans", "la", "maison"], k=300)
    rows = [
        {**tokenizer(" ".join(words[n : n + 2 + n % 9])), "labels": n % 2}
        for n in range(0, 220, 10)
    ]

    def make(folder: str, **fields) -> QuietTrainer:
        set_seed(0)
        settings = {"per_device_train_batch_size": 2, "save_steps": 5, "learning_rate": 1e-2}
        return QuietTrainer(
            AutoModelForSequenceClassification.from_pretrained(distilbert),
            training_arguments({**settings, **fields}, tmp_path / folder),
            data_collator=DataCollatorWithPadding(tokenizer),
            train_dataset=rows,
        )

    return make


@pytest.mark.parametrize("by_length", [False, True])
def test_a_training_with_accumulation_resumes_to_the_same_weights(trainer, by_length, tmp_path):
    """In an epoch whose rows are no multiple of those of an update."""
    fields = {"gradient_accumulation_steps": 3, "group_by_length": by_length, "max_steps": 8}
    whole, resumed = trainer("whole", **fields), trainer("resumed", **fields)
    whole.train()
    # 18 rows are three updates.
    assert whole.state.epoch == pytest.approx(8 / 3)
    checkpoint: Path = tmp_path / "whole" / "checkpoint-5"
    resumed.resume(checkpoint, None)
    assert resumed.state.global_step == 8
    weights = resumed.model.state_dict()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, weights[name]), name


@pytest.mark.parametrize("by_length", [False, True])
@pytest.mark.parametrize("batches, rows", [(1, 22), (3, 18), (11, 22), (20, 22)])
def test_each_row_is_in_an_epoch_unless_an_update_would_be_incomplete(
    trainer, by_length, batches, rows
):
    made = trainer("out", gradient_accumulation_steps=batches, group_by_length=by_length)
    order = list(made._get_train_sampler())
    assert len(order) == len(set(order)) == rows
