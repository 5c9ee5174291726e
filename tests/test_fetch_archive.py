"""Corpora from archives: by URL, size and sha256, resumed, refused."""

from pathlib import Path

import pytest

from scripts import fetch
from scripts.common.downloads import download
from scripts.common.errors import UserError
from scripts.common.files import sha256

from .conftest import ROOT, SAMPLE
from .hub import Failure, add_archive, recorded, serve


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "www" / "datasets" / "files" / "cls.tar.gz"
    add_archive(path, SAMPLE / "cls-fr/fr")
    return path


def described(path: Path, url: str) -> dict:
    return {
        "url": url,
        "bytes": path.stat().st_size,
        "sha256": sha256(path),
        "members": "cls-acl10-unprocessed/fr/*/t*.review",
    }


def test_the_archive_is_verified_and_only_its_french_part_extracted(archive, tmp_path):
    with serve(tmp_path / "www") as endpoint:
        source = described(archive, f"{endpoint}/datasets/files/resolve/main/cls.tar.gz")
        fetch.fetch_archive(source, tmp_path / "downloads", tmp_path / "flue")
        files = sorted(
            p.relative_to(tmp_path / "flue").as_posix() for p in (tmp_path / "flue").rglob("*.*")
        )
        assert files == [
            f"cls-acl10-unprocessed/fr/{category}/{split}.review"
            for category in ("books", "dvd", "music")
            for split in ("test", "train")
        ]
        assert [p.name for p in (tmp_path / "downloads").iterdir()] == ["cls.tar.gz"]


@pytest.mark.parametrize(
    "failure, message",
    [
        (None, "no connection to 127.0.0.1:9"),
        (Failure(401, b"no"), "status 401: it requires a login"),
        (Failure(404, b"no"), "status 404: not found"),
        (Failure(429, b"no"), "status 429: too many requests"),
        (Failure(500, b"no"), "status 500: the server has a problem"),
        (Failure(200, b"<html>log in", "text/html"), "a web page; it may require a login"),
        (Failure(200, b"short"), "it has 5 bytes where"),
        (Failure(cut=100_000), "interrupted after 65,536 of"),
        (Failure(cut=100_000, stalls=True), "interrupted after 65,536 of"),
        (Failure(cut=100_000, unsized=True), "interrupted after 100,000 of"),
        (Failure(altered=True), "another file arrived"),
    ],
)
def test_an_archive_that_cannot_be_downloaded(archive, tmp_path, failure, message):
    with serve(tmp_path / "www", failure) as endpoint:
        server = endpoint if failure else "http://127.0.0.1:9"
        url = f"{server}/datasets/files/resolve/main/cls.tar.gz"
        with pytest.raises(UserError) as error:
            fetch.fetch_archive(described(archive, url), tmp_path / "downloads", tmp_path / "flue")
    assert message in str(error.value)
    size = archive.stat().st_size
    assert f"Put cls.tar.gz ({size:,} bytes, sha256 {sha256(archive)}) into" in str(error.value)
    assert str(tmp_path / "flue") in str(error.value)
    assert not (tmp_path / "flue").exists() and not (tmp_path / "downloads/cls.tar.gz").exists()


def test_an_interrupted_archive_resumes(archive, tmp_path):
    path = "datasets/files/resolve/main/cls.tar.gz"
    for failure in (Failure(cut=100_000), None):
        with recorded(tmp_path / "www", failure) as (endpoint, requests):
            source = described(archive, f"{endpoint}/{path}")
            if failure:
                with pytest.raises(UserError, match="run again to resume"):
                    fetch.fetch_archive(source, tmp_path / "downloads", tmp_path / "flue")
            else:
                fetch.fetch_archive(source, tmp_path / "downloads", tmp_path / "flue")
    assert requests == [f"GET /{path} bytes=65536-"]
    assert [p.name for p in (tmp_path / "downloads").iterdir()] == ["cls.tar.gz"]


def test_an_archive_put_there_by_hand_is_verified_too(archive, tmp_path):
    source = described(archive, "http://127.0.0.1:9/cls.tar.gz")
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "cls.tar.gz").write_bytes(b"another")
    with pytest.raises(UserError, match="not the expected file"):
        fetch.fetch_archive(source, tmp_path / "downloads", tmp_path / "flue")
    assert not (tmp_path / "flue").exists()


def test_a_corpus_without_an_archive(command, archive, tmp_path, monkeypatch):
    """ESLO: the message says where it is; any URL with its sha256 is accepted."""
    monkeypatch.chdir(ROOT)
    out = tmp_path / "eslo"
    options = ("--downloads", tmp_path / "downloads")
    line = command(fetch, "eslo", out, *options).line
    assert "http://eslo.huma-num.fr" in line and f"Put its files into {out}" in line
    text = archive.with_name("eslo.txt")
    text.write_text("euh oui\n" * 30, "utf8")
    with serve(tmp_path / "www") as endpoint:
        url = f"{endpoint}/datasets/files/resolve/main/eslo.txt"
        assert "--sha256 as well" in command(fetch, "eslo", out, "--url", url, *options).line
        wrong = command(fetch, "eslo", out, "--url", url, "--sha256", "0" * 64, *options)
        assert "another file" in wrong.line and not out.exists()
        options = ("--url", url, "--sha256", sha256(text), *options)
        assert command(fetch, "eslo", out, *options).code == 0
    assert (out / "eslo.txt").read_bytes() == text.read_bytes()
    (tmp_path / "a.zip").write_bytes(b"")
    for options, message in (
        (("eslo", tmp_path / "x", "--url", "abc"), "--url abc: not the address of a file"),
        (("eslo", tmp_path / "x", "--url", "http://a/"), "not the address of a file"),
        (("eslo", tmp_path / "x", "--id", "a/b"), "eslo is an archive"),
        (("sst2", tmp_path / "x", "--url", url), "--url: sst2 is a data set on the hub"),
    ):
        assert message in command(fetch, *options).line


def test_a_complete_download_that_was_not_renamed(archive, tmp_path):
    """Killed between the last byte and the renaming; the file's size is not known."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "cls.tar.gz.part").write_bytes(archive.read_bytes())
    with serve(tmp_path / "www") as endpoint:
        url = f"{endpoint}/datasets/files/resolve/main/cls.tar.gz"
        download(url, tmp_path / "d" / "cls.tar.gz", None, sha256(archive))
    assert (tmp_path / "d" / "cls.tar.gz").read_bytes() == archive.read_bytes()
