"""Trainings that do not finish: what is kept of them, and what is reported."""

import errno
import math
import os
import re
import signal
import time
from pathlib import Path

import pytest
import spacy
import srsly
import torch
from filelock import FileLock
from spacy.language import Language

from scripts import evaluate, train
from scripts.common.errors import UserError
from scripts.config import training_config
from scripts.serving.pipeline import load
from scripts.training.unfinished import Progress, check_finite

from .conftest import ROOT
from .processes import start_command

# At this rate all scores are equal, and of equal scores the last one is the best.
SMALL = (
    "--lang", "fr", "--settings.dev_limit", 5, "--settings.batch_words", 100,
    "--settings.eval_frequency", 2, "--settings.learn_rate", 1e-9, "--settings.accumulate", 1,
    "--settings.precision", "float32",
)  # fmt: skip


@pytest.fixture
def arguments(sample_corpora, distilbert, tmp_path) -> tuple:
    return (
        ROOT / "configs" / "textcat.cfg", tmp_path / "out", "--corpus", sample_corpora / "textcat",
        "--settings.encoder", distilbert, *SMALL,
    )  # fmt: skip


def evaluations(log: Path) -> int:
    return len(re.findall(r"^ +\d+ +\d+ ", log.read_text("utf8") if log.exists() else "", re.M))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_training(command, sample_corpora, arguments, tmp_path, how):
    output, kept, log = tmp_path / "out", tmp_path / "out.unfinished", tmp_path / "log"
    best = kept / "model-best"
    # From an earlier training that finished.
    (output / "model-best").mkdir(parents=True)
    (output / "model-best" / "meta.json").write_text("{}")
    process = start_command("train", *arguments, "--settings.max_steps", 5000, log=log)
    # Five evaluations in, spaCy has saved a best pipeline.
    while evaluations(log) < 5:
        assert process.is_alive(), log.read_text("utf8")
        time.sleep(0.01)
    os.kill(process.pid, how)
    process.join(60)
    assert (output / "model-best" / "meta.json").read_text() == "{}"
    assert [path.name for path in output.iterdir()] == ["model-best"]
    said = log.read_text("utf8")
    assert "Traceback" not in said
    if how == signal.SIGINT:
        assert process.exitcode == 130
        (line,) = re.findall("⚠ interrupted after .*", said)
        assert re.search(
            r"after \d+ of 5,000 updates; the best pipeline so far \(score 0\.\d", line
        )
        assert line.endswith(f"is in {best}: evaluate and package accept it")
        assert sorted(p.name for p in kept.iterdir() if p.name != ".lock") == [
            "logs", "model-best", "progress.json",
        ]  # fmt: skip

    # `package` loads it like this; `evaluate` is run as a user runs it.
    assert load(str(best)).pipe_names == ["transformer", "textcat"]
    noted = srsly.read_json(kept / "progress.json")
    score = srsly.read_json(best / "meta.json")["performance"]["cats_micro_f"]
    assert noted["score"] == pytest.approx(score) and noted["best_step"] % 2 == 0
    result = command(evaluate, best, sample_corpora / "textcat", tmp_path / "m.json")
    assert result.code == 0, result.err

    # The next training reports it, and keeps it until a training finishes.
    result = command(train, *arguments, "--settings.precision", "int8")
    assert result.code == 1 and not kept.exists()
    aside = tmp_path / "out.unfinished.old"
    assert re.search("an earlier training was interrupted after .*until a training", result.err)
    assert str(aside / "model-best") in result.err
    assert load(str(aside / "model-best"))
    result = command(train, *arguments, "--settings.max_steps", 2)
    assert result.code == 0, result.err
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == [
        "log",
        "m.json",
        "m.spacy",
        "out",
    ]
    assert sorted(p.name for p in output.iterdir()) == ["logs", "model-best"]
    config = spacy.load(output / "model-best").config
    assert config["training"]["logger"]["@loggers"] == "spacy.ChainLogger.v1"


def fail_after(monkeypatch, method: str, after: int, error: Exception) -> None:
    """Let a method of spaCy's Language fail after this many calls."""
    original, calls = getattr(Language, method), []

    def fail(self, *arguments, **settings):
        calls.append(method)
        if len(calls) > after:
            raise error
        return original(self, *arguments, **settings)

    monkeypatch.setattr(Language, method, fail)


@pytest.mark.parametrize(
    "method, after, error, steps, said",
    [
        ("update", 5, ValueError("[E024] no move\nmore"), 4, "the training failed: [E024] no move."),
        ("update", 5, torch.OutOfMemoryError("CUDA out of memory"), 4, "memory is full (CUDA out of"),
        ("update", 5, RuntimeError("DefaultCPUAllocator: can't allocate memory"), 4, "memory is full ("),
        ("update", 5, UserError("a text is too long."), 4, "✘ a text is too long."),
        # Saved at steps 0, 2 and 4; the last time the disk is full.
        ("to_disk", 2, OSError(errno.ENOSPC, "No space left", "model-last"), 3, "No space left"),
    ],
)  # fmt: skip
def test_a_crash(command, monkeypatch, arguments, tmp_path, method, after, error, steps, said):
    with monkeypatch.context() as patch:
        fail_after(patch, method, after, error)
        result = command(train, *arguments, "--settings.max_steps", 90)
    best = tmp_path / "out.unfinished" / "model-best"
    assert result.code == 1 and said in result.line
    assert "Aborting" not in result.out + result.err
    report = f"interrupted after {steps} of 90 updates; the best pipeline so far (score "
    assert report in result.err and f"is in {best}: evaluate and package" in result.err
    assert load(str(best))
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


def test_a_bug_keeps_the_best_pipeline_too(command, monkeypatch, arguments, tmp_path, capfd):
    """Also with a user's config that has another logger and no path for TensorBoard."""
    _, config, _ = training_config("textcat", {})
    config["training"]["logger"] = {"@loggers": "spacy.ConsoleLogger.v1"}
    del config["paths"]["logs"]
    config.to_disk(tmp_path / "own.cfg")
    fail_after(monkeypatch, "update", 5, AttributeError("no such thing"))
    with pytest.raises(AttributeError):
        command(train, tmp_path / "own.cfg", *arguments[1:], "--settings.max_steps", 90)
    assert "interrupted after 4 of 90 updates; the best" in capfd.readouterr().err
    nlp = load(str(tmp_path / "out.unfinished" / "model-best"))
    assert nlp.config["training"]["logger"]["@loggers"] == "spacy.ConsoleLogger.v1"


def test_a_diverging_training_is_stopped(command, arguments, tmp_path):
    result = command(
        train, *arguments, "--settings.max_steps", 90, "--settings.warmup_steps", 0,
        "--settings.learn_rate", 1e30,
    )  # fmt: skip
    assert result.code == 1
    assert "at update 0: the training diverged; lower settings.learn_rate" in result.line
    # A pipeline with such weights is not kept.
    assert "no pipeline is kept" in result.err
    assert not list(tmp_path.iterdir())


def test_losses_and_weights_that_are_not_finite(distilbert):
    nlp = spacy.blank("fr")
    nlp.add_pipe("transformer", config={"model": {"name": str(distilbert)}})
    nlp.initialize()
    check_finite(nlp, {"textcat": 3.0}, 20)
    for loss in (math.nan, math.inf):
        with pytest.raises(UserError, match=f"the loss of textcat is {loss} at update 1,020"):
            check_finite(nlp, {"textcat": loss}, 1020)
    encoder = nlp.get_pipe("transformer").model.transformer
    next(encoder.parameters()).data[3, 1] = math.inf
    with pytest.raises(UserError, match="weights of transformer are not finite at update 20"):
        check_finite(nlp, {"textcat": 3.0}, 20)


def test_a_training_that_learns_nothing_is_reported_after_a_third_and_at_the_end(
    command, arguments, sample_corpora, tmp_path
):
    result = command(
        train, ROOT / "configs" / "ner.cfg", tmp_path / "out", "--corpus", sample_corpora / "ner",
        *arguments[4:], "--settings.max_steps", 8, "--training.score_weights.ents_f", 0.0,
    )  # fmt: skip
    assert result.code == 0, result.err
    assert result.err.count("after 4 of 8 updates the score is still 0: it fails to learn") == 1
    assert result.err.count("the score is still 0") == 2
    assert "settings.warmup_steps" in result.err and "model-best: ents_f" in result.out
    assert "✔" not in result.out

    # A classifier whose weights hardly change.
    result = command(train, *arguments, "--settings.max_steps", 6, "--settings.dev_limit", 0)
    assert result.code == 0, result.err
    assert len(re.findall(r"after 2 of 6 updates the score, 0\.[0-6]", result.err)) == 1
    assert result.err.count("that of always giving the most frequent label") == 2
    # No ✔ but that of its calibration.
    assert "model-best: cats_score" in result.out and f"✔ {tmp_path}" not in result.out


def test_another_running_training_and_other_files_are_left_alone(command, arguments, tmp_path):
    kept = tmp_path / "out.unfinished"
    kept.mkdir()
    (kept / "notes.txt").write_text("mine")
    result = command(train, *arguments)
    assert result.code == 1 and f"{kept}: not the folder of a training" in result.line
    Progress(3, 9, 0.5, 2).write(kept)
    with FileLock(kept / ".lock"):
        result = command(train, *arguments)
    assert result.code == 1 and "another training is running there" in result.line
    assert (kept / "notes.txt").read_text() == "mine"
