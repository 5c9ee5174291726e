"""Output that is either whole or not there."""

import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator


@contextmanager
def written_beside(folder: Path) -> Iterator[Path]:
    """Yield a new empty folder beside `folder`; at the end move what it holds into `folder`.

    Entries of the same name are replaced, others are left alone. On any exception nothing is
    moved and the new folder is deleted.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield beside
        folder.mkdir(exist_ok=True)
        for entry in sorted(beside.iterdir()):
            target = folder / entry.name
            if target.is_dir():
                shutil.rmtree(target)
            if entry.is_dir() and target.exists():
                target.unlink()
            os.replace(entry, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def sha256(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
