"""A small stand-in for the model hub, on loopback: repositories are folders.

`<root>/models/<id>/…` and `<root>/datasets/<id>/…` are served under the hub's own addresses, so
that `HF_ENDPOINT` is all the real loading code needs.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = hashlib.sha1(b"the only commit").hexdigest()


class Hub(BaseHTTPRequestHandler):
    """Answers the requests of huggingface_hub and datasets for listing and downloading files."""

    root: Path
    # What every request is answered with instead: a status, a body.
    failure: tuple[int, bytes] | None = None

    def log_message(self, *arguments) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def json(self, value: object) -> None:
        self.answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def entries(self, folder: Path, under: str = "", recursive: bool = True) -> list:
        """List the files, and without recursion the folders as well, below folder/under."""
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

    def api(self, kind: str, rest: str) -> None:
        for verb in ("/revision/", "/tree/", "/paths-info/"):
            name, _, argument = rest.partition(verb)
            if argument:
                break
        folder = self.root / kind / name
        if not folder.is_dir():
            self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif "/tree/" in rest:
            _, _, under = argument.partition("/")
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
            self.json({"id": name, "sha": COMMIT, "private": False, "gated": False,
                       "disabled": False, "downloads": 0, "likes": 0, "tags": [],
                       "siblings": siblings})  # fmt: skip

    def do_GET(self) -> None:
        if self.failure:
            self.answer(*self.failure)
            return
        path = urlsplit(self.path).path.lstrip("/")
        if path.startswith("api/"):
            _, kind, rest = path.split("/", 2)
            self.api(kind, rest)
            return
        kind = "datasets" if path.startswith("datasets/") else "models"
        name, _, argument = path.removeprefix("datasets/").partition("/resolve/")
        file = self.root / kind / name / unquote(argument.partition("/")[2])
        if file.is_file():
            body = file.read_bytes()
            etag = hashlib.sha1(body).hexdigest()
            self.answer(200, body, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})
        else:
            known = (self.root / kind / name).is_dir()
            code = "EntryNotFound" if known else "RepoNotFound"
            self.answer(404, b"", {"X-Error-Code": code, "X-Repo-Commit": COMMIT})

    do_HEAD = do_POST = do_GET


@contextmanager
def serve(root: Path, failure: tuple[int, bytes] | None = None) -> Iterator[str]:
    """Serve the repositories under `root`; yield the address for HF_ENDPOINT."""
    handler = type("Handler", (Hub,), {"root": root, "failure": failure})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
