"""Corpora and encoders from a hub on loopback, through the real loading code."""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import datasets
import pytest
import srsly

from scripts import fetch
from scripts.errors import UserError
from scripts.files import sha256

from .conftest import ROOT, SAMPLE
from .hub import serve

TAGS = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC"]


@pytest.fixture(scope="module")
def repositories(tmp_path_factory, camembert):
    """The hub's copies in miniature, with the columns of the real ones, as parquet files."""
    root = tmp_path_factory.mktemp("hub")
    sst2 = {"sentence": ["fine film ", "flat "] * 30, "label": [1, 0] * 30, "idx": list(range(60))}
    unlabelled = {"sentence": ["hm "], "label": [-1], "idx": [0]}
    labels = datasets.Features({
        "sentence": datasets.Value("string"),
        "label": datasets.ClassLabel(names=["negative", "positive"]),
        "idx": datasets.Value("int32"),
    })  # fmt: skip
    glue = root / "datasets" / "nyu-mll/glue" / "sst2"
    for split, rows in (("train", sst2), ("validation", sst2), ("test", unlabelled)):
        data = datasets.Dataset.from_dict(rows, features=labels)
        glue.mkdir(parents=True, exist_ok=True)
        data.to_parquet(glue / f"{split}-00000-of-00001.parquet")
    card = "---\nconfigs:\n- config_name: sst2\n  data_files:\n"
    for split in ("train", "validation", "test"):
        card += f"  - split: {split}\n    path: sst2/{split}-*\n"
    (glue.parent / "README.md").write_text(card + "---\n")

    words = [["Marie", "Curie", "à", "Lens", "."], ["Rien", "."]] * 20
    named = datasets.Features({
        "tokens": datasets.Sequence(datasets.Value("string")),
        "ner_tags": datasets.Sequence(datasets.ClassLabel(names=TAGS)),
    })  # fmt: skip
    conll = root / "datasets" / "lhoestq/conll2003" / "data"
    conll.mkdir(parents=True)
    rows = {"tokens": words, "ner_tags": [[1, 2, 0, 5, 0], [0, 0]] * 20}
    for split in ("train", "validation", "test"):
        data = datasets.Dataset.from_dict(rows, features=named)
        data.to_parquet(conll / f"{split}-00000-of-00001.parquet")
    wikiner = root / "datasets" / "Jean-Baptiste/wikiner_fr" / "data"
    wikiner.mkdir(parents=True)
    rows = {"tokens": words, "ner_tags": [[2, 2, 0, 1, 0], [0, 0]] * 20}
    for split in ("train", "test"):
        datasets.Dataset.from_dict(rows).to_parquet(wikiner / f"{split}-00000-of-00001.parquet")
    shutil.copytree(camembert, root / "models" / "camembert-base")
    return root


@pytest.fixture
def call(tmp_path):
    """Run a command with its own, empty, cache of the hub."""

    def call(endpoint, *command):
        environment = {
            **os.environ,
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(tmp_path / "cache"),
            "HF_HUB_DISABLE_XET": "1",
        }
        environment.pop("HF_HUB_OFFLINE", None)
        return subprocess.run(
            [sys.executable, "-m", *map(str, command)],
            cwd=ROOT, env=environment, capture_output=True, text=True,
        )  # fmt: skip

    return call


@pytest.mark.parametrize(
    "corpus, format, language, counts",
    [
        ("sst2", "sst2", "en", {"train": 57, "dev": 3, "test": 60}),
        ("conll2003", "iob", "en", {"train": 40, "dev": 40, "test": 40}),
        ("wikiner", "wikiner", "fr", {"train": 36, "dev": 4, "test": 40}),
    ],
)
def test_from_the_hub_to_docbin(repositories, call, tmp_path, corpus, format, language, counts):
    raw = tmp_path / "assets" / corpus
    with serve(repositories) as endpoint:
        fetched = call(endpoint, "scripts.fetch", corpus, raw)
    assert fetched.returncode == 0, fetched.stderr
    converted = call("", "scripts.convert", format, raw, tmp_path / "out", "--lang", language)
    assert converted.returncode == 0, converted.stderr
    report = srsly.read_json(tmp_path / "out" / "report.json")
    assert {name: split["examples"] for name, split in report["splits"].items()} == counts
    if format != "sst2":
        assert report["splits"]["test"]["entities"] == {"LOC": 20, "PER": 20}
    # What is there is used as it is: no hub is asked.
    again = call("http://127.0.0.1:9", "scripts.fetch", corpus, raw)
    assert again.returncode == 0 and "used as it is" in again.stdout


def test_an_encoder_by_its_name_on_the_hub(repositories, call, tmp_path):
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


@pytest.mark.parametrize("failure", [(404, b""), (401, b""), (200, b"<html>log in</html>")])
def test_a_hub_that_has_it_not(repositories, call, tmp_path, failure):
    with serve(repositories, failure) as endpoint:
        result = call(endpoint, "scripts.fetch", "sst2", tmp_path / "raw")
    assert result.returncode == 1
    (line,) = [line for line in result.stderr.splitlines() if "✘" in line]
    assert "nyu-mll/glue cannot be had from the hub" in line
    assert "train.tsv, valid.tsv, test.tsv" in line and str(tmp_path / "raw") in line
    assert "Traceback" not in result.stderr and not (tmp_path / "raw").exists()


@pytest.fixture
def archive(tmp_path):
    """FLUE's archive in miniature, with a member that would climb out of the folder."""
    path = tmp_path / "www" / "datasets" / "files" / "cls.tar.gz"
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w:gz") as tar:
        for name in ("fr/dvd/train.review", "fr/dvd/unlabeled.review", "de/dvd/train.review"):
            tar.add(SAMPLE / "cls-fr/fr/dvd/train.review", f"cls-acl10-unprocessed/{name}")
        tar.add(SAMPLE / "README.md", "../../evil.review")
    return path


def described(path: Path, url: str) -> dict:
    return {
        "url": url,
        "bytes": path.stat().st_size,
        "sha256": sha256(path),
        "members": "cls-acl10-unprocessed/fr/*/t*.review",
    }


def test_the_archive_is_checked_and_only_its_french_part_extracted(archive, tmp_path):
    with serve(tmp_path / "www") as endpoint:
        source = described(archive, f"{endpoint}/datasets/files/resolve/main/cls.tar.gz")
        fetch.fetch_archive(source, tmp_path / "downloads", tmp_path / "flue")
        files = [
            p.relative_to(tmp_path / "flue").as_posix() for p in (tmp_path / "flue").rglob("*.*")
        ]
        assert files == ["cls-acl10-unprocessed/fr/dvd/train.review"]
        assert [p.name for p in (tmp_path / "downloads").iterdir()] == ["cls.tar.gz"]


@pytest.mark.parametrize("answer", [None, (403, b"no"), (200, b"<html>log in</html>")])
def test_an_archive_that_cannot_be_had_or_is_another_file(archive, tmp_path, answer):
    with serve(tmp_path / "www", answer) as endpoint:
        url = (
            f"{endpoint if answer else 'http://127.0.0.1:9'}/datasets/files/resolve/main/cls.tar.gz"
        )
        with pytest.raises(UserError) as error:
            fetch.fetch_archive(described(archive, url), tmp_path / "downloads", tmp_path / "flue")
    assert f"Put cls.tar.gz ({archive.stat().st_size:,} bytes, sha256" in str(error.value)
    assert not (tmp_path / "flue").exists()


def test_an_unknown_corpus(command, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    result = command(fetch, "nowhere", tmp_path / "raw")
    assert result.code == 1
    assert "there are: sst2, flue, wikiner, conll2003." in result.line
