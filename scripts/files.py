"""Output that is either whole or not there."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from .errors import UserError

# Held while a folder is being filled: the system lets it go even when the process is killed.
LOCK = ".lock"


def remove(path: Path) -> None:
    """Delete a file or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Delete what killed runs left beside `folder`; what is being written now is locked."""
    for left in folder.parent.glob(f".{folder.name}-*.partial"):
        if (left / LOCK).exists():
            try:
                FileLock(left / LOCK).acquire(blocking=False).lock.release()
            except Timeout:
                continue
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def written_beside(folder: Path) -> Iterator[Path]:
    """Yield a new empty folder beside `folder`; at the end move what it holds into `folder`.

    Entries of the same name are replaced, others are left alone. On any exception nothing is
    moved and the new folder is deleted; after a kill, by the next run.
    Raises UserError where `folder` cannot be one.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: a file of that name is there; name a folder for the output.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    prefix, suffix = f".{folder.name}-", ".partial"
    beside = Path(tempfile.mkdtemp(prefix=prefix, suffix=suffix, dir=folder.parent))
    try:
        with FileLock(beside / LOCK):
            yield beside
            folder.mkdir(exist_ok=True)
            for entry in sorted(beside.iterdir()):
                if entry.name == LOCK:
                    continue
                target = folder / entry.name
                if target.is_dir() or entry.is_dir():
                    remove(target)
                os.replace(entry, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def sha256(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
