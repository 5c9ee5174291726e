"""SIGKILL at random moments of every command that writes: nothing is lost, mixed or half-written."""

import os
import random
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from scripts import package
from scripts.common.files import check_whole, sha256
from scripts.serving.pipeline import load

from ..conftest import SAMPLE, sample_words
from ..heads import text_checkpoint
from ..hub import add_archive, serve
from ..processes import finish_command, start_command
from .cases import tree

KILLS = 3


def quick_wheel() -> None:
    """Only write a wheel: building and installing it is pip's work, and takes a minute."""

    def build_and_try(nlp, folder: Path, name: str) -> tuple[Path, list]:
        wheel = folder / f"{name}-0.1.0-py3-none-any.whl"
        wheel.write_bytes(os.urandom(1000))
        return wheel, []

    package.build_and_try = build_and_try


@pytest.fixture(scope="module")
def made(distilbert, sample_corpora, tmp_path_factory):
    """Input of the commands: a corpus, a text, an archive, a head, a pipeline and its metrics."""
    folder = tmp_path_factory.mktemp("made")
    text_checkpoint(distilbert, ["no", "yes"], folder / "head")
    (folder / "text.txt").write_text("\n".join(sample_words()[:300]), "utf8")
    add_archive(folder / "www" / "datasets" / "files" / "cls.tar.gz", SAMPLE / "cls-fr" / "fr")
    corpus = folder / "corpus"
    convert = ("cls", SAMPLE / "cls-fr" / "fr" / "books", corpus, "--lang", "fr")
    finish_command("convert", *convert, log=folder / "log")
    train = (
        "configs/textcat.cfg", folder / "trained", "--corpus", corpus, "--lang", "fr",
        "--settings.encoder", distilbert, "--settings.dev_limit", 5, "--settings.batch_words", 100,
        "--settings.max_steps", 6, "--settings.eval_frequency", 2, "--settings.learn_rate", 1e-9,
    )  # fmt: skip
    finish_command("train", *train, log=folder / "log")
    pipeline, metrics = folder / "trained" / "model-best", folder / "metrics.json"
    finish_command("evaluate", pipeline, corpus, metrics, log=folder / "log")
    with serve(folder / "www") as endpoint:
        url = f"{endpoint}/datasets/files/resolve/main/cls.tar.gz"
        digest = sha256(next(folder.rglob("*.tar.gz")))
        small = (
            "--model.num_hidden_layers", 1, "--model.hidden_size", 32,
            "--model.num_attention_heads", 2, "--model.intermediate_size", 64, "--data.block_size", 32,
            "--data.eval_blocks", 5, "--training.max_steps", 6, "--training.save_steps", 2,
            "--training.eval_steps", 6,
        )  # fmt: skip
        # For each command its arguments, OUT being the output, and an option whose value differs
        # between the earlier run and the one that is killed.
        yield {
            "convert": ((*convert[:2], "OUT", *convert[3:]), "--seed", (1, 2)),
            "fetch": (
                ("flue", "OUT", "--url", url, "--sha256", digest),
                "--downloads", (folder / "d1", folder / "d2"),
            ),
            "train": ((train[0], "OUT", *train[2:]), "--system.seed", (1, 2)),
            "evaluate": ((pipeline, corpus, "OUT/m.json"), "--about", ("a", "b")),
            "package": (
                (pipeline, metrics, "OUT", "--name", "fr_tiny_trf"), "--version", ("0.1.0", "0.1")
            ),
            "report": ((pipeline, corpus, metrics, "OUT/page.html"), "--limit", (1, 2)),
            "export": ((pipeline, metrics, "OUT"), "--license", ("mit", "other")),
            "wrap": ((folder / "head", "OUT", "--lang", "fr"), "--labels", ("no=a", "no=b")),
            "encoders.trim": (
                (distilbert, "OUT", "--text", folder / "text.txt"), "--pieces", (300, 310)
            ),
            "encoders.train_tokenizer": ((folder / "text.txt", "OUT"), "--size", (300, 310)),
            "encoders.pretrain": (
                (folder / "text.txt", "OUT", "--tokenizer", distilbert, *small),
                "--training.seed", (1, 2),
            ),
        }  # fmt: skip


def outputs(folder: Path) -> dict[str, object]:
    """Return a folder's content as a reader finds it, but TensorBoard's files, whose names hold the
    time."""
    check_whole(folder)
    return {name: content for name, content in tree(folder).items() if "events.out" not in name}


@pytest.mark.parametrize(
    "module",
    [
        "convert", "fetch", "train", "evaluate", "package", "report", "export", "wrap",
        "encoders.trim", "encoders.train_tokenizer", "encoders.pretrain",
    ],
)  # fmt: skip
def test_killed_at_random_moments(made, tmp_path, module):
    out, log = tmp_path / "out", tmp_path / "log"
    arguments, option, (earlier, later) = made[module]
    arguments = [str(argument).replace("OUT", str(out)) for argument in arguments]
    before = quick_wheel if module == "package" else None
    run = partial(finish_command, module, *arguments, option, log=log, before=before)
    seconds = run(earlier)
    old = outputs(out)
    if module == "fetch":
        # Existing files are not fetched again.
        out.rename(tmp_path / "first")
        old = {}
    numbers, found = random.Random(module), []
    for _ in range(KILLS):
        process = start_command(module, *arguments, option, later, log=log, before=before)
        time.sleep(numbers.uniform(0, seconds))
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL), log.read_text("utf8")
        found.append(outputs(out))
        for kept in ("out.unfinished", "out.unfinished.old"):
            best = tmp_path / kept / "model-best"
            check_whole(best)
            assert not best.exists() or load(str(best))
    run(later)
    new = outputs(out)
    assert not list(tmp_path.glob("out.*"))
    differ = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    assert differ
    for state in found:
        assert state == old or state.keys() == new.keys()
        assert state == old or not [name for name in differ if state.get(name) == old.get(name)]
