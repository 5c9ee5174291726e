"""SIGKILL before each move of outputs into place: the folder holds the output of one run."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from transformers import AutoModel, AutoTokenizer

from scripts import convert, fetch, push
from scripts.common import files
from scripts.common.errors import UserError
from scripts.common.files import INCOMPLETE, MOVES, check_whole, written_beside
from scripts.common.raw_text import read_lines
from scripts.corpora import writer
from scripts.corpora.docbins import read_docs
from scripts.encoders.checkpoint import open_config, open_tokenizer, save_checkpoint
from scripts.serving.pipeline import load
from scripts.training.unfinished import WORK, unfinished, unfinished_logger

from ..conftest import SAMPLE
from ..processes import redirect, start
from .cases import tree


def write_corpus(out: Path, generation: str, encoder: Path) -> None:
    """Old: train as a folder of shards, dev and test. New: train alone, as a file."""
    ratio = 0.2 if generation == "old" else 0.0
    writer.SHARD_TOKENS = 500 if generation == "old" else 1_000_000
    plan = convert.Plan(dev_ratio=ratio, test_ratio=ratio)
    convert.convert("wikiner", SAMPLE / "ner-fr" / "test.wikiner", out, "fr", plan)


def write_encoder(out: Path, generation: str, encoder: Path) -> None:
    model, tokenizer = AutoModel.from_pretrained(encoder), AutoTokenizer.from_pretrained(encoder)
    model.config.dropout = 0.1 if generation == "old" else 0.2
    next(model.parameters()).data += len(generation)
    save_checkpoint(model, tokenizer, generation, out)


def write_training(out: Path, generation: str, encoder: Path) -> None:
    """Do what spaCy does in a training, with a pipeline that has nothing to learn."""
    nlp = spacy.blank("fr", meta={"description": generation})
    nlp.config["training"]["logger"] = {"logger": {}}
    with unfinished(out) as work:
        setup = unfinished_logger(str(work), lambda *_: (lambda info: None, lambda: None), [])
        log_step, finalize = setup(nlp, None, None)
        for step in range(3):
            nlp.to_disk(work / WORK / "model-best")
            log_step(
                {"losses": {}, "score": step, "checkpoints": [(step, step)], "other_scores": {}}
            )
        finalize()


def killed(write: Callable, out: Path, generation: str, encoder: Path, number: int, log: Path):
    """Write, and die before the given move, counted from 1."""
    redirect(log)
    replace, done = os.replace, []

    def move(source, target):
        done.append(source)
        if len(done) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    os.replace = move
    write(out, generation, encoder)


def content(folder: Path) -> dict[str, object]:
    """Return a folder's content as a reader finds it, without locks."""
    check_whole(folder)
    return {name: content for name, content in tree(folder).items() if files.LOCK not in name}


@pytest.mark.parametrize(
    "write, most", [(write_corpus, 6), (write_encoder, 8), (write_training, 14)]
)
def test_killed_before_any_move(write, most, distilbert, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "SHARD_TOKENS", writer.SHARD_TOKENS)
    # Leftovers are removed at once, however recent.
    monkeypatch.setattr(files, "GRACE_PERIOD", 0)
    out, log = tmp_path / "out", tmp_path / "log"
    write(out, "old", distilbert)
    old = content(out)
    # Written over an earlier one, as above.
    write(tmp_path / "reference", "old", distilbert)
    write(tmp_path / "reference", "new", distilbert)
    new = content(tmp_path / "reference")
    found: list[dict] = []
    for number in range(1, most + 20):
        process = start(killed, write, out, "new", distilbert, number, log)
        process.join(60)
        found.append(content(out))
        assert found[-1] in (old, new), number
        best = tmp_path / "out.unfinished" / "model-best"
        if best.exists():
            check_whole(best)
            assert spacy.load(best).meta["description"] == "new"
        if process.exitcode != -signal.SIGKILL:
            break
        # The next run repairs the folder.
        write(out, "old", distilbert)
        assert content(out) == old
        assert not list(tmp_path.glob(".*")) and not list(tmp_path.glob("out.*"))
    assert process.exitcode == 0, log.read_text("utf8")
    assert number >= most and found[0] == old and found[-2] == found[-1] == new


def incomplete(folder: Path) -> Path:
    """A folder that cannot be completed: the source of its missing entries is gone."""
    folder.mkdir(exist_ok=True)
    (folder / INCOMPLETE).write_text(f".{folder.name}-gone.partial")
    return folder


@pytest.mark.parametrize(
    "read",
    [
        lambda folder: list(read_docs(folder / "train.spacy", spacy.blank("fr").vocab)),
        lambda folder: open_config(str(folder)),
        lambda folder: open_tokenizer(str(folder)),
        lambda folder: load(str(folder)),
        lambda folder: load(str(folder / "model-best")),
        lambda folder: convert.convert("wikiner", folder, folder.parent / "out", "fr"),
        lambda folder: list(read_lines(folder)),
        push.check,
    ],
)
def test_a_folder_that_cannot_be_completed_is_refused(tmp_path, read):
    folder = incomplete(tmp_path / "set")
    with pytest.raises(UserError, match=f"{folder} is incomplete: .* run it again"):
        read(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_an_incomplete_folder_is_fetched_again(tmp_path, monkeypatch):
    monkeypatch.setattr(
        fetch, "fetch_hub", lambda hub, revision, output: output.joinpath("x").touch()
    )
    fetch.fetch("sst2", incomplete(tmp_path / "set"), "", "", "", "", "", tmp_path)
    assert (tmp_path / "set" / "x").exists()


def test_a_foreign_marker_moves_nothing(tmp_path):
    """Such as one in an unpacked archive."""
    other = tmp_path / "other"
    other.mkdir()
    (other / MOVES).write_text('{"new": ["mine"], "stale": []}')
    (other / "mine").write_text("mine")
    folder = incomplete(tmp_path / "set")
    for name in ("other", "../other", "", "set"):
        (folder / INCOMPLETE).write_text(name)
        with pytest.raises(UserError):
            check_whole(folder)
    assert (other / "mine").exists()


def test_a_failed_move_is_completed_later(tmp_path, monkeypatch):
    """As on Windows, while another program has a file open."""
    out = tmp_path / "out"

    def refuse(source, target):
        if Path(target).name == "b":
            raise PermissionError(13, "in use", str(target))
        replace(source, target)

    replace = os.replace
    with monkeypatch.context() as patch, pytest.raises(PermissionError):
        patch.setattr(os, "replace", refuse)
        with written_beside(out) as folder:
            for name in "abc":
                (folder / name).write_text(name)
    assert sorted(tree(out)) == [INCOMPLETE, "a"]
    check_whole(out)
    assert tree(tmp_path) == {"out": True, "out/a": b"a", "out/b": b"b", "out/c": b"c"}
