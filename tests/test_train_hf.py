"""Training heads with transformers' Trainer, for real on tiny encoders: tasks, resuming, mistakes."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
import spacy
import srsly
import torch
from accelerate import Accelerator
from spacy.tokens import Doc
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from scripts import evaluate, report, train_hf
from scripts.common import precision
from scripts.common.trainer import in_best_precision, training_arguments
from scripts.corpora.docbins import read_docs, write_docs

from .families import new_encoder
from .heads import text_checkpoint
from .processes import TWO_PROCESSES, launch, outputs, start_command

QUICK = (
    "--lang", "fr", "--training.max_steps", 40, "--training.learning_rate", 5e-3,
    "--training.eval_steps", 20, "--training.save_steps", 20,
)  # fmt: skip


def changed(source: Path, output: Path, change, splits=("train", "dev")) -> Path:
    """Copy a corpus with the documents of some splits changed by a function."""
    shutil.copytree(source, output)
    for split in splits:
        path = output / f"{split}.spacy"
        docs = change(list(read_docs(path, spacy.blank("fr").vocab)))
        write_docs([(doc, dict(doc.user_data)) for doc in docs], path)
    return output


@pytest.mark.parametrize("task", ["textcat", "textcat_multilabel"])
def test_a_text_classifier(command, camembert, sample_corpora, tmp_path, task):
    corpus, output = sample_corpora / "textcat", tmp_path / "out"
    result = command(
        train_hf, task, output, "--corpus", corpus, "--encoder", camembert, *QUICK
    )  # fmt: skip
    assert result.code == 0, result.err
    model = AutoModelForSequenceClassification.from_pretrained(output / "checkpoint")
    assert model.config.id2label == {0: "negative", 1: "positive"}
    assert f"{task}: calibrated on 106 texts of dev, temperature" in " ".join(result.out.split())
    nlp = spacy.load(output / "model-best")
    assert nlp.pipe_names == [task]
    tokenizer = AutoTokenizer.from_pretrained(output / "checkpoint")
    text = "Un bon film."
    with torch.no_grad():
        logits = model.eval()(**tokenizer(text, return_tensors="pt")).logits[0]
    wanted = logits.softmax(-1) if task == "textcat" else logits.sigmoid()
    assert list(nlp(text).cats.values()) == pytest.approx(wanted.tolist(), abs=1e-4)
    metrics = tmp_path / "m.json"
    result = command(evaluate, output, corpus, metrics, "--split", "dev")
    assert result.code == 0, result.err
    scores = srsly.read_json(metrics)
    about = json.loads((output / "checkpoint" / "training.json").read_text("utf8"))
    key = "accuracy" if task == "textcat" else "cats_micro_f"
    assert about["metric"] in ("accuracy", "micro F")
    assert scores["raw_text"][key] == pytest.approx(about["score"], abs=0.02)
    assert command(report, output, corpus, metrics, tmp_path / "page.html").code == 0


def test_texts_without_annotation_and_long_ones_are_counted(
    command, distilbert, sample_corpora, tmp_path
):
    def entities(docs):
        for doc in docs[:3]:
            doc.set_ents([], default="missing")
        return [*docs, Doc.from_docs(docs[10:80], ensure_whitespace=True)]

    corpus = changed(sample_corpora / "ner", tmp_path / "ner", entities)
    options = ("--encoder", distilbert, *QUICK, "--training.max_steps", 1)
    result = command(train_hf, "ner", tmp_path / "out", "--corpus", corpus, *options)
    assert result.code == 0, result.err
    for split in ("train", "dev"):
        assert f"{split}.spacy: 3 of" in result.err
        assert f"{split}.spacy: 1 texts have more than 512 pieces: read in over" in result.err

    def texts(docs):
        docs[0].cats = {}
        long = Doc.from_docs([docs[1]] * 30, ensure_whitespace=True)
        long.cats = docs[1].cats
        return [*docs, long]

    corpus = changed(sample_corpora / "textcat", tmp_path / "textcat", texts)
    result = command(train_hf, "textcat", tmp_path / "out", "--corpus", corpus, *options)
    assert result.code == 0, result.err
    assert "train.spacy: 1 of" in result.err and "have no annotation: left out" in result.err
    assert "train.spacy: 1 texts have more than 512 pieces: truncated" in result.err


def test_an_encoder_with_another_head_gets_a_new_one(command, distilbert, sample_corpora, tmp_path):
    for labels in (["a", "b", "c"], ["positive", "negative"]):
        folder = tmp_path / f"{len(labels)}"
        text_checkpoint(distilbert, labels, folder)
        result = command(
            train_hf, "textcat", tmp_path / "out", "--corpus", sample_corpora / "textcat",
            "--encoder", folder, *QUICK, "--training.max_steps", 1, "--training.learning_rate", 1e-9,
        )  # fmt: skip
        assert result.code == 0, result.err
        model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out/checkpoint")
        assert model.config.id2label == {0: "negative", 1: "positive"}
        # The other head's biases are 0, 1, 2.
        assert model.classifier.bias.abs().max() < 1e-6


def test_the_score_of_an_imbalanced_corpus_is_macro_f(
    command, distilbert, sample_corpora, tmp_path
):
    def rare(docs):
        positive = [doc for doc in docs if doc.cats["positive"]]
        return [doc for doc in docs if doc.cats["negative"]] + positive[: len(positive) // 5]

    corpus = changed(sample_corpora / "textcat", tmp_path / "rare", rare)
    result = command(
        train_hf, "textcat", tmp_path / "out", "--corpus", corpus, "--encoder", distilbert, *QUICK,
        "--training.max_steps", 1,
    )  # fmt: skip
    assert result.code == 0 and "macro F 0." in result.out


def test_a_killed_training_resumes_from_its_last_checkpoint(
    command, distilbert, sample_corpora, tmp_path
):
    options = (
        "--corpus", sample_corpora / "ner", "--lang", "fr", "--encoder", distilbert,
        "--training.max_steps", 60, "--training.eval_steps", 10, "--training.save_steps", 10,
        "--training.learning_rate", 5e-3, "--training.bf16", "false",
    )  # fmt: skip
    log, work = tmp_path / "log", tmp_path / "killed.unfinished"
    process = start_command("train-hf", "ner", tmp_path / "killed", *options, log=log)
    while not list(work.glob("checkpoint-2*/trainer_state.json")):
        assert process.is_alive(), log.read_text("utf8")
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    assert not (tmp_path / "killed").exists()
    # A checkpoint that the kill left incomplete is ignored.
    (work / "checkpoint-90").mkdir()
    (work / "checkpoint-90" / "trainer_state.json").write_text("{")
    arguments = (train_hf, "ner", tmp_path / "killed", *options)
    result = command(*arguments, "--training.seed", 1)
    assert result.code == 1
    assert "an interrupted training with other settings, corpus or encoder" in result.line
    result = command(*arguments)
    assert result.code == 0, result.err
    assert "resuming from" in result.out and "checkpoint-90" not in result.out
    assert not work.exists()
    result = command(train_hf, "ner", tmp_path / "whole", *options)
    assert result.code == 0, result.err
    resumed, reference = (
        json.loads((tmp_path / name / "checkpoint" / "training.json").read_text("utf8"))
        for name in ("killed", "whole")
    )
    assert [point["step"] for point in resumed["scores"]] == [10, 20, 30, 40, 50, 60]
    # The last digits of floats differ between processes, and each update adds to that.
    assert resumed["scores"][0] == pytest.approx(reference["scores"][0], rel=1e-3)
    assert resumed["score"] == pytest.approx(reference["score"], abs=0.1)


def test_killed_after_the_last_update_only_the_output_is_written(
    command, distilbert, sample_corpora, tmp_path, monkeypatch
):
    arguments = (
        train_hf, "ner", tmp_path / "out", "--corpus", sample_corpora / "ner",
        "--encoder", distilbert, *QUICK,
    )  # fmt: skip
    with monkeypatch.context() as killed:
        killed.setattr(train_hf, "write", None)
        with pytest.raises(TypeError):
            command(*arguments)
    assert not (tmp_path / "out").exists()
    result = command(*arguments)
    assert result.code == 0, result.err
    assert "resuming from" in result.out
    about = json.loads((tmp_path / "out" / "checkpoint" / "training.json").read_text("utf8"))
    assert [point["step"] for point in about["scores"]] == [20, 40] and about["steps"] == 40
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_precision_is_measured_and_not_taken_over_from_an_earlier_training(
    tmp_path, monkeypatch, capsys
):
    encoder = new_encoder("bert")
    for wanted, ratio, used in ((True, 2.0, "bf16"), (True, 1.0, "no"), (False, 2.0, "no")):
        monkeypatch.setattr(precision, "speed_of_bfloat16", lambda _: ratio)  # noqa: B023
        arguments = training_arguments({"bf16": wanted}, tmp_path)
        arguments = in_best_precision(arguments, wanted, encoder)
        assert arguments.bf16 == (used == "bf16") and arguments.output_dir == str(tmp_path)
        assert arguments.device.type == "cpu" and Accelerator().mixed_precision == used
    said = " ".join(capsys.readouterr().out.split())
    assert "bfloat16: here the encoder is 2.00 times" in said and said.count("times") == 2


def test_two_processes_as_on_two_gpus(distilbert, sample_corpora, tmp_path):
    process = launch(
        "train-hf", "ner", tmp_path / "out", "--corpus", sample_corpora / "ner", "--encoder",
        distilbert, *QUICK, "--training.max_steps", "4", program=TWO_PROCESSES,
    )  # fmt: skip
    out, error = outputs(process)
    assert process.returncode == 0, error
    assert out.count("DistributedDataParallel gone\n") == 2
    # Only one of them prints and writes.
    assert out.count("on dev") == 1 and out.count("resuming from") == 0
    assert spacy.load(tmp_path / "out" / "model-best")("Marie Curie vit à Paris.")


@pytest.mark.parametrize(
    "task, options, message",
    [
        ("ner", ("--training.nonsense", 1), "--training.nonsense: no such setting in"),
        ("ner", ("--training.learning_rate", "x"), "--training.learning_rate x: expected a number"),
        ("ner", ("--training.per_device_train_batch_size", 0), "batch_size 0: give 1 or more"),
        ("ner", ("--training.save_steps", 30), "[training]: "),
        ("ner", ("--encoder", "nowhere"), "encoder nowhere: "),
        ("ner", ("--lang", "zz"), "--lang 'zz': "),
        ("ner", ("--corpus", "missing"), "train.spacy is missing"),
        ("textcat", (), "train.spacy has no texts with labels: not a corpus for `textcat`"),
        ("ner", ("--training.learning_rate", 1e30), "the training diverged; delete"),
    ],
)
def test_mistakes_are_reported_in_one_line(
    command, distilbert, sample_corpora, tmp_path, task, options, message
):
    given = dict(zip(QUICK[::2], QUICK[1::2]))
    given |= {"--corpus": sample_corpora / "ner", "--encoder": distilbert}
    given |= {"--training.max_steps": 3, "--training.max_grad_norm": 0.0}
    given |= dict(zip(options[::2], options[1::2]))
    result = command(
        train_hf, task, tmp_path / "out", *(part for pair in given.items() for part in pair)
    )
    assert result.code == 1 and message in result.line
    assert not (tmp_path / "out").exists()
