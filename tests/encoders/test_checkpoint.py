"""Checkpoints that cannot be loaded: damaged files, a missing package, or a bug in this project."""

import json
import shutil
import sys

import pytest
import spacy

from scripts import train, wrap
from scripts.common import downloads
from scripts.common.errors import UserError
from scripts.encoders import checkpoint, fill_mask, inspect, pretrain, trim
from scripts.encoders.checkpoint import open_checkpoint, open_tokenizer
from scripts.serving.pipeline import load

from ..conftest import ROOT
from ..hostile.cases import BYTES, half


def changed(source, target, name, change):
    """Copy a checkpoint, and replace or delete one of its files or some values in it."""
    shutil.copytree(source, target)
    path = target / name
    if isinstance(change, dict):
        change = json.dumps({**json.loads(path.read_text("utf8")), **change}).encode()
    if change is None:
        path.unlink()
    else:
        path.write_bytes(change(path.read_bytes()) if callable(change) else change)
    return target


CONFIG, WEIGHTS, PIECES = "config.json", "model.safetensors", "tokenizer.json"
NAMES = "tokenizer_config.json"


@pytest.mark.parametrize(
    "name, change, message",
    [
        (CONFIG, b"[]", "config.json: expected an object, {…}, not []"),
        (CONFIG, b"null", "config.json: expected an object, {…}, not None"),
        (CONFIG, BYTES, "config.json is not valid JSON"),
        (CONFIG, {"model_type": ["bert"]}, "model_type is ['bert']; expected a value such as bert"),
        (CONFIG, {"torch_dtype": "klingon"}, "torch_dtype is 'klingon'; expected"),
        (CONFIG, {"dim": "x"}, "dim is 'x'; expected a value such as 768"),
        (CONFIG, {"dim": -32}, "dim is -32; expected"),
        (CONFIG, {"n_heads": 0}, "n_heads is 0; expected"),
        (CONFIG, {"n_layers": True}, "n_layers is True; expected"),
        (CONFIG, {"dropout": "much"}, "dropout is 'much'; expected a value such as 0.1"),
        (CONFIG, {"n_heads": 5}, "not a complete checkpoint"),
        (CONFIG, {"activation": "klingon"}, "not a complete checkpoint"),
        (CONFIG, {"vocab_size": 7}, "not a complete checkpoint"),
        (CONFIG, {"pad_token_id": "x"}, "not a complete checkpoint"),
        (WEIGHTS, half, "not a complete checkpoint"),
        (WEIGHTS, b"", "not a complete checkpoint"),
        (PIECES, BYTES, "not a complete checkpoint"),
        (PIECES, b"[]", "not a complete checkpoint"),
        (PIECES, {"model": 3}, "not a complete checkpoint"),
        (NAMES, b"[]", "not a complete checkpoint"),
        (NAMES, {"cls_token": 3}, "not a complete checkpoint"),
        (NAMES, {"additional_special_tokens": 3}, "not a complete checkpoint"),
        (NAMES, {"added_tokens_decoder": 3}, "not a complete checkpoint"),
        (NAMES, {"tokenizer_class": "KlingonTokenizer"}, "not a complete checkpoint"),
    ],
)
def test_damaged_files_are_reported_in_one_line(distilbert, tmp_path, name, change, message):
    folder = changed(distilbert, tmp_path / "encoder", name, change)
    with pytest.raises(UserError) as raised:
        open_checkpoint(str(folder))
    assert f"encoder {folder}: " in str(raised.value) and message in str(raised.value)


def test_unusual_configs_are_accepted(distilbert, tmp_path):
    """A null for an optional number, 0 as a dropout or an id, an old config without its type."""
    change = {"qa_dropout": None, "dropout": 0, "pad_token_id": 0, "torch_dtype": "float16"}
    folder = changed(distilbert, tmp_path / "encoder", CONFIG, change)
    assert open_checkpoint(str(folder))
    config = json.loads((folder / CONFIG).read_text("utf8"))
    del config["model_type"]
    folder = changed(folder, tmp_path / "distilbert", CONFIG, json.dumps(config).encode())
    assert open_checkpoint(str(folder))


def buggy(kind):
    """Return a function that raises an exception and seems to belong to this project."""
    module = {"__name__": "scripts.buggy", "kind": kind}
    exec("def bug(*arguments, **settings):\n    raise kind('a bug')", module)
    return module["bug"]


@pytest.mark.parametrize("kind", [AttributeError, KeyError, TypeError, ImportError])
@pytest.mark.parametrize("function", ["invalid_fields", "check_config", "drop_token_type_ids"])
def test_a_bug_is_not_reported_as_a_damaged_checkpoint(distilbert, monkeypatch, function, kind):
    monkeypatch.setattr(checkpoint, function, buggy(kind))
    with pytest.raises(kind, match="a bug"):
        open_checkpoint(str(distilbert))


@pytest.mark.parametrize("kind", [AttributeError, KeyError, TypeError, ImportError])
def test_a_bug_in_a_callback_is_not_reported_as_damage_either(monkeypatch, tmp_path, kind):
    """For example when transformers uses our HTTP session, or spaCy a factory of ours."""
    monkeypatch.setattr(downloads.ImpatientSession, "request", buggy(kind))
    with pytest.raises(kind, match="a bug"):
        open_tokenizer("no/such-encoder")
    monkeypatch.setattr(spacy, "load", buggy(kind))
    with pytest.raises(kind, match="a bug"):
        load(str(tmp_path))


JAPANESE = {"tokenizer_class": "BertJapaneseTokenizer", "word_tokenizer_type": "mecab"}
COMMANDS = {
    "inspect": (inspect, "{encoder} mot"),
    "fill_mask": (fill_mask, "{encoder} mot"),
    "train": (train, f"{ROOT}/configs/ner.cfg out --corpus {{corpus}} --lang fr --settings.encoder {{encoder}}"),
    "pretrain": (pretrain, "{text} out --encoder {encoder}"),
    "pretrain-new": (pretrain, "{text} out --tokenizer {encoder}"),
    "trim": (trim, "{encoder} out --language fr"),
    "wrap": (wrap, "{head} out --lang fr"),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_missing_package_is_named(
    command, masked, sample_corpora, text, tmp_path, monkeypatch, name
):
    """Here fugashi, for BertJapanese; sacremoses, for FlauBERT, is treated in the same way."""
    monkeypatch.setitem(sys.modules, "fugashi", None)
    monkeypatch.chdir(tmp_path)
    encoder = changed(masked["bert"], tmp_path / "encoder", NAMES, JAPANESE)
    shutil.copy(masked["distilbert"] / "vocab.txt", encoder)
    (encoder / PIECES).unlink()
    head = {"architectures": ["BertForSequenceClassification"]}
    head = changed(encoder, tmp_path / "head", CONFIG, head)
    module, line = COMMANDS[name]
    corpus = sample_corpora / "ner"
    words = line.format(encoder=encoder, head=head, corpus=corpus, text=text).split()
    result = command(module, *words)
    assert result.code == 1 and "Traceback" not in result.out + result.err
    assert result.line.endswith(": a package is missing: pip install fugashi")
    assert not (tmp_path / "out").exists()
