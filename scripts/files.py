"""Output that is either whole or not there."""

import glob
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from .errors import UserError

# Held while a folder is being filled: the system lets it go even when the process is killed.
LOCK = ".lock"
# Files of this kind are folders where they are large.
SHARDED = ".spacy"
# Seconds in which a folder without it may be one that is just being made.
NEW = 600


def remove(path: Path) -> None:
    """Delete a file or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Delete what killed runs left beside `folder`; what is being written now is locked."""
    for left in folder.parent.glob(f".{glob.escape(folder.name)}-*.partial"):
        if (left / LOCK).exists():
            try:
                FileLock(left / LOCK).acquire(blocking=False).lock.release()
            except Timeout:
                continue
        elif time.time() - left.stat().st_mtime < NEW:
            continue
        shutil.rmtree(left, ignore_errors=True)


def check_folder(folder: Path) -> None:
    """Raise UserError where a path cannot be a folder, as it or one above it is a file."""
    for path in (folder, *folder.parents):
        if path.exists() and not path.is_dir():
            raise UserError(f"{path}: a file of that name is there; name a folder.")


def check_file(path: Path) -> None:
    """Raise UserError where a path cannot be a file, as it is a folder."""
    if path.is_dir():
        raise UserError(f"{path}: a folder of that name is there; name the file to write.")
    check_folder(path.parent)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give an OSError the name that the system leaves out when a write fails, as on a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


@contextmanager
def written_beside(folder: Path) -> Iterator[Path]:
    """Yield a new empty folder beside `folder`; at the end move what it holds into `folder`.

    Entries of the same name are replaced, others are left alone. On any exception nothing is
    moved and the new folder is deleted; after a kill, by the next run.
    Raises UserError where `folder` cannot be one, and where a file would replace a folder other
    than one of shards.
    """
    check_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    prefix, suffix = f".{folder.name}-", ".partial"
    beside = Path(tempfile.mkdtemp(prefix=prefix, suffix=suffix, dir=folder.parent))
    try:
        with FileLock(beside / LOCK), naming(folder):
            yield beside
            folder.mkdir(exist_ok=True)
            entries = [entry for entry in sorted(beside.iterdir()) if entry.name != LOCK]
            for entry in entries:
                if entry.is_file() and entry.suffix != SHARDED:
                    check_file(folder / entry.name)
            for entry in entries:
                target = folder / entry.name
                if target.is_dir() or (entry.is_dir() and target.exists()):
                    # Put aside, not deleted: that takes time, in which there would be neither.
                    os.replace(target, beside / f".replaced-{entry.name}")
                os.replace(entry, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def sha256(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
