"""A small stand-in for the model hub, on loopback: repositories are folders.

`<root>/models/<id>/…` and `<root>/datasets/<id>/…` are served under the hub's own paths, so that
`HF_ENDPOINT` is all the real loading code needs. `<id>` is the main branch; `<id>@<name>` beside it is
another branch, or a tag.
"""

import hashlib
import json
import re
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import datasets
import huggingface_hub
import pytest


def etag(file: Path) -> str:
    """Return what the hub announces: the sha256 of large files, git's sha1 of small ones."""
    body = file.read_bytes()
    if file.suffix in (".parquet", ".safetensors"):
        return hashlib.sha256(body).hexdigest()
    return hashlib.sha1(b"blob %d\0%b" % (len(body), body)).hexdigest()


def commit_of(folder: Path) -> str:
    """Return the commit of a folder, which depends on its contents."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [f"{path.relative_to(folder).as_posix()} {etag(path)}" for path in files]
    return hashlib.sha1("\n".join(names).encode()).hexdigest()


class Failure(NamedTuple):
    """What goes wrong with requests whose path contains `match`.

    body: sent instead of the file. cut: the number of body bytes after which the connection is closed,
    or stays silent if `stalls`. altered: the last byte is changed. unsized: a download's length is not
    announced.
    """

    status: int = 200
    body: bytes | None = None
    type: str = "application/octet-stream"
    match: str = ""
    cut: int | None = None
    stalls: bool = False
    altered: bool = False
    unsized: bool = False


class Hub(BaseHTTPRequestHandler):
    """Answers requests of huggingface_hub and datasets to list and download files."""

    root: Path
    failure: Failure | None = None
    # "GET path bytes=…", one per request.
    requests: list[str]
    stopped: threading.Event

    def log_message(self, *arguments) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None):
        failure = self.failure if self.failure and self.failure.match in self.path else None
        if failure and failure.altered and self.command == "GET":
            body = body[:-1] + bytes([body[-1] ^ 1])
        self.send_response(status)
        length = {"Content-Length": str(len(body))}
        if failure and failure.unsized and self.command == "GET":
            length = {}
        for name, value in {**length, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if failure and failure.cut is not None:
            self.wfile.write(body[: failure.cut])
            self.wfile.flush()
            if failure.stalls:
                self.stopped.wait(60)
            self.close_connection = True
        else:
            self.wfile.write(body)

    def answer_file(self, file: Path, headers: dict[str, str]) -> None:
        """Send a file, from the byte that a Range header requests."""
        body = file.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and self.command == "GET":
            start = int(asked[1])
            if start >= len(body):
                self.answer(416)
                return
            span = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self.answer(206, body[start:], {**headers, "Content-Range": span})
        else:
            self.answer(200, body, headers)

    def json(self, value: object) -> None:
        self.answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def entries(self, folder: Path, under: str = "", recursive: bool = True) -> list:
        """List the files, and the folders too unless recursive, below folder/under."""
        found = []
        for path in sorted((folder / under).glob("**/*" if recursive else "*")):
            name = path.relative_to(folder).as_posix()
            oid = hashlib.sha1(name.encode()).hexdigest()
            if path.is_file():
                size = path.stat().st_size
                found.append({"type": "file", "path": name, "size": size, "oid": oid})
            elif not recursive:
                found.append({"type": "directory", "path": name, "size": 0, "oid": oid})
        return found

    def folder_of(self, kind: str, name: str, revision: str) -> Path | None:
        """Return the folder of a branch, tag or commit; answer 404 if there is none."""
        main = self.root / kind / name
        if not main.is_dir():
            self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            return None
        others = {path.name.split("@")[1]: path for path in main.parent.glob(f"{main.name}@*")}
        named = {"main": main, **others}
        named |= {commit_of(path): path for path in named.values()}
        found = named.get(revision)
        if found is None:
            self.answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        return found

    def api(self, kind: str, rest: str) -> None:
        for verb in ("/revision/", "/tree/", "/paths-info/"):
            name, _, argument = rest.partition(verb)
            if argument:
                break
        revision, _, under = argument.partition("/")
        folder = self.folder_of(kind, name, unquote(revision) or "main")
        if folder is None:
            return
        if "/tree/" in rest:
            recursive = "recursive=True" in self.path
            found = self.entries(folder, unquote(under), recursive)
            self.json(found) if found else self.answer(
                404, b"{}", {"X-Error-Code": "EntryNotFound"}
            )
        elif "/paths-info/" in rest:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.json([e for e in self.entries(folder) if e["path"] in unquote(body)])
        else:
            siblings = [{"rfilename": entry["path"]} for entry in self.entries(folder)]
            self.json({"id": name, "sha": commit_of(folder), "private": False, "gated": False,
                       "disabled": False, "downloads": 0, "likes": 0, "tags": [],
                       "siblings": siblings})  # fmt: skip

    def do_GET(self) -> None:
        self.requests.append(f"{self.command} {self.path} {self.headers.get('Range', '')}")
        failure = self.failure
        if failure and failure.match in self.path and (failure.status, failure.body) != (200, None):
            self.answer(failure.status, failure.body or b"", {"Content-Type": failure.type})
            return
        path = urlsplit(self.path).path.lstrip("/")
        if path.startswith("api/"):
            _, kind, rest = path.split("/", 2)
            self.api(kind, rest)
            return
        kind = "datasets" if path.startswith("datasets/") else "models"
        name, _, argument = path.removeprefix("datasets/").partition("/resolve/")
        revision, _, inside = argument.partition("/")
        folder = self.folder_of(kind, name, unquote(revision))
        if folder is None:
            return
        file, commit = folder / unquote(inside), commit_of(folder)
        if file.is_file():
            self.answer_file(file, {"ETag": f'"{etag(file)}"', "X-Repo-Commit": commit})
        else:
            self.answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})

    do_HEAD = do_POST = do_GET


@contextmanager
def serve(root: Path, failure: Failure | None = None) -> Iterator[str]:
    """Serve the repositories under `root`; yield the URL for HF_ENDPOINT."""
    with recorded(root, failure) as (address, _):
        yield address


@contextmanager
def recorded(
    root: Path, failure: Failure | None = None, kind: type[Hub] = Hub
) -> Iterator[tuple[str, list[str]]]:
    """Serve the repositories under `root`; yield the URL and the requests as they arrive."""
    stopped = threading.Event()
    values = {"root": root, "failure": failure, "requests": [], "stopped": stopped}
    handler = type("Handler", (kind,), values)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.requests
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()


@contextmanager
def pointed_at(root: Path, cache: Path, failure: Failure | None = None) -> Iterator[list[str]]:
    """Serve the repositories under `root` to the hub client in this process, with a separate cache;
    yield the requests as they arrive."""
    with recorded(root, failure) as (address, requests), pytest.MonkeyPatch.context() as patch:
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        patch.setattr(huggingface_hub.constants, "ENDPOINT", address)
        patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
        patch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        patch.setattr(huggingface_hub.file_download, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield requests


TAGS = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC"]


def add_corpora(root: Path) -> None:
    """Add miniatures of the hub's corpora to `root`, with the columns of the real ones."""
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
    # One split per language; only French is wanted, and the English file is not even Parquet.
    neural = root / "datasets" / "Babelscape/wikineural" / "data"
    neural.mkdir(parents=True)
    rows = {"tokens": words, "ner_tags": [[1, 2, 0, 5, 0], [0, 0]] * 20}
    for split in ("train_fr", "val_fr", "test_fr"):
        datasets.Dataset.from_dict(rows).to_parquet(neural / f"{split}-00000-of-00001.parquet")
    (neural / "train_en-00000-of-00001.parquet").write_bytes(b"not requested")
    card = "---\nconfigs:\n- config_name: default\n  data_files:\n"
    for split in ("train_en", "train_fr", "val_fr", "test_fr"):
        card += f"  - split: {split}\n    path: data/{split}-*\n"
    (neural.parent / "README.md").write_text(card + "---\n")
    # A tag at the same commit.
    (neural.parent.parent / "wikineural@v1.2").symlink_to(neural.parent)
    allocine = root / "datasets" / "tblard/allocine" / "allocine"
    allocine.mkdir(parents=True)
    rows = {"review": [f"Film {i} ; « bien »" for i in range(20)], "label": [0, 1] * 10}
    for split in ("train", "validation", "test"):
        data = datasets.Dataset.from_dict(rows)
        data.to_parquet(allocine / f"{split}-00000-of-00001.parquet")


def add_archive(path: Path, reviews: Path) -> None:
    """Write a miniature of FLUE's archive, with a member that would escape from the folder."""
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w:gz") as tar:
        for file in sorted(reviews.rglob("*.review")):
            tar.add(file, f"cls-acl10-unprocessed/fr/{file.relative_to(reviews).as_posix()}")
        tar.add(file, "cls-acl10-unprocessed/fr/dvd/unlabeled.review")
        tar.add(file, "cls-acl10-unprocessed/de/dvd/train.review")
        tar.add(file, "../../evil.review")
