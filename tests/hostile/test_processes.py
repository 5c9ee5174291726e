"""Kills, full disks and odd names, in processes of their own."""

import os
import random
import resource
import signal
import time
from pathlib import Path

from scripts import convert
from scripts.corpora import writer

from ..processes import start_command
from .cases import IOB, tree


def corpus(tmp_path: Path, repeats: int) -> Path:
    path = tmp_path / "in.wikiner"
    path.write_text(f"Lens|N|B-LOC {'bon|A|O ' * 99}\n" * repeats)
    return path


OPTIONS = ["--lang", "fr", "--dev-ratio", "0", "--test-ratio", "0"]


def test_the_next_conversion_removes_what_a_killed_one_left(command, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "train.spacy").write_bytes(b"before")
    arguments = ("wikiner", corpus(tmp_path, 50_000), out, *OPTIONS)
    process = start_command("convert", *arguments, log=tmp_path / "log")
    while not list(tmp_path.glob(".out-*.partial/train-00000.spacy")):
        assert process.is_alive()
        time.sleep(0.02)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert tree(out) == {"train.spacy": b"before"}
    assert len(list(tmp_path.glob(".out-*.partial"))) == 1
    assert command(convert, "wikiner", corpus(tmp_path, 2), out, *OPTIONS).code == 0
    assert sorted(tree(out)) == ["report.json", "train.spacy"]
    assert not list(tmp_path.glob(".out-*"))


def test_a_name_that_is_not_utf_8(tmp_path):
    """In a process of its own, as JSON writers have crashed on such strings."""
    path = Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"\xff.iob"))
    path.write_bytes(IOB)
    log = tmp_path / "log"
    process = start_command("convert", "iob", path, tmp_path / "out", "--lang", "fr", log=log)
    process.join(60)
    said = log.read_bytes()
    assert process.exitcode in (0, 1)
    assert b"Traceback" not in said
    assert process.exitcode == 0 or said.count("✘".encode()) == 1
    assert not list(tmp_path.glob(".out-*"))


def small_files() -> None:
    """Let this process write files of 20,000 bytes at most."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_a_file_larger_than_the_system_allows(tmp_path):
    """A real system error in the middle of writing, as on a full disk."""
    numbers = random.Random(0)
    path = tmp_path / "in.wikiner"
    path.write_text("".join(f"{numbers.random()}|N|B-LOC\n" for _ in range(5000)))
    before = tree(tmp_path)
    log = tmp_path.with_suffix(".log")
    arguments = ("wikiner", path, tmp_path / "out", *OPTIONS)
    process = start_command("convert", *arguments, log=log, before=small_files)
    process.join(60)
    said = log.read_text("utf8")
    assert process.exitcode == 1
    (line,) = [line for line in said.splitlines() if "✘" in line]
    assert "File too large" in line and str(tmp_path) in line
    assert "Traceback" not in said
    assert tree(tmp_path) == before


def test_other_files_in_the_output_stay_and_stale_splits_go(command, tmp_path, monkeypatch):
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    (out / "sub" / "a.txt").write_text("mine")
    (out / "notes.txt").write_text("mine")
    with monkeypatch.context() as small:
        small.setattr(writer, "SHARD_TOKENS", 100)
        assert command(convert, "wikiner", corpus(tmp_path, 5), out, *OPTIONS).code == 0
    assert len(list((out / "train.spacy").iterdir())) == 5
    # The whole corpus has no train split.
    source = tmp_path / "whole"
    source.mkdir()
    corpus(tmp_path, 5).rename(source / "test.wikiner")
    result = command(convert, "wikiner", source, out, "--lang", "fr")
    assert result.code == 0 and "removed" in result.out
    found = tree(out)
    assert found["notes.txt"] == found["sub/a.txt"] == b"mine"
    assert sorted(found) == ["notes.txt", "report.json", "sub", "sub/a.txt", "test.spacy"]
