"""The learning rate's curve, for a schedule and for a constant rate."""

import sys

import pytest
import spacy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from scripts.training.tensorboard import tensorboard_logger

CONSTANT = {"@schedules": "constant.v1", "rate": 0.25}
WARMUP = {"@schedules": "warmup_linear.v1", "initial_rate": 0.5, "warmup_steps": 2, "total_steps": 6}  # fmt: skip


@pytest.mark.parametrize(
    "rate, wanted",
    [(0.25, [0.25, 0.25]), (1, [1, 1]), (CONSTANT, [0.25, 0.25]), (WARMUP, [0, 0.375])],
)
def test_the_learning_rate_is_logged_at_each_evaluation(tmp_path, rate, wanted):
    nlp = spacy.blank("fr")
    nlp.config["training"]["optimizer"]["learn_rate"] = rate
    log, close = tensorboard_logger(str(tmp_path))(nlp, sys.stdout, sys.stderr)
    for step in range(4):
        score = 0.5 if step in (0, 3) else None
        log({"step": step, "score": score, "losses": {"ner": 1.0}, "other_scores": {}, "words": 9})
    close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    curve = events.Scalars("learn_rate")
    assert [(event.step, event.value) for event in curve] == list(zip((0, 3), wanted))
