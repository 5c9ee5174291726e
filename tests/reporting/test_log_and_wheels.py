"""The curves that a training left, and the wheel that has a pipeline's weights."""

import json
import os
import zipfile

import srsly
from torch.utils.tensorboard import SummaryWriter

from scripts.reporting.training_log import read_log
from scripts.reporting.wheels import wheel_of


def write_events(folder, curves):
    with SummaryWriter(folder) as writer:
        for tag, points in curves.items():
            for step, value in points:
                writer.add_scalar(tag, value, step)


def test_the_log_of_a_training(tmp_path):
    curves = {
        # spaCy's losses are sums since the evaluation before, the first of one update.
        "loss/ner": [(0, 9.0), (10, 50.0), (20, 30.0)],
        "loss/transformer": [(0, 9.0), (10, 50.0), (20, 30.0)],
        "score/overall": [(0, 0.0), (10, 0.5), (20, 0.5)],
        "score/ents_p": [(0, 0.0)],
        "learn_rate": [(0, 0.0), (10, 1e-4), (20, 0.0)],
    }
    write_events(tmp_path / "logs", curves)
    srsly.write_json(tmp_path / "logs" / "plan.json", {"epoch": 7})
    (tmp_path / "model-best").mkdir()
    log = read_log(str(tmp_path / "model-best"))
    assert log == read_log(str(tmp_path))
    assert log.losses == {"ner": [(0, 9.0), (10, 5.0), (20, 3.0)]}
    # Of equal scores, spaCy keeps the last.
    assert (log.chosen, log.epoch) == (20, 7)
    assert [step for step, _ in log.rate] == [0, 10, 20]


def test_the_log_of_transformers_trainer(tmp_path):
    curves = {
        "train/loss": [(10, 0.7), (20, 0.5)],
        "train/epoch": [(10, 0.5), (20, 1.0)],
        "train/learning_rate": [(10, 1e-4)],
        "eval/loss": [(10, 0.8), (20, 0.9)],
        "eval/runtime": [(10, 3.0)],
        "eval/score": [(10, 0.75), (20, 0.5)],
    }
    write_events(tmp_path / "logs", curves)
    log = read_log(str(tmp_path))
    assert list(log.losses) == ["train", "dev"] and log.losses["train"][1] == (20, 0.5)
    assert (log.chosen, log.epoch) == (10, 20.0)


def test_a_pipeline_without_a_log(tmp_path):
    assert read_log("fr_core_news_sm") is None
    assert read_log(str(tmp_path)) is None
    (tmp_path / "logs").mkdir()
    assert read_log(str(tmp_path)) is None
    write_events(tmp_path / "logs", {"something": [(0, 1.0)]})
    assert read_log(str(tmp_path)) is None


def wheel(folder, name, weights, age):
    path = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fr_a/fr_a-1/meta.json", json.dumps({"weights": "inner"}))
        archive.writestr("fr_a/meta.json", json.dumps(weights))
    os.utime(path, (age, age))
    return path


def test_the_newest_wheel_with_the_weights(tmp_path):
    wheel(tmp_path, "fr_a-1", {"weights": "abc"}, 100)
    newer = wheel(tmp_path, "fr_a-2", {"weights": "abc"}, 200)
    wheel(tmp_path, "fr_b-1", {"weights": "other"}, 300)
    wheel(tmp_path, "fr_c-1", ["abc"], 400)
    (tmp_path / "fr_d-1-py3-none-any.whl").write_bytes(b"PK no wheel")
    assert wheel_of("abc", tmp_path) == newer
    assert wheel_of("inner", tmp_path) is None
    assert wheel_of("abc", tmp_path / "nowhere") is None
