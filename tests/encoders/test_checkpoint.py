"""What stops a checkpoint from being opened: its files, a missing package, or a fault of ours."""

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
from scripts.serving.predict import load

from ..conftest import ROOT
from ..hostile.cases import BYTES, half


def changed(source, target, name, change):
    """Copy a checkpoint; put other bytes, or other values, into one of its files."""
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
        (CONFIG, b"[]", "config.json: [], where"),
        (CONFIG, b"null", "config.json: None, where"),
        (CONFIG, BYTES, "config.json is no JSON"),
        (CONFIG, {"model_type": ["bert"]}, r"model_type is ['bert'], where something like bert"),
        (CONFIG, {"torch_dtype": "klingon"}, "torch_dtype is 'klingon', where"),
        (CONFIG, {"dim": "x"}, "dim is 'x', where something like 768"),
        (CONFIG, {"dim": -32}, "dim is -32, where"),
        (CONFIG, {"n_heads": 0}, "n_heads is 0, where"),
        (CONFIG, {"n_layers": True}, "n_layers is True, where"),
        (CONFIG, {"dropout": "much"}, "dropout is 'much', where something like 0.1"),
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
def test_damaged_files_are_told_in_one_line(distilbert, tmp_path, name, change, message):
    folder = changed(distilbert, tmp_path / "encoder", name, change)
    with pytest.raises(UserError) as raised:
        open_checkpoint(str(folder))
    assert f"encoder {folder}: " in str(raised.value) and message in str(raised.value)


def test_unusual_configs_are_let_through(distilbert, tmp_path):
    """No number where a family has one or none, an old config without its type, 0 as an id."""
    change = {"qa_dropout": None, "dropout": 0, "pad_token_id": 0, "torch_dtype": "float16"}
    folder = changed(distilbert, tmp_path / "encoder", CONFIG, change)
    assert open_checkpoint(str(folder))
    config = json.loads((folder / CONFIG).read_text("utf8"))
    del config["model_type"]
    folder = changed(folder, tmp_path / "distilbert", CONFIG, json.dumps(config).encode())
    assert open_checkpoint(str(folder))


def planted(kind):
    """Return a function of this project with a fault in it."""
    module = {"__name__": "scripts.planted", "kind": kind}
    exec("def fault(*arguments, **settings):\n    raise kind('planted')", module)
    return module["fault"]


@pytest.mark.parametrize("kind", [AttributeError, KeyError, TypeError, ImportError])
@pytest.mark.parametrize("place", ["wrong_values", "check_config", "leave_types_out"])
def test_a_fault_of_ours_is_no_damaged_checkpoint(distilbert, monkeypatch, place, kind):
    monkeypatch.setattr(checkpoint, place, planted(kind))
    with pytest.raises(kind, match="planted"):
        open_checkpoint(str(distilbert))


@pytest.mark.parametrize("kind", [AttributeError, KeyError, TypeError, ImportError])
def test_nor_within_a_call_of_a_library(monkeypatch, tmp_path, kind):
    """As where transformers asks the hub through our session, or spaCy makes what we registered."""
    monkeypatch.setattr(downloads.ImpatientSession, "request", planted(kind))
    with pytest.raises(kind, match="planted"):
        open_tokenizer("no/such-encoder")
    monkeypatch.setattr(spacy, "load", planted(kind))
    with pytest.raises(kind, match="planted"):
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
    """BertJapanese's fugashi, here; the same for FlauBERT's sacremoses."""
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
