"""Cases of hostile input, and what they are built from."""

import errno
import io
import os
import random
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow
import pyarrow.parquet
import pytest

Made = dict[str, Path]
Content = bytes | str | Callable[[Path, Made], object]
Patch = Callable[[pytest.MonkeyPatch], object]


class Case(NamedTuple):
    """A command line, its input files, and what its one line must contain, separated by " | "."""

    name: str
    arguments: str
    files: Content | dict[str, Content]
    fragments: str
    patch: Patch = lambda monkeypatch: None


def table(**columns) -> bytes:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), stream)
    return stream.getvalue()


def zipped(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo("train"), content)
    return stream.getvalue()


def tarred(name: str, content: bytes = b"", target: str = "", kind=tarfile.REGTYPE) -> bytes:
    """A tar.gz with one member: a file, or a link."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, target, len(content)
        tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def link(target: str) -> Content:
    return lambda path, made: path.symlink_to(target)


def folder(path: Path, made: Made) -> None:
    path.mkdir()


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def copied(name: str, changes: dict = {}) -> Content:
    """A copy of what the fixture made, with files changed, or removed if the change is None."""

    def build(path: Path, made: Made) -> None:
        shutil.copytree(made[name], path)
        for file, change in changes.items():
            if change is None:
                (path / file).unlink(missing_ok=True)
            else:
                new = change((path / file).read_bytes()) if callable(change) else change
                (path / file).write_bytes(new)

    return build


def unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Path.open and Arrow fail: chmod does not stop root."""
    original = Path.open

    def refuse(path, *arguments, **settings):
        if Path(path).name.startswith("in."):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return original(path, *arguments, **settings)

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(pyarrow.parquet, "ParquetFile", refuse)


def full(owner: type) -> Patch:
    def refuse(self, path, *arguments, **settings):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    return lambda monkeypatch: monkeypatch.setattr(owner, "to_disk", refuse)


def delimited(text: str, label: str, mark: str = "\t") -> bytes:
    rows = [(text, label), ("bon", "1"), ("été", "0"), ("mal", "0"), ("fin", "1")]
    return "".join(f"{mark.join(row)}\n" for row in rows).encode()


BYTES = random.Random(0).randbytes(3000).replace(b"\0", b"\1")
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89"
ITEM = "<item><rating>{}</rating><text>{}</text></item>\n"
REVIEWS = [("5", "bon"), ("1", "été"), ("5", "fin"), ("1", "mal")]
XML = "<items>\n" + "".join(ITEM.format(*review) for review in REVIEWS) + "</items>\n"
JSON = '{"text": "bon", "label": "a"}\n{"text": "mal", "label": "b"}\n'
COLUMNS = {"text": ["bon", "été", "mal", "fin"], "label": ["a", "b", "b", "a"]}
IOB = "Lens B-LOC\n\nété O\nParis B-LOC\n".encode()
WIKINER = "Lens|N|B-LOC\nbon|A|O\nété|N|O\nbon|A|O\n".encode()
TAKEN = "taken: already exists as a file; give the path of a folder"


def tree(root: Path) -> dict[str, object]:
    """Return all that is below a folder: the content of files, of large ones only the size."""
    found: dict[str, object] = {}
    for parent, folders, files in os.walk(root):
        for path in (Path(parent, name) for name in (*folders, *files)):
            size = path.lstat().st_size
            content = path.read_bytes() if path.is_file() and size < 1_000_000 else None
            found[str(path.relative_to(root))] = content or path.is_dir() or size
    return found
