"""Encoders are exported to a Hugging Face folder, and pushed to a hub on loopback."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import spacy
import torch
from transformers import AutoModel, AutoModelForTokenClassification, AutoTokenizer

from scripts import evaluate, export, push, train, wrap

from .conftest import ROOT
from .heads import tag_checkpoint
from .hub import recorded, serve
from .hub_upload import TOKEN, UploadHub

# The encoder's own, from its pretraining.
VOCABULARIES = ("tokenizer.json", "vocab.txt", "sentencepiece.bpe.model")
TEXT = "Marie Curie vit à Paris, aujourd'hui."


def leaks(folder, *paths):
    """Return what a folder reveals of this machine, and of the training corpus outside the encoder's
    vocabulary."""
    words = ["Philippe", "Montréal", "Nintendo", "Columbia", "Washington", "Renault"]
    secrets = [*map(str, paths), str(ROOT), str(Path.home()), *words]
    return [
        (path.name, secret)
        for path in folder.rglob("*")
        if path.is_file()
        for secret in secrets
        if secret.encode() in path.read_bytes()
        and not (path.name in VOCABULARIES and secret in words)
    ]


def trained(command, encoder, corpus, task, folder):
    result = command(
        train, ROOT / "configs" / f"{task}.cfg", folder / "trained", "--corpus", corpus / task,
        "--lang", "fr", "--settings.encoder", encoder, "--settings.max_steps", 3,
        "--settings.eval_frequency", 3, "--settings.dev_limit", 5, "--settings.learn_rate", 1e-3,
    )  # fmt: skip
    assert result.code == 0, result.err
    pipeline = folder / "trained" / "model-best"
    assert command(evaluate, pipeline, corpus / task, folder / "m.json").code == 0
    return pipeline


@pytest.mark.parametrize(
    "name, task", [("camembert", "ner"), ("distilbert", "ner"), ("distilbert", "textcat")]
)
def test_the_same_hidden_states(
    command, request, sample_corpora, tmp_path, monkeypatch, name, task
):
    monkeypatch.chdir(ROOT)
    original = request.getfixturevalue(name)
    pipeline = trained(command, original, sample_corpora, task, tmp_path)
    out = tmp_path / "out"
    result = command(export, pipeline, tmp_path / "m.json", out, "--license", "mit")
    assert result.code == 0, result.err
    assert "no head in transformers" in " ".join(result.out.split())
    tokenizer, model = AutoTokenizer.from_pretrained(out), AutoModel.from_pretrained(out).eval()
    batch = tokenizer(TEXT, return_tensors="pt")
    with torch.no_grad():
        given = model(**batch).last_hidden_state
        before = AutoModel.from_pretrained(original).eval()(**batch).last_hidden_state
    nlp = spacy.load(pipeline)
    wanted = nlp(TEXT)._.trf_data.model_output.last_hidden_state
    assert torch.allclose(given, torch.tensor(wanted), atol=1e-5)
    # It is the fine-tuned encoder, not the original.
    assert not torch.allclose(given, before, atol=1e-4)
    card = (out / "README.md").read_text("utf8")
    for part in (
        "license: mit",
        "language: fr",
        "model-index",
        "## Scores",
        "- max_steps: 3",
        "seed",
    ):
        assert part in card
    assert not leaks(out, tmp_path, original.parent)
    # It can be trained on like any other encoder.
    assert command(
        train, "configs/ner.cfg", tmp_path / "again", "--corpus", sample_corpora / "ner", "--lang", "fr",
        "--settings.encoder", out, "--settings.max_steps", 1, "--settings.dev_limit", 2,
    ).code == 0  # fmt: skip


def test_a_ready_made_head_is_exported_with_its_encoder(
    command, distilbert, sample_corpora, tmp_path
):
    tag_checkpoint(distilbert, sample_corpora / "ner", tmp_path / "head", steps=1)
    assert command(wrap, tmp_path / "head", tmp_path / "b", "--lang", "fr").code == 0
    pipeline = tmp_path / "b" / "model-best"
    assert command(evaluate, pipeline, sample_corpora / "ner", tmp_path / "m.json").code == 0
    assert command(export, pipeline, tmp_path / "m.json", tmp_path / "out").code == 0
    batch = AutoTokenizer.from_pretrained(tmp_path / "out")(TEXT, return_tensors="pt")
    with torch.no_grad():
        one, other = (
            AutoModelForTokenClassification.from_pretrained(tmp_path / name).eval()(**batch).logits
            for name in ("head", "out")
        )
    assert torch.equal(one, other)
    assert not leaks(tmp_path / "out", tmp_path, distilbert.parent)


def test_metrics_of_another_pipeline_are_refused(command, distilbert, sample_corpora, tmp_path):
    trained(command, distilbert, sample_corpora, "textcat", tmp_path / "other")
    pipeline = trained(command, distilbert, sample_corpora, "ner", tmp_path)
    result = command(export, pipeline, tmp_path / "other" / "m.json", tmp_path / "out")
    assert result.code == 1 and "m.json: metrics of a pipeline with other weights" in result.line
    assert not (tmp_path / "out").exists()


def run(endpoint, folder, *arguments, token=TOKEN):
    """Run a command with its own cache, and so its own login."""
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "cache")}
    environment.pop("HF_HUB_OFFLINE", None)
    environment["HF_TOKEN"] = token
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], cwd=ROOT, env=environment,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def with_card(encoder, folder):
    shutil.copytree(encoder, folder)
    (folder / "README.md").write_text("---\nlicense: mit\n---\nTiny.\n")
    return folder


def test_round_trip_to_the_hub(distilbert, tmp_path):
    folder = with_card(distilbert, tmp_path / "mine")
    (tmp_path / "hub").mkdir()
    with recorded(tmp_path / "hub", kind=UploadHub) as (endpoint, requests):
        for _ in range(2):
            result = run(endpoint, tmp_path, "scripts.push", folder, "me/tiny")
            assert result.returncode == 0, result.stderr
            assert "/me/tiny/tree/main" in result.stdout
        assert (tmp_path / "hub" / "private").read_text() == "True"
        assert "POST /api/repos/create" in requests and any("PUT" in line for line in requests)
        there = tmp_path / "hub" / "models" / "me/tiny"
        for path in folder.iterdir():
            assert (there / path.name).read_bytes() == path.read_bytes()
        back = run(endpoint, tmp_path, "scripts.encoders.inspect", "me/tiny", TEXT)
    assert back.returncode == 0, back.stderr
    assert "last hidden state" in back.stdout


@pytest.mark.parametrize(
    "repository, token, missing, message",
    [
        ("me/tiny", "", "", "not logged in: create a token"),
        ("me/tiny", "hf_another", "", "status 401: it requires a login"),
        ("tiny", TOKEN, "", "tiny: no user in it; write USER/tiny"),
        ("a b/c", TOKEN, "", "not a repository name"),
        ("me/tiny", TOKEN, "README.md", "no README.md in it"),
        ("me/tiny", TOKEN, "model.safetensors", "no model.safetensors in it"),
    ],
)
def test_refused_uploads(distilbert, tmp_path, repository, token, missing, message):
    folder = with_card(distilbert, tmp_path / "mine")
    if missing:
        (folder / missing).unlink()
    (tmp_path / "hub").mkdir()
    with recorded(tmp_path / "hub", kind=UploadHub) as (endpoint, _):
        result = run(endpoint, tmp_path, "scripts.push", folder, repository, token=token)
    assert result.returncode == 1 and "Traceback" not in result.stderr
    (line,) = [line for line in result.stderr.splitlines() if "✘" in line]
    assert message in line and not (tmp_path / "hub" / "models").exists()


def test_the_login_of_this_machine_is_used(distilbert, tmp_path):
    folder = with_card(distilbert, tmp_path / "mine")
    (tmp_path / "hub").mkdir()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "token").write_text(f"{TOKEN}\n")
    with recorded(tmp_path / "hub", kind=UploadHub) as (endpoint, _):
        result = run(endpoint, tmp_path, "scripts.push", folder, "me/tiny", token="")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "hub" / "models" / "me/tiny" / "model.safetensors").is_file()
    assert TOKEN not in result.stdout + result.stderr


def test_a_token_on_the_command_line_is_refused(distilbert, command, tmp_path):
    folder = with_card(distilbert, tmp_path / "mine")
    for arguments in (("--token", "hf_secret"), ("--token=hf_secret",)):
        result = command(push, folder, "me/tiny", *arguments)
        assert result.code == 1 and "put a new one into HF_TOKEN or log in once" in result.line
        assert "hf_secret" not in result.out + result.err


class FullHub(UploadHub):
    def do_PUT(self) -> None:
        self.body()
        self.answer(403)


def test_a_failed_upload_is_reported_in_one_line(distilbert, tmp_path):
    folder = with_card(distilbert, tmp_path / "mine")
    (tmp_path / "hub").mkdir()
    with recorded(tmp_path / "hub", kind=FullHub) as (endpoint, _):
        result = run(endpoint, tmp_path, "scripts.push", folder, "me/tiny")
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "me/tiny cannot be uploaded to" in result.stderr


def test_no_hub_to_push_to(distilbert, tmp_path):
    folder = with_card(distilbert, tmp_path / "mine")
    result = run("http://127.0.0.1:9", tmp_path, "scripts.push", folder, "me/tiny")
    assert result.returncode == 1 and "no connection to 127.0.0.1:9" in result.stderr
    with serve(tmp_path) as endpoint:
        # A hub that accepts no uploads.
        result = run(endpoint, tmp_path, "scripts.push", folder, "me/tiny")
    assert result.returncode == 1 and "Traceback" not in result.stderr
