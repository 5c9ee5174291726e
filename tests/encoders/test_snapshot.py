"""Config, tokenizer and weights of a hub encoder belong to one revision. The hub is on loopback."""

import json
import pickle
from pathlib import Path

import huggingface_hub
import pytest
import spacy
import torch
from transformers import AutoModel, AutoTokenizer

from scripts import train, wrap
from scripts.common.downloads import Unavailable
from scripts.common.errors import UserError
from scripts.encoders import inspect, trim
from scripts.encoders.checkpoint import open_checkpoint
from scripts.encoders.snapshot import files_of, needed, revision_of, snapshot
from scripts.serving.pipeline import encoder_name, encoder_revision

from ..conftest import ROOT
from ..heads import tag_checkpoint
from ..hub import Failure, commit_of, pointed_at

NAME = "me/tiny"


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def commit(hub):
    """The commit of v1."""
    return commit_of(hub / "models/me/tiny@v1")


def test_training_uses_all_files_of_the_requested_revision(
    command, hub, cache, commit, distilbert, sample_corpora, tmp_path
):
    # A tag that looks like a number.
    (hub / "models/me/tiny@1.10").symlink_to(hub / "models/me/tiny@v1")
    with pointed_at(hub, cache):
        result = command(
            train, ROOT / "configs/ner.cfg", tmp_path / "out", "--lang", "fr",
            "--corpus", sample_corpora / "ner", "--settings.encoder", NAME,
            "--settings.revision", "1.10", "--settings.learn_rate", 0,
            "--settings.max_steps", 1, "--settings.dev_limit", 2,
        )  # fmt: skip
    assert result.code == 0, result.err
    nlp = spacy.load(tmp_path / "out/model-best")
    model = nlp.get_pipe("transformer").model
    # Nothing is learnt at a rate of 0.
    before = AutoModel.from_pretrained(distilbert).state_dict()
    after = model.transformer.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert model.tokenizer.get_vocab() == AutoTokenizer.from_pretrained(distilbert).get_vocab()
    assert model.transformer.config.model_type == "distilbert"
    # The pipeline records the hub id and commit, not this machine's path.
    assert (encoder_name(nlp), encoder_revision(nlp)) == (NAME, commit)
    assert str(cache) not in (tmp_path / "out/model-best/config.cfg").read_text("utf8")


def test_a_folder_has_no_revision(command, camembert, sample_corpora, tmp_path):
    assert snapshot(str(camembert)) == (camembert, None)
    result = command(inspect, camembert, "Paris", "--revision", "v1")
    assert result.code == 1 and f"revision v1: {camembert} is a folder" in result.line


def test_a_revision_altered_by_the_project_engine(command, tmp_path):
    result = command(inspect, NAME, "Paris", "--revision", "Infinity")
    assert result.code == 1 and "revision Infinity: probably not the value you typed" in result.line


def test_a_branch_a_tag_and_a_commit(hub, cache, commit):
    with pointed_at(hub, cache):
        main, of_main = snapshot(NAME)
        tagged, of_tag = snapshot(NAME, "v1")
        assert snapshot(NAME, commit) == (tagged, commit) and of_tag == commit
        assert snapshot(NAME, "main") == (main, of_main) and of_main != commit
    for folder, kind in ((main, "camembert"), (tagged, "distilbert")):
        assert json.loads((folder / "config.json").read_text("utf8"))["model_type"] == kind
        assert (folder / "model.safetensors").is_file() and (folder / "tokenizer.json").is_file()
        model = AutoModel.from_pretrained(folder)
        assert model.config.model_type == kind


def test_files_are_requested_once_and_a_known_commit_never(hub, cache, commit):
    files_of.cache_clear()
    with pointed_at(hub, cache) as requests:
        snapshot(NAME, "v1", weights=False)
        assert sum("/api/" in request for request in requests) == 1
        del requests[:]
        snapshot(NAME, commit)
        assert requests and all("model.safetensors" in request for request in requests)
        del requests[:]
        snapshot(NAME, commit)
        open_checkpoint(NAME, revision=commit)
        assert requests == []


def test_every_command_accepts_a_revision(command, hub, cache, commit, sample_corpora, tmp_path):
    head = hub / "models/me/head"
    (head.parent / "head").mkdir()
    tag_checkpoint(hub / "models/me/tiny@v1", sample_corpora / "ner", Path(f"{head}@v2"), steps=1)
    with pointed_at(hub, cache):
        shown = command(inspect, NAME, "Paris", "--revision", "v1", "--json")
        assert json.loads(shown.out)["type"] == "distilbert"
        assert json.loads(shown.out)["encoder"] == NAME
        options = ("--text", ROOT / "assets/sample/raw-fr/recits.txt", "--pieces", 700)
        assert command(trim, NAME, tmp_path / "cut", "--revision", "v1", *options).code == 0
        result = command(wrap, "me/head", tmp_path / "b", "--lang", "fr", "--revision", "v2")
        assert result.code == 0, result.err
    assert f"{NAME} (commit {commit})" in (tmp_path / "cut/README.md").read_text("utf8")
    assert str(cache) not in (tmp_path / "cut/config.json").read_text("utf8")
    nlp = spacy.load(tmp_path / "b/model-best")
    assert encoder_revision(nlp) == commit_of(Path(f"{head}@v2"))


@pytest.mark.parametrize(
    "names, wanted",
    [
        ({"model.safetensors", "pytorch_model.bin", "tf_model.h5"}, ["model.safetensors"]),
        ({"pytorch_model.bin", "flax_model.msgpack", "model.onnx"}, ["pytorch_model.bin"]),
        (
            {"model.safetensors.index.json", "model-1-of-1.safetensors", "pytorch_model.bin"},
            ["model-1-of-1.safetensors", "model.safetensors.index.json"],
        ),
        ({"model.safetensors", "model.fp16.safetensors"}, ["model.safetensors"]),
    ],
)
def test_needed_files(names, wanted):
    small = {
        "config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "merges.txt",
        "sentencepiece.bpe.model", "special_tokens_map.json", "added_tokens.json",
    }  # fmt: skip
    others = {"README.md", "optimizer.pt", "vocab.pkl", "onnx/config.json", "code.py"}
    assert needed(names | small | others) == sorted(small) + wanted
    assert needed(small, weights=False) == sorted(small)


@pytest.mark.parametrize("name", ["tf_model.h5", "model.pkl", "model.pt", "pytorch_model.pth"])
def test_other_weights_are_refused(hub, cache, name):
    folder = hub / "models/me/tiny"
    (folder / "model.safetensors").rename(folder / name)
    with pointed_at(hub, cache) as requests, pytest.raises(UserError, match="neither model.safe"):
        snapshot(NAME)
    assert not any(name in request for request in requests)


class Evil:
    """A pickle that writes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "run")


def test_code_in_weights_is_not_run(hub, cache, tmp_path):
    folder = hub / "models/me/tiny"
    weights = AutoModel.from_pretrained(folder).state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    with pointed_at(hub, cache):
        _, model = open_checkpoint(NAME)
        assert all(torch.equal(weights[key], value) for key, value in model.state_dict().items())
        torch.save({**weights, "more": Evil(tmp_path / "ran")}, folder / "pytorch_model.bin")
        with pytest.raises(UserError, match="encoder me/tiny: not a complete checkpoint"):
            open_checkpoint(NAME)
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
        with pytest.raises(UserError, match="encoder me/tiny: not a complete checkpoint"):
            open_checkpoint(NAME)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_altered_files_are_refused_and_downloaded_again(hub, cache, file):
    altered = pointed_at(hub, cache, Failure(match=f"/{file}", altered=True))
    with altered, pytest.raises(UserError, match=f"{file} differs from what the hub announced"):
        snapshot(NAME)
    with pointed_at(hub, cache):
        folder, _ = snapshot(NAME)
        # A file damaged in the cache is noticed too.
        damaged = (folder / file).resolve()
        damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
        with pytest.raises(UserError, match=f"{file} differs from what the hub announced"):
            snapshot(NAME)
        snapshot(NAME)
    assert (folder / file).read_bytes() == (hub / "models/me/tiny" / file).read_bytes()


def test_the_cache_is_used_without_the_hub(hub, cache, commit, monkeypatch, capsys):
    with pointed_at(hub, cache):
        wanted = snapshot(NAME, "v1")
    with pointed_at(hub, cache, Failure(500, b"")):
        assert snapshot(NAME, "v1") == wanted
        said = capsys.readouterr().err
        assert "has a problem; try again later; using commit " + commit[:12] in said
    with pointed_at(hub, cache) as requests:
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        assert snapshot(NAME, "v1") == snapshot(NAME, commit) == wanted
        assert open_checkpoint(NAME, revision="v1")[1].config.model_type == "distilbert"
        assert requests == [] and capsys.readouterr().out == ""
        # Neither main nor another commit is cached.
        for revision in (None, commit[::-1]):
            with pytest.raises(UserError, match="me/tiny: not a complete.+HF_HUB_OFFLINE is set"):
                snapshot(NAME, revision)
        (wanted[0] / "model.safetensors").unlink()
        with pytest.raises(UserError, match="neither model.safetensors nor pytorch_model.bin"):
            snapshot(NAME, "v1")


def test_missing_encoders(hub, cache):
    (hub / "models/me/empty").mkdir()
    with pointed_at(hub, cache):
        for name, revision in ((NAME, "v9"), ("me/nobody", "main"), ("me/empty", "main")):
            with pytest.raises(UserError, match=f"encoder {name}: .+ not found"):
                snapshot(name, revision)
        with pytest.raises(UserError, match="encoder a/b/c: .+Repo id must be"):
            snapshot("a/b/c")


def test_a_revision_read_as_a_number():
    for none in ({}, {"revision": None}, {"revision": ""}):
        assert revision_of(none) is None
    assert revision_of({"revision": 2024}) == "2024"
    for changed in (1.1, float("inf"), True):
        with pytest.raises(UserError, match="write it in quotes"):
            revision_of({"revision": changed})


def test_no_weights_to_open():
    with pytest.raises(Unavailable):
        needed(["config.json"])
