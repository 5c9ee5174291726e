"""Output that is whole, or not there, or told to be incomplete."""

import glob
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from .errors import UserError

# Held while a folder is being filled: the system lets it go even when the process is killed.
LOCK = ".lock"
# In a folder while more than one of its entries is replaced: what is there then is of two runs. It
# holds the name of the folder beside that the new ones come from, in which MOVES lists them.
INCOMPLETE = ".incomplete"
MOVES = ".moves"
# Files of this kind are folders where they are large.
SHARDED = ".spacy"
# Seconds in which a folder without it may be one that is just being made.
NEW = 600


def partials(folder: Path) -> list[Path]:
    """Return the folders beside `folder` that are being filled for it, or were when a kill came."""
    return sorted(folder.parent.glob(f".{glob.escape(folder.name)}-*.partial"))


def new_partial(folder: Path) -> Path:
    """Make a new empty folder beside `folder`, for it."""
    prefix, suffix = f".{folder.name}-", ".partial"
    return Path(tempfile.mkdtemp(prefix=prefix, suffix=suffix, dir=folder.parent))


def sweep(folder: Path) -> None:
    """Delete what killed runs left beside `folder`; what is being written now is locked."""
    for left in partials(folder):
        if (left / MOVES).exists() and (folder / INCOMPLETE).exists():
            continue
        if (left / LOCK).exists():
            try:
                FileLock(left / LOCK).acquire(blocking=False).lock.release()
            except Timeout:
                continue
        elif time.time() - left.stat().st_mtime < NEW:
            continue
        shutil.rmtree(left, ignore_errors=True)


def discard(folder: Path) -> None:
    """Delete a folder, if it is there, so that a kill leaves no part of it under its name."""
    sweep(folder)
    if folder.exists():
        beside = new_partial(folder)
        os.replace(folder, beside / folder.name)
        shutil.rmtree(beside, ignore_errors=True)


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


def in_the_way(entry: Path, target: Path) -> bool:
    """Tell whether `target` must be moved away before `entry` can get its name."""
    return target.is_dir() or (entry.is_dir() and target.exists())


def finish_moves(beside: Path, folder: Path) -> None:
    """Move into `folder` what MOVES lists and is still in `beside`, and out of it what is stale.

    What stands in the way is put aside, not deleted: that takes time, in which there would be neither.
    """
    moves = json.loads((beside / MOVES).read_text(encoding="utf8"))
    for name in moves["stale"]:
        if (folder / name).exists():
            os.replace(folder / name, beside / f".replaced-{name}")
    for name in moves["new"]:
        entry, target = beside / name, folder / name
        if not entry.exists():
            continue
        if in_the_way(entry, target):
            os.replace(target, beside / f".replaced-{name}")
        os.replace(entry, target)
    (folder / INCOMPLETE).unlink()


def publish(beside: Path, folder: Path, owned: Collection[str]) -> None:
    """Move what is in `beside`, whose lock is held, into `folder` as one set."""
    new = sorted(entry.name for entry in beside.iterdir() if entry.name != LOCK)
    for name in new:
        if (beside / name).is_file() and Path(name).suffix != SHARDED:
            check_file(folder / name)
    stale = sorted(name for name in set(owned) - set(new) if (folder / name).exists())
    folder.mkdir(exist_ok=True)
    if len(new) == 1 and not stale and not in_the_way(beside / new[0], folder / new[0]):
        os.replace(beside / new[0], folder / new[0])
        return
    (beside / MOVES).write_text(json.dumps({"new": new, "stale": stale}), encoding="utf8")
    (beside / INCOMPLETE).write_text(beside.name, encoding="utf8")
    os.replace(beside / INCOMPLETE, folder / INCOMPLETE)
    finish_moves(beside, folder)


def is_whole(folder: Path) -> bool:
    """Return whether what is in a folder is of one run. Moves that a kill cut short are finished."""
    marker = folder / INCOMPLETE
    # Not Path.exists, which raises for what can be no path; this may be a name on the hub.
    if not os.path.exists(marker):
        return True
    with suppress(OSError):
        beside = folder.parent / marker.read_text(encoding="utf8")
        if beside in partials(folder):
            # Held while they go on in another process: then that is waited for.
            with FileLock(beside / LOCK):
                if marker.exists():
                    finish_moves(beside, folder)
            shutil.rmtree(beside, ignore_errors=True)
    return not marker.exists()


def check_whole(path: Path) -> None:
    """Raise UserError where a folder, `path` or the one it is in, is of two runs."""
    for folder in (path, path.parent):
        if not is_whole(folder):
            raise UserError(
                f"{folder} is incomplete: the command that wrote it was cut short; run it again."
            )


@contextmanager
def written_beside(folder: Path, owned: Collection[str] = ()) -> Iterator[Path]:
    """Yield a new empty folder beside `folder`; at the end move what it holds into `folder`.

    Entries of the same name are replaced, and those of the names in `owned` that are not there anew
    are deleted; others are left alone. On any exception before the end nothing is moved and the new
    folder is deleted; after a kill, by the next run. From the first to the last move `folder` is
    marked, so that `check_whole` finishes the moves or refuses.
    Raises UserError where `folder` cannot be one, and where a file would replace a folder other
    than one of shards.
    """
    check_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    is_whole(folder)
    sweep(folder)
    beside = new_partial(folder)
    try:
        with FileLock(beside / LOCK), naming(folder):
            yield beside
            publish(beside, folder, owned)
    finally:
        if not ((beside / MOVES).exists() and (folder / INCOMPLETE).exists()):
            shutil.rmtree(beside, ignore_errors=True)


def sha256(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
