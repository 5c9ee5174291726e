"""Training restorers of marks and capitals, minuscule ones, for real: what is written, resumed, refused."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tokenizers import normalizers
from transformers import (
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    GPT2Config,
    GPT2Model,
    T5Config,
    T5ForConditionalGeneration,
    set_seed,
)
from transformers.modeling_outputs import Seq2SeqLMOutput

from scripts.common.files import discard
from scripts.seq2seq import train_restorer
from scripts.seq2seq.trainer import IGNORED, PairsTrainer, loss_per_piece

from ..conftest import SAMPLE
from ..processes import TWO_PROCESSES, launch, outputs
from .families import DECODER

STORIES = SAMPLE / "raw-fr" / "recits.txt"
SMALL = (
    *(option for name, value in DECODER.items() for option in (f"--model.{name}", value)),
    "--data.max_pieces", 48, "--data.eval_texts", 20, "--training.per_device_train_batch_size", 8,
    "--training.bf16", "false",
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(distilbert, dialogues, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("restorer") / "out"
    overrides = {
        **{f"model.{name}": value for name, value in DECODER.items()},
        "data.max_pieces": 48, "training.per_device_train_batch_size": 8, "training.bf16": False,
        "training.max_steps": 200, "training.eval_steps": 100, "training.learning_rate": 1e-2,
    }  # fmt: skip
    train_restorer.train_restorer(dialogues, out, str(distilbert), "", None, None, overrides)
    return out


def test_what_training_writes(trained, capsys):
    figures = json.loads((trained / "restoring.json").read_text("utf8"))
    points = figures["held_out"]
    assert [point["step"] for point in points] == [0, 100, 200]
    assert points[2]["loss"] < points[1]["loss"] < points[0]["loss"]
    assert points[2]["accuracy"] > 0.6 > 0.1 > points[0]["accuracy"]
    # It knows where sentences end and which words are names, as no baseline does.
    scores = figures["scores"]
    assert scores["restored"]["marks"]["f"] > 0.8 > 0.4 > scores["most frequent"]["marks"]["f"] > 0
    assert (
        scores["restored"]["capitals"]["f"] > 0.95 > scores["most frequent"]["capitals"]["f"] > 0.5
    )
    assert scores["as it is read"]["marks"]["f"] == scores["as it is read"]["capitals"]["f"] == 0
    assert (
        scores["restored"]["chrf"]
        > scores["most frequent"]["chrf"]
        > scores["as it is read"]["chrf"]
    )
    train_restorer.warn_of(scores)
    assert not capsys.readouterr().err
    assert figures["counts"]["lines used"] == figures["lines"] == 400
    (log,) = (trained / "logs").iterdir()
    curves = EventAccumulator(str(log))
    curves.Reload()
    assert [event.step for event in curves.Scalars("eval/accuracy")] == [0, 100, 200]
    card = (trained / "README.md").read_text("utf8")
    assert "base_model: tiny-distilbert" in card and "| restored | 0." in card
    assert [path.name for path in trained.parent.iterdir()] == ["out"]


def test_transformers_opens_and_generates_with_it(trained):
    model, info = AutoModelForSeq2SeqLM.from_pretrained(trained, output_loading_info=True)
    assert not any(info.values()) and model.config.model_type == "encoder-decoder"
    tokenizer = AutoTokenizer.from_pretrained(trained)
    batch = tokenizer("est-ce que paul part", return_tensors="pt")
    (ids,) = model.eval().generate(**batch, num_beams=1)
    special = model.generation_config
    assert ids[0] == special.decoder_start_token_id == tokenizer.cls_token_id
    assert ids[-1] == special.eos_token_id == tokenizer.sep_token_id
    assert tokenizer.decode(ids, skip_special_tokens=True).startswith("Est")


def test_restoring_texts_and_files(command, trained, tmp_path):
    result = command("restore", trained, "est-ce que marie mange il part et louis vient")
    assert (result.code, result.out) == (0, "Est-ce que Marie mange ? Il part, et Louis vient.\n")
    source, output = tmp_path / "spoken.txt", tmp_path / "written.txt"
    source.write_text("elle part avec anne\n\nelle part avec кот 猫\n", "utf8")
    result = command("restore", trained, source, "--output", output)
    first, second, third = output.read_text("utf8").splitlines()
    assert result.code == 0 and (first, second) == ("Elle part avec Anne.", "")
    assert third.startswith("Elle part avec") and [c for c in third if c in "кот猫"] == list(
        "кот猫"
    )
    assert "2 of 9 words are unknown to the model" in result.err
    result = command("restore", trained, source, "--json")
    first, second, _ = map(json.loads, result.out.splitlines())
    assert first["source"] == "elle part avec anne" and first["restored"] == "Elle part avec Anne."
    assert first["words"] == [["Elle", ""], ["part", ""], ["avec", ""], ["Anne", "."]]
    assert second == {"source": "", "restored": "", "words": []}


def test_the_loss_of_an_update_is_that_of_its_parts():
    set_seed(0)
    logits, labels = torch.randn(4, 5, 7), torch.randint(7, (4, 5))
    labels[0, 2:] = labels[3, 1:] = IGNORED
    whole = loss_per_piece(Seq2SeqLMOutput(logits=logits), labels)
    mean = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
    count = (labels != IGNORED).sum()
    parts = [
        loss_per_piece(Seq2SeqLMOutput(logits=logits[part]), labels[part], count)
        for part in (slice(0, 1), slice(1, 4))
    ]
    assert whole == pytest.approx(mean) == pytest.approx(sum(parts))


def discard_closed(folder: Path) -> None:
    """Delete a folder after checking that none of its files is open or mapped, as Windows does."""
    assert str(folder) not in Path("/proc/self/maps").read_text()
    opened = [os.path.realpath(entry) for entry in Path("/proc/self/fd").iterdir()]
    assert not [path for path in opened if path.startswith(str(folder))]
    discard(folder)


class Killed(Exception):
    pass


def test_a_stopped_training_resumes_to_the_same_weights(
    command, distilbert, dialogues, tmp_path, monkeypatch
):
    """In its second epoch, with batches of texts of the same length."""
    text = tmp_path / "text.txt"
    text.write_text("\n".join(dialogues.read_text("utf8").splitlines()[:120]), "utf8")

    def arguments(name: str) -> tuple:
        return (
            train_restorer, text, tmp_path / name, "--encoder", distilbert, *SMALL,
            "--model.dropout", 0.1, "--training.max_steps", 12, "--training.save_steps", 4,
            "--training.eval_steps", 6,
        )  # fmt: skip

    save = PairsTrainer._save_checkpoint

    def save_and_die(self, *given):
        save(self, *given)
        if self.state.global_step == 8:
            raise Killed

    with monkeypatch.context() as killed:
        killed.setattr(PairsTrainer, "_save_checkpoint", save_and_die)
        with pytest.raises(Killed):
            command(*arguments("stopped"))
    assert not (tmp_path / "stopped").exists()
    other = command(*arguments("stopped"), "--training.seed", 1)
    assert (
        other.code == 1
        and "an interrupted training of a restorer with other settings" in other.line
    )
    monkeypatch.setattr(train_restorer, "discard", discard_closed)
    again = command(*arguments("stopped"))
    assert again.code == 0 and "resuming from" in again.out, again.err
    # After so few updates.
    assert "no better than the most frequent forms: F of marks 0." in again.err
    assert command(*arguments("whole")).code == 0
    resumed, whole = (
        AutoModelForSeq2SeqLM.from_pretrained(tmp_path / name).state_dict()
        for name in ("stopped", "whole")
    )
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    resumed, whole = (
        json.loads((tmp_path / name / "restoring.json").read_text("utf8"))
        for name in ("stopped", "whole")
    )
    assert resumed["scores"] == whole["scores"] and resumed["held_out"][-1] == whole["held_out"][-1]
    assert not (tmp_path / "stopped.unfinished").exists()


def test_two_processes_as_on_two_gpus(distilbert, dialogues, tmp_path):
    """Ended by SIGTERM, they resume from the last checkpoint."""
    arguments = (
        "train-restorer", dialogues, tmp_path / "out", "--encoder", distilbert, *SMALL,
        "--training.max_steps", 200, "--training.save_steps", 4, "--training.eval_steps", 200,
    )  # fmt: skip
    first = launch(*arguments, program=TWO_PROCESSES)
    while not (tmp_path / "out.unfinished" / "checkpoint-8" / "trainer_state.json").exists():
        assert first.poll() is None, first.stderr.read()
        time.sleep(0.02)
    # torchrun passes it on to the two.
    first.terminate()
    _, error = outputs(first)
    assert first.returncode and not (tmp_path / "out").exists(), error
    again = launch(*arguments, program=TWO_PROCESSES)
    out, error = outputs(again)
    assert again.returncode == 0 and "missing keys" not in error, error
    assert out.count("DistributedDataParallel gone\n") == 2
    # Only one of them prints and writes.
    assert out.count("resuming from") == 1 and out.count("of held-out pieces right") == 1
    figures = json.loads((tmp_path / "out" / "restoring.json").read_text("utf8"))
    first, *_, last = figures["held_out"]
    assert (first["step"], last["step"]) == (0, 200) and last["loss"] < first["loss"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_a_diverged_training_is_reported(command, distilbert, dialogues, tmp_path):
    result = command(
        train_restorer, dialogues, tmp_path / "out", "--encoder", distilbert, *SMALL,
        "--training.max_steps", 6, "--training.learning_rate", 1e30, "--training.max_grad_norm", 0.0,
    )  # fmt: skip
    assert result.code == 1 and "lower --training.learning_rate" in result.line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "content, problem",
    [
        (
            "\n".join(["euh oui bon", "ben tu vois"] * 30),
            "begins with a capital and ends with a mark",
        ),
        ("\n".join(["Чёрный кот спит.", "Кот ест рыбу, рыба ест."] * 30), "does not know"),
        ("\n".join(["Oui."] * 19), "19 lines of text, but at least 20"),
        ("\n".join(["Bonjour à tous, mes amis."] * 40), "too little text"),
    ],
)
def test_text_with_nothing_to_learn_is_refused(command, distilbert, tmp_path, content, problem):
    source = tmp_path / "text.txt"
    source.write_text(content, "utf8")
    result = command(train_restorer, source, tmp_path / "out", "--encoder", distilbert, *SMALL)
    assert result.code == 1 and problem in result.line and str(source) in result.line
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


def test_encoders_that_cannot_restore_are_refused(command, distilbert, dialogues, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(distilbert)
    size = {"n_embd": 8, "n_layer": 1, "n_head": 1, "n_positions": 64}
    GPT2Model(GPT2Config(vocab_size=len(tokenizer), **size)).save_pretrained(tmp_path / "gpt2")
    tokenizer.save_pretrained(tmp_path / "gpt2")
    uncased = shutil.copytree(distilbert, tmp_path / "uncased")
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.save_pretrained(uncased)
    for folder, problem in (("gpt2", "no encoder of BERT's family"), ("uncased", "choose a cased")):
        result = command(
            train_restorer, dialogues, tmp_path / "out", "--encoder", tmp_path / folder, *SMALL
        )
        assert result.code == 1 and problem in result.line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gpt2", "uncased"]


@pytest.mark.parametrize(
    "options, problem",
    [
        (("--data.max_pieces", 20), "give 32 to 510"),
        (("--data.max_pieces", 600), "give 32 to 510"),
        (("--model.dropout", 1.5), "--model.dropout 1.5"),
        (("--model.num_attention_heads", 5), "invalid shape for an encoder of width 32"),
        (("--model.hidden_size", 5), "no such setting"),
        (("--training.num_beams", "many"), "no such setting"),
    ],
)
def test_wrong_settings_are_refused(command, distilbert, dialogues, tmp_path, options, problem):
    result = command(train_restorer, dialogues, tmp_path / "out", "--encoder", distilbert, *options)
    assert result.code == 1 and problem in result.line and not list(tmp_path.iterdir())


def test_what_cannot_be_restored_is_refused(command, distilbert, trained, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(distilbert)
    size = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}
    t5 = T5ForConditionalGeneration(T5Config(vocab_size=len(tokenizer), **size))
    t5.save_pretrained(tmp_path / "t5")
    tokenizer.save_pretrained(tmp_path / "t5")
    assert "restores no marks" in command("restore", tmp_path / "t5", "oui").line
    assert command("restore", distilbert, "oui").line.startswith(f"✘ {distilbert}: ")
    assert "no such file" in command("restore", trained, tmp_path / "missing.txt").line
    source = tmp_path / "spoken.txt"
    source.write_bytes(b"oui\n\xff\xfe\n")
    result = command("restore", trained, source, "--output", tmp_path / "out.txt")
    assert result.code == 1 and f"{source}:2" in result.line and not (tmp_path / "out.txt").exists()
    source.write_text("oui", "utf8")
    assert "is the file to read" in command("restore", trained, source, "--output", source).line
