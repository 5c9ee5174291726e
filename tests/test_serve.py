"""The command `serve`: what it serves, what it refuses before it loads anything, and how it ends."""

import json
import os
import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest
import spacy

from scripts.serve import named

from .conftest import ROOT
from .small import small_pipeline


@pytest.fixture(scope="module")
def folder(sample_corpora, tmp_path_factory):
    """A pipeline in a training's folder, as `train` leaves it."""
    folder = tmp_path_factory.mktemp("training")
    (folder / "fr_mine_trf").mkdir()
    small_pipeline(sample_corpora, "ner", epochs=2).to_disk(folder / "fr_mine_trf" / "model-best")
    return folder / "fr_mine_trf"


def start(*arguments) -> tuple[subprocess.Popen, str]:
    """Start the command at a free port; return it and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts", "serve", *map(str, arguments), "--port", "0"], cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    line = process.stdout.readline()
    found = re.search(r"http://\S+:\d+", line)
    assert found, (line, process.communicate())
    return process, found[0]


def test_it_serves_until_ctrl_c_and_logs_no_text(folder, sample_corpora):
    process, url = start(
        f"a={folder}", folder, "--corpus", sample_corpora / "ner", "--max-chars", 200
    )
    with process, httpx.Client(base_url=url) as client:
        assert [one["name"] for one in client.get("/pipelines").json()] == ["a", "fr_mine_trf"]
        question = {"text": "Varsovie secrète", "pipeline": "a"}
        assert client.post("/annotate?secret=1", json=question).status_code == 200
        assert client.post("/annotate", json=question | {"text": "secret" * 40}).status_code == 422
        data = client.get("/").text.split('id="data">')[1].split("</script>")[0]
        texts = {doc.text for doc in corpus_docs(sample_corpora / "ner" / "test.spacy")}
        shown = json.loads(data)["pipelines"][0]["examples"]
        assert shown and set(shown) <= texts
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert (
        log.count("POST /annotate HTTP/1.1") == 2 and "secr" not in log and "Traceback" not in log
    )


def corpus_docs(path):
    return spacy.tokens.DocBin().from_disk(path).get_docs(spacy.blank("fr").vocab)


def test_ctrl_c_does_not_wait_for_a_long_text(folder):
    process, url = start(folder, "--max-chars", 1_000_000, "--max-seconds", 600)
    with process:
        long = httpx.Client(base_url=url, timeout=0.5)
        with pytest.raises(httpx.ReadTimeout):
            long.post("/annotate", json={"text": "Marie " * 160_000})
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=15)
    assert process.returncode == 0 and "Traceback" not in log


def test_ctrl_c_stops_a_file_and_deletes_it(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    process, url = start(folder)
    with process:
        lines = b"Marie Curie habite Paris.\n" * 300_000
        with httpx.Client(base_url=url, timeout=60) as client:
            job = client.post("/files", params={"name": "a.txt"}, content=lines).json()
            while client.get(f"/files/{job['id']}").json()["state"] != "annotating":
                assert process.poll() is None
        assert list(tmp_path.glob("serve-*"))
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=30)
    assert process.returncode == 0 and "Traceback" not in log
    assert not list(tmp_path.glob("serve-*"))


def test_a_port_that_is_taken_is_refused(command, folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = command("serve", folder, "--port", port)
    assert result.code == 1
    assert f"127.0.0.1, port {port}: Address already in use; choose" in result.line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no trained pipeline found"),
        (["{}", "{}"], "are both called fr_mine_trf; name one: serve {} OTHER={}"),
        (["{}", "--host", "203.0.113.9"], "203.0.113.9, port 0: "),
        (["{}", "--corpus", "nowhere"], "nowhere/test.spacy is missing"),
        (["{}", "--precision", "float8"], "--precision 'float8'"),
        (["{}", "--gpu-id", "9"], "--gpu-id 9"),
        (
            ["{}", "--max-chars", 2_000_000],
            "--max-chars 2,000,000: fr_mine_trf reads texts of up to 1,000,000",
        ),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(command, folder, arguments, message):
    arguments = [str(argument).format(folder) for argument in arguments]
    result = command("serve", *arguments, "--port", 0)
    assert result.code == 1 and message.format(folder, folder) in result.line


def test_without_its_packages_it_says_what_installs_them(command, folder, monkeypatch):
    monkeypatch.setattr("scripts.serve.find_spec", lambda name: None)
    line = command("serve", folder).line
    assert "requirements-serve.txt" in line and "python3 run.py serve" in line


def test_pipelines_are_called_by_their_folder_package_or_given_name(folder):
    best = folder / "model-best"
    given = [str(best), "fr_core_news_md", f"mine={folder}", f"{folder}/"]
    assert named(given[:3]) == {
        "fr_mine_trf": str(best), "fr_core_news_md": "fr_core_news_md", "mine": str(folder)
    }  # fmt: skip
