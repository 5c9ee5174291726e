"""Corpora and encoders from a hub on loopback, through the real loading code."""

import os
import random
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import datasets
import pytest
import srsly

from scripts import fetch

from .conftest import ROOT, SAMPLE
from .hub import Failure, add_corpora, recorded, serve


@pytest.fixture(scope="module")
def repositories(tmp_path_factory, camembert):
    root = tmp_path_factory.mktemp("hub")
    add_corpora(root)
    shutil.copytree(camembert, root / "models" / "camembert-base")
    # Larger than one block of a download.
    large = root / "datasets" / "someone/large" / "data"
    large.mkdir(parents=True)
    rows = {"review": [random.Random(0).randbytes(100_000).hex()], "label": ["a"]}
    datasets.Dataset.from_dict(rows).to_parquet(large / "train-00000-of-00001.parquet")
    add_others(root)
    return root


def add_others(root: Path) -> None:
    """Add data sets to `root` that have other names for their label numbers."""
    names = {
        "tokens": datasets.List(datasets.Value("string")),
        "ner_tags": datasets.List(datasets.ClassLabel(names=["B-PER", "I-PER", "O", "B-LOC"])),
    }
    tagged = {
        "tokens": [["Marie", "Curie", "à", "Lens"], ["?", "!"]],
        "ner_tags": [[0, 1, 2, 3], [2, -1]],
    }
    texts = {"text": ["un", "deux", "trois"], "label": [1, -1, 0]}
    kinds = {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["art", "vin"])}
    for name, rows, features in (("tags", tagged, names), ("texts", texts, kinds)):
        folder = root / "datasets" / "other" / name / "data"
        folder.mkdir(parents=True)
        data = datasets.Dataset.from_dict(rows, datasets.Features(features))
        for split in ("train", "validation"):
            data.to_parquet(folder / f"{split}-00000-of-00001.parquet")


def run(endpoint, folder, *command, option="-m"):
    """Run a module (or, with -c, a program) with its own hub cache in `folder`."""
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "cache")}
    environment.pop("HF_HUB_OFFLINE", None)
    return subprocess.run(
        [sys.executable, option, *map(str, command)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@pytest.fixture
def call(tmp_path):
    return lambda endpoint, *command: run(endpoint, tmp_path, *command)


@pytest.mark.parametrize(
    "corpus, format, language, counts",
    [
        ("sst2", "sst2", "en", {"train": 57, "dev": 3, "test": 60}),
        ("conll2003", "iob", "en", {"train": 40, "dev": 40, "test": 40}),
        ("wikiner", "wikiner", "fr", {"train": 36, "dev": 4, "test": 40}),
        ("wikineural", "iob", "fr", {"train": 40, "dev": 40, "test": 40}),
        ("allocine", "table", "fr", {"train": 20, "dev": 20, "test": 20}),
    ],
)
def test_hub_to_docbin(repositories, call, tmp_path, corpus, format, language, counts):
    raw = tmp_path / "assets" / corpus
    with serve(repositories) as endpoint:
        fetched = call(endpoint, "scripts.fetch", corpus, raw)
    assert fetched.returncode == 0, fetched.stderr
    converted = call("", "scripts.convert", format, raw, tmp_path / "out", "--lang", language)
    assert converted.returncode == 0, converted.stderr
    report = srsly.read_json(tmp_path / "out" / "report.json")
    assert {name: split["examples"] for name, split in report["splits"].items()} == counts
    if format == "table":
        assert report["splits"]["test"]["labels"] == {"negative": 10, "positive": 10}
    elif format != "sst2":
        assert report["splits"]["test"]["entities"] == {"LOC": 20, "PER": 20}
    # Existing files are used as they are: the hub is not asked.
    again = call("http://127.0.0.1:9", "scripts.fetch", corpus, raw)
    assert again.returncode == 0 and "used as it is" in again.stdout


def test_training_with_an_encoder_by_its_hub_id(repositories, call, tmp_path):
    corpus = tmp_path / "corpus"
    call("", "scripts.convert", "wikiner", SAMPLE / "ner-fr", corpus, "--lang", "fr")
    with serve(repositories) as endpoint:
        trained = call(
            endpoint, "scripts.train", "configs/ner.cfg", tmp_path / "out", "--corpus", corpus,
            "--lang", "fr", "--settings.encoder", "camembert-base", "--settings.max_steps", 2,
            "--settings.dev_limit", 5, "--settings.batch_words", 100,
        )  # fmt: skip
    assert trained.returncode == 0, trained.stderr[-2000:]
    assert (tmp_path / "out" / "model-best" / "meta.json").is_file()


# What goes wrong, and the reason in the message.
FAILURES = {
    "not found": (Failure(404, b""), "status 404: not found"),
    "login": (Failure(401, b""), "status 401: it requires a login"),
    "forbidden": (Failure(403, b""), "status 403"),
    "too many requests": (Failure(429, b""), "status 429: too many requests"),
    "server error": (Failure(500, b""), "status 500: the server has a problem"),
    "a web page instead of the hub": (Failure(200, b"<html>log in", "text/html"), "a web page"),
    "a web page instead of a file": (
        Failure(200, b"<html>log in", "text/html", match="train-00000"),
        "a web page; it may require a login",
    ),
    "cut short": (Failure(match="train-00000", cut=500), "was interrupted; run again to resume"),
    "ended early": (
        Failure(match="train-00000", cut=500, unsized=True),
        "should be of size",
    ),
    "altered": (Failure(match="train-00000", altered=True), "differs from what the hub announced"),
    "silent": (
        Failure(match="train-00000", cut=500, stalls=True),
        "was interrupted; run again to resume",
    ),
    "silent from the start": (Failure(match="api", cut=0, stalls=True), "8 seconds"),
    "refused": (None, "no connection to 127.0.0.1:9"),
}


@pytest.fixture(scope="module")
def outcomes(repositories, tmp_path_factory):
    """A `fetch` for each failure; several at a time, as they mostly wait."""

    def fetch_with(name):
        folder = tmp_path_factory.mktemp("fetch")
        failure, _ = FAILURES[name]
        if failure is None:
            return run("http://127.0.0.1:9", folder, "scripts.fetch", "sst2", folder / "raw")
        with serve(repositories, failure) as endpoint:
            return run(endpoint, folder, "scripts.fetch", "sst2", folder / "raw")

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(FAILURES, pool.map(fetch_with, FAILURES)))


@pytest.mark.parametrize("name", FAILURES)
def test_a_failing_hub_is_reported_in_one_line(outcomes, name):
    result = outcomes[name]
    assert result.returncode == 1
    (line,) = [line for line in result.stderr.splitlines() if "✘" in line]
    assert "nyu-mll/glue, revision main, cannot be downloaded from http://127.0.0.1:" in line
    assert FAILURES[name][1] in line
    assert "train.tsv, valid.tsv, test.tsv in the format `sst2`" in line
    (raw,) = re.findall(r"Put the corpus into (\S+) yourself", line)
    assert not Path(raw).exists()
    assert "Traceback" not in result.stderr


def test_an_interrupted_download_resumes(repositories, call, tmp_path):
    options = ("allocine", tmp_path / "raw", "--id", "someone/large")
    with serve(repositories, Failure(match="train-00000", cut=100_000)) as endpoint:
        assert call(endpoint, "scripts.fetch", *options).returncode == 1
    with recorded(repositories) as (endpoint, requests):
        again = call(endpoint, "scripts.fetch", *options)
    assert again.returncode == 0, again.stderr
    assert any("train-00000" in request and "bytes=65536-" in request for request in requests)


def test_one_language_of_several_at_another_revision(repositories, call, tmp_path):
    with recorded(repositories) as (endpoint, requests):
        options = ("--revision", "v1.2", "--id", "Babelscape/wikineural")
        result = call(endpoint, "scripts.fetch", "wikineural", tmp_path / "raw", *options)
    assert result.returncode == 0, result.stderr
    assert any("resolve/v1.2/" in request for request in requests)
    assert not any("train_en" in request for request in requests if request.startswith("GET /d"))


@pytest.mark.parametrize(
    "corpus, name, file, lines",
    [
        (
            "wikiner",
            "other/tags",
            "valid.wikiner",
            ["Marie|_|B-PER Curie|_|I-PER à|_|O Lens|_|B-LOC"],
        ),
        (
            "allocine",
            "other/texts",
            "valid.jsonl",
            [
                '{"text":"un","label":"vin"}',
                '{"text":"deux","label":null}',
                '{"text":"trois","label":"art"}',
            ],
        ),
    ],
)
def test_another_data_set_has_its_own_label_names(
    repositories, call, tmp_path, corpus, name, file, lines
):
    with serve(repositories) as endpoint:
        result = call(endpoint, "scripts.fetch", corpus, tmp_path / "raw", "--id", name)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "raw" / file).read_text("utf8").splitlines() == lines
    assert ("2 times: sentence with an unlabelled tag" in result.stderr) == (corpus == "wikiner")


@pytest.mark.parametrize(
    "corpus, name, message",
    [
        ("conll2003", "someone/script", "Dataset scripts are no longer supported"),
        ("sst2", "lhoestq/conll2003", "BuilderConfig 'sst2' not found"),
        ("conll2003", "tblard/allocine", "where ner_tags, tokens are expected"),
        ("conll2003", "Jean-Baptiste/wikiner_fr", "ner_tags: numbers without names"),
        ("conll2003", "other/nothing", "it has none of the splits train, validation, test, but"),
    ],
)
def test_an_unsuitable_data_set_is_refused(repositories, call, tmp_path, corpus, name, message):
    script = repositories / "datasets" / "someone/script" / "script.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text("import datasets\n")
    nothing = repositories / "datasets" / "other/nothing"
    (nothing / "data").mkdir(parents=True, exist_ok=True)
    (nothing / "data" / "extra.jsonl").write_text('{"tokens": [], "ner_tags": []}\n')
    card = "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: extra\n"
    (nothing / "README.md").write_text(card + "    path: data/extra.jsonl\n---\n")
    with serve(repositories) as endpoint:
        result = call(endpoint, "scripts.fetch", corpus, tmp_path / "raw", "--id", name)
    assert result.returncode == 1 and "Traceback" not in result.stderr
    (line,) = [line for line in result.stderr.splitlines() if "✘" in line]
    assert message in line and not (tmp_path / "raw").exists()


def test_an_unknown_corpus(command, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    result = command(fetch, "nowhere", tmp_path / "raw")
    assert result.code == 1
    assert "choose from sst2, flue, wikiner, conll2003, wikineural, allocine, eslo." in result.line


# Errors raised within the loading code -> the error that comes out.
FAULTS = """
import errno, sys
from pathlib import Path
import datasets
from scripts import fetch
from scripts.common.errors import UserError

def failing(error, cause=None):
    def fail(*_, **__):
        raise error from cause
    return fail

full = OSError(errno.ENOSPC, "disk full")
generation = datasets.exceptions.DatasetGenerationError("An error occurred")
for module, name, error, cause in (
    (fetch, "hub_file", ValueError("ours"), None),
    (fetch, "hub_file", OSError(errno.ENOSPC, "disk full"), None),
    (datasets, "load_dataset", KeyError("theirs"), None),
    (datasets, "load_dataset", generation, full),
    (datasets, "load_dataset", generation, ValueError("broken file")),
):
    original = getattr(module, name)
    setattr(module, name, failing(error, cause))
    try:
        fetch.fetch_hub({"id": "lhoestq/conll2003", "format": "iob"}, "main", Path(sys.argv[1]))
    except (KeyError, OSError, ValueError, UserError) as caught:
        print(type(caught).__name__, caught)
    setattr(module, name, original)
"""


def test_faults_of_the_code_and_a_full_disk_are_not_blamed_on_the_hub(repositories, tmp_path):
    raw = tmp_path / "raw"
    with serve(repositories) as endpoint:
        result = run(endpoint, tmp_path, FAULTS, raw, option="-c")
    assert result.returncode == 0, result.stderr
    *faults, reported = result.stdout.splitlines()
    assert faults == [
        "ValueError ours",
        "OSError [Errno 28] disk full",
        "KeyError 'theirs'",
        "OSError [Errno 28] disk full",
    ]
    assert reported.startswith("UserError lhoestq/conll2003, revision main, cannot be downloaded")
    assert "(broken file)" in reported and not raw.exists()
