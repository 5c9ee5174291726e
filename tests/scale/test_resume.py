"""A run that was interrupted is gone on with, whatever ended it; each row is annotated once."""

import os
import random
import resource
import shutil
import signal
import time
from functools import partial
from pathlib import Path

import pytest
import srsly
from filelock import FileLock

from scripts.scale import local
from scripts.serving.pipeline import load

from ..processes import finish_command, start_command
from .reading import errors, parts, table

KILLS = 20


@pytest.fixture(scope="module")
def corpus(texts, tmp_path_factory) -> Path:
    """Files of several kinds and sizes: 1,400 texts, each with its number, and some rows without one."""
    folder = tmp_path_factory.mktemp("corpus")
    numbered = [f"{text} {number}" for number, text in enumerate(texts[:1000])]
    for first in range(0, 1000, 250):
        rows = [{"text": text, "n": n} for n, text in enumerate(numbered[first : first + 250])]
        rows[7] = {"text": None, "n": 7}
        srsly.write_jsonl(folder / f"rows-{first}.jsonl", rows)
    (folder / "long.txt").write_text("\n".join(f"{text} {text}" for text in texts[:400]), "utf8")
    return folder


@pytest.fixture(scope="module")
def reference(corpus, quick, tmp_path_factory) -> tuple[list, list]:
    """What an uninterrupted run writes."""
    folder = tmp_path_factory.mktemp("reference")
    arguments = (quick, corpus, folder / "out", "--part-rows", 60)
    finish_command("annotate", *arguments, log=folder / "log")
    return table(folder / "out"), errors(folder / "out")


def check_whole(output: Path, reference: tuple) -> None:
    rows, bad = reference
    found = table(output)
    assert [row["id"] for row in found] == [row["id"] for row in rows]
    assert found == rows and errors(output) == bad
    ids = [*(row["id"] for row in found), *(each["id"] for each in bad)]
    assert len(ids) == len(set(ids)) == 1400
    counts = srsly.read_json(output / "_manifest.json")["counts"]
    assert counts == {
        "rows": 1400, "annotated": 1396, "bad_rows": 4, "bad_files": 0, "parts": 24
    }  # fmt: skip
    assert not (output / "_unfinished").exists()


def check_parts(output: Path, reference: tuple) -> int:
    """Check that whatever is there is whole; return the number of parts."""
    whole = {row["id"]: row for row in reference[0]}
    found = len(parts(output)) if output.exists() else 0
    for row in table(output) if found else ():
        assert row == whole[row["id"]]
    return found


def test_killed_at_random_moments(corpus, quick, reference, tmp_path):
    numbers, output, log = random.Random(0), tmp_path / "out", tmp_path / "log"
    arguments = ("annotate", quick, corpus, output, "--part-rows", 60, "--processes", 1)
    seconds = finish_command(*arguments, log=log)
    shutil.rmtree(output)
    killed, found = 0, []
    while killed < KILLS:
        process = start_command(*arguments, log=log)
        process.join(numbers.uniform(0.1, 0.9) * seconds)
        killed += process.exitcode is None
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL), log.read_text("utf8")
        found.append(check_parts(output, reference))
        if found[-1] == 24:
            finish_command(*arguments, log=log)
            check_whole(output, reference)
            shutil.rmtree(output)
    finish_command(*arguments, log=log)
    check_whole(output, reference)
    assert len({count for count in found if 0 < count < 24}) > 3, found


def test_killed_with_its_workers(corpus, quick, reference, tmp_path):
    """They end with it, and write nothing afterwards."""
    output, log = tmp_path / "out", tmp_path / "log"
    arguments = ("annotate", quick, corpus, output, "--part-rows", 60, "--processes", 2)
    for wanted in (1, 9):
        process = start_command(*arguments, log=log)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while len(parts(output)) < wanted:
            assert process.is_alive(), log.read_text("utf8")
            time.sleep(0.002)
        workers = [int(pid) for pid in children.read_text().split()]
        process.kill()
        process.join()
        deadline = time.monotonic() + 30
        while any(map(alive, workers)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert len(workers) >= 2 and wanted <= check_parts(output, reference) < 24
    finish_command(*arguments, log=log)
    check_whole(output, reference)


def test_a_full_disk(corpus, quick, reference, tmp_path):
    """The parts of one file are larger than the others, and do not fit."""
    output, log = tmp_path / "out", tmp_path / "log"
    sizes = sorted(path.stat().st_size for path in parts_of(corpus, quick, tmp_path / "sizes", log))
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (sizes[-3], sizes[-3]))
    arguments = ("annotate", quick, corpus, output, "--part-rows", 60)
    process = start_command(*arguments, log=log, before=limit)
    process.join(120)
    assert process.exitcode == 1
    assert log.read_text("utf8").splitlines()[-1].endswith(".parquet: File too large")
    assert not [path for path in (output / "_unfinished").iterdir() if path.stat().st_size > 0]
    finish_command(*arguments, log=log)
    check_whole(output, reference)


def parts_of(corpus: Path, quick: Path, output: Path, log: Path) -> list[Path]:
    finish_command("annotate", quick, corpus, output, "--part-rows", 60, log=log)
    return parts(output)


def test_only_what_is_missing_is_annotated(run, corpus, reference, tmp_path):
    output = tmp_path / "out"
    run(corpus, "--part-rows", 60)
    before = {path.name: path.stat().st_mtime_ns for path in parts(output)}
    (output / "part-000003.parquet").unlink()
    result = run(corpus)
    assert "1,340 of 1,400 rows are annotated already" in result.out
    after = {path.name: path.stat().st_mtime_ns for path in parts(output)}
    assert [name for name in after if after[name] != before[name]] == ["part-000003.parquet"]
    check_whole(output, reference)
    result = run(corpus)
    assert result.code == 0 and "1,400 of 1,400 rows are annotated already" in result.out


def other_pipeline(corpus, quick, folder):
    nlp = load(str(quick))
    node = next(n for n in nlp.get_pipe("textcat").model.walk() if n.has_param("W"))
    node.set_param("W", node.get_param("W") + 1)
    nlp.to_disk(folder / "pipeline")
    return {"pipeline": folder / "pipeline"}


def change(corpus, quick, folder):
    path = corpus / "long.txt"
    path.write_text(path.read_text("utf8").replace("a", "e"), "utf8")


def add(corpus, quick, folder):
    (corpus / "new.txt").write_text("Une phrase.")


@pytest.mark.parametrize(
    "alter, options, message",
    [
        (other_pipeline, [], "made by another pipeline (weights"),
        (change, [], "other input: long.txt was changed"),
        (add, [], "other input: new.txt is new"),
        (lambda corpus, *_: (corpus / "long.txt").unlink(), [], "other input: long.txt is gone"),
        (None, ["--format", "jsonl"], "made with other options (format parquet, now jsonl)"),
        (None, ["--text-column", "text"], "made with other options (text_column None, now text)"),
        (None, ["--part-rows", 61], "--part-rows 61: "),
        (None, ["--strict"], "rows-0.jsonl:8: no text in column 'text'"),
    ],
)
def test_what_does_not_go_on(run, quick, corpus, tmp_path, alter, options, message):
    corpus = shutil.copytree(corpus, tmp_path / "in")
    output = tmp_path / "out"
    run(corpus, "--part-rows", 60)
    (output / "part-000003.parquet").unlink()
    settings = alter(corpus, quick, tmp_path) if alter else None
    result = run(corpus, *options, **(settings or {}))
    assert result.code == 1 and message in result.line
    assert len(parts(output)) == 23


def test_begun_again(run, corpus, reference, texts, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": ""}\n' + '{"text": "Une phrase."}\n' * 200, "utf8")
    assert run(tmp_path / "in.jsonl", "--part-rows", 5, "--format", "jsonl").code == 0
    assert run(corpus, "--part-rows", 60, "--fresh").code == 0
    check_whole(tmp_path / "out", reference)


def test_the_same_files_elsewhere_are_the_same_input(run, corpus, reference, tmp_path):
    output = tmp_path / "out"
    run(corpus, "--part-rows", 60)
    (output / "part-000003.parquet").unlink()
    # With other times of change.
    shutil.copytree(corpus, tmp_path / "copy", copy_function=shutil.copyfile)
    assert run(tmp_path / "copy").code == 0
    check_whole(output, reference)


def test_a_part_that_was_damaged_is_found(run, corpus, tmp_path):
    output = tmp_path / "out"
    run(corpus, "--part-rows", 60)
    shutil.copy(output / "part-000023.parquet", output / "part-000001.parquet")
    assert "part-000001.parquet: does not have 60 rows; delete it" in run(corpus).line


def test_two_runs_at_once(run, corpus, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    with FileLock(output / ".lock"):
        assert "another run is writing into it; wait for its end" in run(corpus).line


def test_a_folder_with_other_files(run, corpus, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.odt").touch()
    assert "has other files, such as thesis.odt" in run(corpus).line


@pytest.mark.parametrize("times", [1, 2])
def test_a_worker_is_killed(run, corpus, reference, tmp_path, monkeypatch, times):
    """Once: its part is begun again. Twice, with the same part: the run ends, and can be gone on with."""
    killed = []

    def begin(worker, unit):
        given(worker, unit)
        if unit.number == 5 and len(killed) < times:
            os.kill(worker.process.pid, signal.SIGKILL)
            killed.append(unit)

    given = local.Worker.begin
    with monkeypatch.context() as patch:
        patch.setattr(local.Worker, "begin", begin)
        result = run(corpus, "--part-rows", 60, "--processes", 2)
    assert (
        "part 5 (60 rows from long.txt, row 301): its worker was killed by signal 9" in result.err
    )
    if times == 2:
        assert result.code == 1 and "use fewer --processes, or free memory" in result.line
        result = run(corpus)
    assert result.code == 0, result.err
    check_whole(tmp_path / "out", reference)


def alive(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
