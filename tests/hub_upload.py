"""The stand-in for the hub, extended for uploads: repositories, large files, commits."""

import base64
import hashlib
import json
from urllib.parse import unquote, urlsplit

from .hub import Hub, commit_of

TOKEN = "hf_of_the_tests"


class UploadHub(Hub):
    """Creates repositories and accepts commits from clients with the token."""

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.requests.append(f"POST {path}")
        body = self.body()
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer(401, b'{"error": "no"}', {"Content-Type": "application/json"})
        elif path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            folder = self.root / "models" / name
            status = 409 if folder.is_dir() else 200
            folder.mkdir(parents=True, exist_ok=True)
            (self.root / "private").write_text(str(asked.get("private")))
            answer = json.dumps({"url": f"http://{self.headers['Host']}/{name}"}).encode()
            self.answer(status, answer, {"Content-Type": "application/json"})
        elif path == "/api/validate-yaml":
            self.json({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            modes = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(body)["files"]
            ]
            self.json({"files": modes})
        elif path.endswith("/info/lfs/objects/batch"):
            objects = [
                {
                    **item,
                    "actions": {
                        "upload": {"href": f"http://{self.headers['Host']}/lfs/{item['oid']}"}
                    },
                }
                for item in json.loads(body)["objects"]
            ]
            self.json({"transfer": "basic", "objects": objects})
        elif "/commit/" in path:
            self.commit(
                self.root / "models" / path.split("/commit/")[0].removeprefix("/api/models/"), body
            )
        else:
            self.answer(404, b"{}")

    def do_PUT(self) -> None:
        self.requests.append(f"PUT {self.path}")
        content = self.body()
        (self.root / "lfs").mkdir(exist_ok=True)
        (self.root / "lfs" / hashlib.sha256(content).hexdigest()).write_bytes(content)
        self.answer(200)

    def commit(self, folder, body: bytes) -> None:
        for line in body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "header":
                continue
            target = folder / value["path"]
            target.parent.mkdir(parents=True, exist_ok=True)
            if item["key"] == "file":
                target.write_bytes(base64.b64decode(value["content"]))
            else:
                target.write_bytes((self.root / "lfs" / value["oid"]).read_bytes())
        name = folder.relative_to(self.root / "models").as_posix()
        commit = commit_of(folder)
        url = f"http://{self.headers['Host']}/{name}/commit/{commit}"
        self.json({"success": True, "commitOid": commit, "commitUrl": url, "hookOutput": ""})
