"""Files that are annotated by the server and come back."""

import asyncio
import gzip
import io
import json
import threading

import pandas
import pytest

from scripts.serving.predictions import entities
from scripts.web import files
from scripts.web.checks import Limits

from .conftest import serving

TEXTS = ["Marie Curie habite à Paris.", "Un film nul 😀, à éviter.", 'Il dit « à Lyon », "oui".']


async def ended(served, job: dict) -> dict:
    while job["state"] not in ("done", "failed"):
        await asyncio.sleep(0.02)
        job = served.client.get(f"/files/{job['id']}").json()
    return job


def annotate(served, name: str, content: bytes, **query: str) -> dict:
    """Send a file, and return the job once it has ended."""
    response = served.client.post(
        "/files", params={"name": name, "pipeline": "both", **query}, content=content
    )
    assert response.status_code == 202, response.text
    return asyncio.run(asyncio.wait_for(ended(served, response.json()), 60))


def content(served, job: dict) -> bytes:
    assert job["state"] == "done", job
    response = served.client.get(f"/files/{job['id']}/content").raise_for_status()
    assert response.headers["content-disposition"] == f'attachment; filename="{job["result"]}"'
    return response.content


def table() -> pandas.DataFrame:
    return pandas.DataFrame({"id": [7, 8, 9], "text": TEXTS})


def written(method: str, **settings) -> bytes:
    stream = io.BytesIO()
    getattr(table(), method)(stream, **settings)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "sent", "read", "result"),
    [
        ("a.csv", written("to_csv", index=False), pandas.read_csv, "a-both.csv"),
        ("a.parquet", written("to_parquet"), pandas.read_parquet, "a-both.parquet"),
        (
            "C:\\my\\a.jsonl", written("to_json", orient="records", lines=True),
            lambda stream: pandas.read_json(stream, lines=True), "a-both.jsonl",
        ),
        (
            "a.txt", "\n".join(TEXTS).encode(),
            lambda stream: pandas.read_json(stream, lines=True), "a-both.jsonl",
        ),
    ],
)  # fmt: skip
def test_a_file_comes_back_annotated(served, pipelines, name, sent, read, result):
    job = annotate(served, name, sent)
    assert (job["total"], job["done"], job["bad"], job["result"]) == (3, 3, 0, result)
    back = read(io.BytesIO(content(served, job)))
    assert list(back["text"]) == TEXTS
    if not name.endswith(".txt"):
        assert list(back["id"]) == [7, 8, 9]
    for text, found, cats in zip(TEXTS, back["entities"], back["cats"]):
        found, cats = (json.loads(x) if isinstance(x, str) else x for x in (found, cats))
        doc = pipelines["both"](text)
        assert [(e["start"], e["end"], e["label"]) for e in found] == entities(doc)
        assert cats == pytest.approx(doc.cats, abs=1e-6)


def test_bad_rows_are_told_and_harm_no_others(served):
    sent = json.dumps({"text": "Marie"}) + "\n{broken\n" + json.dumps({"text": "x" * 6000})
    job = annotate(served, "a.jsonl", sent.encode())
    assert (job["total"], job["bad"]) == (3, 2)
    assert job["told"][0].startswith("a.jsonl:2: ") and "6,000 characters" in job["told"][1]
    assert len(content(served, job).splitlines()) == 3


def test_a_column_of_texts_can_be_named(served):
    sent = b"remark,page\nMarie habite ici,12\n"
    assert "--text-column" in annotate(served, "a.csv", sent)["problem"]
    assert b"entities" in content(served, annotate(served, "a.csv", sent, text_column="remark"))


@pytest.mark.parametrize(
    ("name", "sent", "problem"),
    [
        ("a.csv", b"", "a.csv"),
        ("a.parquet", b"PAR1 no parquet", "a.parquet"),
        ("a.csv", b"a,b\n1,2\n", "a.csv"),
        ("a.txt", b"\x00\x01\x02", "a.txt"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(served, name, sent, problem):
    job = annotate(served, name, sent)
    assert job["state"] == "failed" and job["problem"].startswith(problem)
    assert "\n" not in job["problem"] and "serve-" not in job["problem"]
    assert served.client.get(f"/files/{job['id']}/content").status_code == 404


def test_what_becomes_too_large_when_unpacked_is_refused(served):
    job = annotate(served, "a.txt.gz", gzip.compress(b"Marie\n" * 1_000_000))
    assert job["problem"] == "a.txt.gz: over 2,000,000 bytes when unpacked; split it."


def test_wrong_requests_are_refused(served):
    for query, status in (
        ({"name": "a.exe", "pipeline": "both"}, 415), ({"name": "a.txt"}, 422), ({}, 422),
        ({"name": "a.txt", "pipeline": "other"}, 404), ({"name": "a" * 300 + ".txt"}, 422),
    ):  # fmt: skip
        response = served.client.post("/files", params=query, content=b"Marie")
        assert response.status_code == status and isinstance(response.json()["detail"], str)
    large = served.client.post(
        "/files", params={"name": "a.txt", "pipeline": "both"}, content=b"x" * 3_000_000
    )
    assert large.status_code == 413
    for method in ("get", "delete"):
        assert getattr(served.client, method)("/files/../etc").status_code == 404
        assert getattr(served.client, method)("/files/none").status_code == 404


def test_texts_are_answered_while_a_file_is_annotated_and_it_can_be_stopped(serve_with, pipelines):
    served = serve_with({"both": pipelines["both"]}, limits=Limits(10, 5000, 60, 50_000_000))
    sent = "\n".join(f"Marie Curie habite à Paris depuis {n} ans." for n in range(200_000))
    job = served.client.post("/files", params={"name": "a.txt"}, content=sent.encode()).json()

    async def begun() -> None:
        while served.client.get(f"/files/{job['id']}").json()["done"] < 100:
            await asyncio.sleep(0.02)

    asyncio.run(asyncio.wait_for(begun(), 60))
    assert served.annotate("Marie").status_code == 200
    now = served.client.get(f"/files/{job['id']}").json()
    assert now["state"] == "annotating" and 100 <= now["done"] < now["total"] == 200_000
    assert served.client.delete(f"/files/{job['id']}").status_code == 204
    assert served.client.get(f"/files/{job['id']}").status_code == 404
    # The next file does not wait for it.
    assert annotate(served, "b.txt", b"Marie\n")["state"] == "done"


def test_the_oldest_file_makes_room_and_running_ones_do_not(serve_with, pipelines, monkeypatch):
    monkeypatch.setattr(files, "MOST", 2)
    served = serve_with({"both": pipelines["both"]})
    jobs = [annotate(served, f"{n}.txt", b"Marie\n") for n in range(3)]
    codes = [served.client.get(f"/files/{job['id']}").status_code for job in jobs]
    assert codes == [404, 200, 200]
    go = threading.Event()
    served.annotators["both"].thread.submit(go.wait, 60)
    try:
        waiting = [
            served.client.post("/files", params={"name": "a.txt"}, content=b"Marie\n")
            for _ in range(3)
        ]
    finally:
        go.set()
    assert [response.status_code for response in waiting] == [202, 202, 503]


def test_files_are_deleted_when_the_server_ends(pipelines, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with serving({"both": pipelines["both"]}) as served:
        annotate(served, "a.txt", b"Marie\n")
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
