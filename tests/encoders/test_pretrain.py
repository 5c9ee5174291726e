"""Masked-language-model pretraining, run for real on tiny encoders."""

import json
import math
import os
import signal
import time
from pathlib import Path

import numpy
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer

from scripts.common import trainer
from scripts.common.files import discard
from scripts.encoders import pretrain
from scripts.encoders.packing import Blocks, pack

from ..conftest import sample_words
from ..processes import TWO_PROCESSES, launch, outputs

SMALL = (
    "--model.num_hidden_layers", 1, "--model.hidden_size", 32, "--model.num_attention_heads", 2,
    "--model.intermediate_size", 64, "--data.block_size", 32, "--data.eval_blocks", 20,
    "--training.per_device_train_batch_size", 8,
)  # fmt: skip


def test_lines_are_packed_without_loss_or_padding(distilbert, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(distilbert)
    lines = sample_words()[:60]
    path = tmp_path / "train.blocks"
    count = pack(lines, tokenizer, path, 32)
    blocks = Blocks(path, 32, tokenizer.all_special_ids)
    assert len(blocks) == count > 10
    wanted = [
        index
        for line in lines
        for index in [
            *tokenizer(line, add_special_tokens=False)["input_ids"],
            tokenizer.sep_token_id,
        ]
    ]
    rows = [blocks[index]["input_ids"].tolist() for index in range(count)]
    assert all(row[0] == tokenizer.cls_token_id and len(row) == 32 for row in rows)
    found = [index for row in rows for index in row[1:]]
    assert found == wanted[: len(found)] and len(wanted) - len(found) < 31
    mask = blocks[0]["special_tokens_mask"].tolist()
    assert [index in tokenizer.all_special_ids for index in rows[0]] == [bool(m) for m in mask]
    assert pack(lines, tokenizer, path, 32, max_blocks=3) == 3


def test_entropy_ignores_special_tokens(tmp_path):
    numpy.array([[0, 5, 6, 1], [0, 5, 6, 1]], numpy.int32).tofile(tmp_path / "x")
    assert Blocks(tmp_path / "x", 4, [0, 1, 90]).entropy() == pytest.approx(math.log(2))


@pytest.mark.parametrize("kind", ["distilbert", "camembert", "bert"])
def test_from_scratch(command, request, text, tmp_path, kind):
    tokenizer = request.getfixturevalue("camembert" if kind == "camembert" else "distilbert")
    out = tmp_path / "out"
    result = command(
        pretrain, text, out, "--tokenizer", tokenizer, "--model.type", kind, *SMALL,
        "--training.max_steps", 40, "--training.eval_steps", 20, "--training.learning_rate", 5e-3,
    )  # fmt: skip
    assert result.code == 0, result.err
    assert "unigram entropy of the pieces" in result.out
    figures = json.loads((out / "pretraining.json").read_text("utf8"))
    assert [point["step"] for point in figures["held_out"]] == [0, 20, 40]
    losses = [point["loss"] for point in figures["held_out"]]
    # It starts from uniform predictions and learns which pieces are frequent.
    assert losses[0] == pytest.approx(math.log(figures["pieces"]), abs=0.3)
    assert losses[2] < losses[1] < losses[0] and losses[2] == figures["loss"]
    assert figures["perplexity"] == pytest.approx(math.exp(figures["loss"]))
    model = AutoModelForMaskedLM.from_pretrained(out).eval()
    assert model.config.model_type == kind and model.config.vocab_size == figures["pieces"]
    pieces = AutoTokenizer.from_pretrained(out)
    # There are enough positions for the 512 pieces that the tokenizer allows.
    batch = pieces("un " * 900, truncation=True, return_tensors="pt")
    assert batch["input_ids"].shape[1] == 512
    with torch.no_grad():
        assert model(**batch).logits.isfinite().all()
    AutoModel.from_pretrained(out)
    (log,) = (out / "logs").iterdir()
    curves = EventAccumulator(str(log))
    curves.Reload()
    assert [e.step for e in curves.Scalars("eval/perplexity")] == [0, 20, 40]
    assert curves.Scalars("eval/loss")[-1].value == pytest.approx(figures["loss"], rel=1e-5)
    assert "Held-out loss" in (out / "README.md").read_text("utf8")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_continuing_from_an_encoder(command, masked, text, tmp_path):
    source = masked["distilbert"]
    result = command(
        pretrain, text, tmp_path / "out", "--encoder", source, *SMALL, "--training.max_steps", 2,
        "--training.warmup_ratio", 0.0, "--training.gradient_accumulation_steps", 2,
    )  # fmt: skip
    assert result.code == 0, result.err
    before = AutoModelForMaskedLM.from_pretrained(source).state_dict()
    after = AutoModelForMaskedLM.from_pretrained(tmp_path / "out").state_dict()
    figures = json.loads((tmp_path / "out" / "pretraining.json").read_text("utf8"))
    assert figures["training"]["learning_rate"] == figures["further"]["learning_rate"] == 5e-5
    # It keeps its shape, and its weights change a little.
    assert {name: value.shape for name, value in after.items()} == {
        name: value.shape for name, value in before.items()
    }
    moved = [(after[name] - before[name]).abs().max().item() for name in before]
    assert 0 < max(moved) < 0.01


def test_an_encoder_without_a_head_gets_a_new_one(command, distilbert, text, tmp_path):
    result = command(
        pretrain, text, tmp_path / "out", "--encoder", distilbert, *SMALL, "--training.max_steps", 1
    )
    assert result.code == 0, result.err
    after = AutoModelForMaskedLM.from_pretrained(tmp_path / "out").base_model.state_dict()
    before = AutoModel.from_pretrained(distilbert).state_dict()
    assert all(torch.allclose(after[name], before[name], atol=1e-3) for name in before)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    loaded = AutoModelForMaskedLM.from_pretrained(folder).state_dict()
    # Copies, because the loaded tensors are mapped from the file.
    return {name: tensor.clone() for name, tensor in loaded.items()}


def discard_closed(folder: Path) -> None:
    """Delete a folder after checking that none of its files is open or mapped, as Windows does."""
    assert str(folder) not in Path("/proc/self/maps").read_text()
    opened = [os.path.realpath(entry) for entry in Path("/proc/self/fd").iterdir()]
    assert not [path for path in opened if path.startswith(str(folder))]
    discard(folder)


def test_a_killed_pretraining_resumes_from_its_last_checkpoint(distilbert, text, tmp_path):
    options = (
        text, "--tokenizer", distilbert, *SMALL, "--training.max_steps", 60,
        "--training.eval_steps", 60, "--training.save_steps", 10, "--training.bf16", "false",
    )  # fmt: skip
    process = launch("pretrain", options[0], tmp_path / "killed", *options[1:])
    work = tmp_path / "killed.unfinished"
    while not list(work.glob("checkpoint-2*/trainer_state.json")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed").exists()
    # A checkpoint that the kill left incomplete is ignored.
    (work / "checkpoint-90").mkdir()
    (work / "checkpoint-90" / "trainer_state.json").write_text("{")
    other = launch("pretrain", options[0], tmp_path / "killed", *options[1:], "--training.seed", 1)
    _, error = outputs(other)
    assert other.returncode == 1 and "an interrupted pretraining with other settings" in error
    again, uninterrupted = (
        launch("pretrain", options[0], tmp_path / name, *options[1:])
        for name in ("killed", "uninterrupted")
    )
    out, _ = outputs(again)
    outputs(uninterrupted)
    assert again.returncode == uninterrupted.returncode == 0
    assert "resuming from" in out and "checkpoint-90" not in out
    assert not work.exists()
    # The blocks come in the same order, but their masks can differ.
    resumed, reference = (
        json.loads((tmp_path / name / "pretraining.json").read_text("utf8"))
        for name in ("killed", "uninterrupted")
    )
    assert resumed["loss"] == pytest.approx(reference["loss"], abs=0.1)
    assert resumed["held_out"][0] == reference["held_out"][0]
    assert [point["step"] for point in reference["held_out"]] == [0, 60]
    assert resumed["held_out"][-1]["step"] == 60


def test_killed_after_the_last_update_only_the_output_is_written(
    command, distilbert, text, tmp_path, monkeypatch
):
    arguments = (
        pretrain, text, tmp_path / "out", "--tokenizer", distilbert, *SMALL, "--training.max_steps", 6,
        "--training.eval_steps", 3, "--training.learning_rate", 0.0003333333333333,
        "--training.lr_scheduler_type", "constant",
    )  # fmt: skip
    with monkeypatch.context() as killed:
        killed.setattr(pretrain, "write", None)
        with pytest.raises(TypeError):
            command(*arguments)
    trained = weights(tmp_path / "out.unfinished" / "checkpoint-6")
    monkeypatch.setattr(pretrain, "discard", discard_closed)
    result = command(*arguments)
    assert result.code == 0, result.err
    figures = json.loads((tmp_path / "out" / "pretraining.json").read_text("utf8"))
    assert [point["step"] for point in figures["held_out"]] == [0, 3, 6]
    assert figures["training"]["learning_rate"] == pytest.approx(1 / 3000)
    written = weights(tmp_path / "out")
    assert all(torch.equal(trained[name], written[name]) for name in trained)


def test_no_file_is_open_when_it_is_deleted(command, distilbert, text, tmp_path, monkeypatch):
    for module in (pretrain, trainer):
        monkeypatch.setattr(module, "discard", discard_closed)
    arguments = (pretrain, text, tmp_path / "out", "--tokenizer", distilbert, *SMALL)
    # A training that was started and has no checkpoint.
    (tmp_path / "out.unfinished").mkdir()
    (tmp_path / "out.unfinished" / "begun.json").write_text("{}")
    result = command(*arguments, "--training.max_steps", 3, "--training.eval_steps", 2)
    assert result.code == 0, result.err
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_diverged_training_is_reported(command, distilbert, text, tmp_path):
    result = command(
        pretrain, text, tmp_path / "out", "--tokenizer", distilbert, *SMALL, "--training.max_steps", 9,
        "--training.learning_rate", 1e30, "--training.max_grad_norm", 0.0,
    )  # fmt: skip
    assert result.code == 1 and "lower --training.learning_rate" in result.line
    assert not (tmp_path / "out").exists()


def test_two_processes_as_on_two_gpus(distilbert, text, tmp_path):
    """Both find the incomplete checkpoint of a killed training."""
    incomplete = tmp_path / "out.unfinished" / "checkpoint-90"
    incomplete.mkdir(parents=True)
    (incomplete / "trainer_state.json").write_text("{")
    (incomplete.parent / "begun.json").write_text("{")
    process = launch(
        "pretrain", text, tmp_path / "out", "--tokenizer", distilbert, *SMALL,
        "--training.max_steps", 4, program=TWO_PROCESSES,
    )  # fmt: skip
    out, error = outputs(process)
    assert process.returncode == 0, error
    assert out.count("DistributedDataParallel gone\n") == 2
    # Only one of them prints and writes.
    assert out.count("unigram entropy of the pieces") == 1 and out.count("held-out loss") == 1
    assert weights(tmp_path / "out")
