"""Output files that are complete, absent, or marked as incomplete; never silently half-written."""

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

# Held while a folder is being written; the operating system releases it even if the process is
# killed.
LOCK = ".lock"
# Present in a folder while several of its entries are being replaced, when its content is a mix of
# two runs. It holds the name of the sibling folder that the new entries come from; MOVES, in that
# folder, lists them.
INCOMPLETE = ".incomplete"
MOVES = ".moves"
# Files with this suffix become folders of shards when they are large.
SHARDED = ".spacy"
# A folder without a lock that is younger than this, in seconds, may still be in the making.
GRACE_PERIOD = 600


def partials(folder: Path) -> list[Path]:
    """Return the sibling folders with output for `folder`, in progress or left by a kill."""
    return sorted(folder.parent.glob(f".{glob.escape(folder.name)}-*.partial"))


def new_partial(folder: Path) -> Path:
    """Create an empty sibling folder to collect the output for `folder`."""
    prefix, suffix = f".{folder.name}-", ".partial"
    return Path(tempfile.mkdtemp(prefix=prefix, suffix=suffix, dir=folder.parent))


def sweep(folder: Path) -> None:
    """Delete the partial output that killed runs left beside `folder`, unless it is still needed.

    Output that is being written by another process is locked, and kept.
    """
    for partial in partials(folder):
        if (partial / MOVES).exists() and (folder / INCOMPLETE).exists():
            continue
        if (partial / LOCK).exists():
            try:
                FileLock(partial / LOCK).acquire(blocking=False).lock.release()
            except Timeout:
                continue
        elif time.time() - partial.stat().st_mtime < GRACE_PERIOD:
            continue
        shutil.rmtree(partial, ignore_errors=True)


def discard(folder: Path) -> None:
    """Delete a folder if it exists. It is renamed first, so that a kill never leaves part of it
    under its name."""
    sweep(folder)
    if folder.exists():
        partial = new_partial(folder)
        os.replace(folder, partial / folder.name)
        shutil.rmtree(partial, ignore_errors=True)


def check_folder(folder: Path) -> None:
    """Raise UserError if a path cannot be a folder because it, or one of its parents, is a file."""
    for path in (folder, *folder.parents):
        if path.exists() and not path.is_dir():
            raise UserError(f"{path}: already exists as a file; give the path of a folder.")


def check_file(path: Path) -> None:
    """Raise UserError if a path cannot be a file because it is a folder, or is below a file."""
    if path.is_dir():
        raise UserError(f"{path}: already exists as a folder; give the path of a file.")
    check_folder(path.parent)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add the path to an OSError that lacks it, as one raised by a write to a full disk does."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            # Not its own words, to which pyarrow adds what it was doing.
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise


def must_move_aside(target: Path, entry: Path) -> bool:
    """Return whether `target` has to be moved aside before `entry` can be renamed to it."""
    return target.is_dir() or (entry.is_dir() and target.exists())


def finish_moves(partial: Path, folder: Path) -> None:
    """Move the new entries listed in MOVES from `partial` into `folder`, and stale ones out of it.

    Entries already moved are skipped. What is replaced is moved aside rather than deleted: deleting
    takes time, during which neither the old nor the new entry would exist.
    """
    moves = json.loads((partial / MOVES).read_text(encoding="utf8"))
    for name in moves["stale"]:
        if (folder / name).exists():
            os.replace(folder / name, partial / f".replaced-{name}")
    for name in moves["new"]:
        entry, target = partial / name, folder / name
        if not entry.exists():
            continue
        if must_move_aside(target, entry):
            os.replace(target, partial / f".replaced-{name}")
        os.replace(entry, target)
    # Two commands that write into one folder at once share the marker.
    (folder / INCOMPLETE).unlink(missing_ok=True)


def publish(partial: Path, folder: Path, owned: Collection[str]) -> None:
    """Move the entries of `partial`, whose lock is held, into `folder` as one set."""
    new = sorted(entry.name for entry in partial.iterdir() if entry.name != LOCK)
    for name in new:
        if (partial / name).is_file() and Path(name).suffix != SHARDED:
            check_file(folder / name)
    stale = sorted(name for name in set(owned) - set(new) if (folder / name).exists())
    folder.mkdir(exist_ok=True)
    if len(new) == 1 and not stale and not must_move_aside(folder / new[0], partial / new[0]):
        os.replace(partial / new[0], folder / new[0])
        return
    (partial / MOVES).write_text(json.dumps({"new": new, "stale": stale}), encoding="utf8")
    (partial / INCOMPLETE).write_text(partial.name, encoding="utf8")
    os.replace(partial / INCOMPLETE, folder / INCOMPLETE)
    finish_moves(partial, folder)


def is_whole(folder: Path) -> bool:
    """Return whether all files of a folder come from one run, after finishing moves that a kill
    interrupted."""
    marker = folder / INCOMPLETE
    # Not Path.exists, which raises for strings that cannot be paths; this may be a hub id.
    if not os.path.exists(marker):
        return True
    with suppress(OSError):
        partial = folder.parent / marker.read_text(encoding="utf8")
        if partial in partials(folder):
            # Waits for another process that may be making the moves.
            with FileLock(partial / LOCK):
                if marker.exists():
                    finish_moves(partial, folder)
            shutil.rmtree(partial, ignore_errors=True)
    return not marker.exists()


def check_whole(path: Path) -> None:
    """Raise UserError if `path`, or the folder it is in, mixes the files of two runs."""
    for folder in (path, path.parent):
        if not is_whole(folder):
            raise UserError(
                f"{folder} is incomplete: the command that wrote it was interrupted; run it again."
            )


@contextmanager
def written_beside(folder: Path, owned: Collection[str] = ()) -> Iterator[Path]:
    """Yield an empty sibling folder of `folder`; on exit, move its content into `folder`.

    Entries with the same name are replaced. Those named in `owned` that were not written again are
    deleted; all others are kept. If an exception is raised, nothing is moved and the sibling is
    deleted; after a kill, the next run deletes it. While more than one entry is moved, `folder` is
    marked as incomplete, so that `check_whole` finishes the moves or raises.
    Raises UserError if `folder` cannot be a folder, or if a file would replace a folder that is not
    a folder of shards.
    """
    check_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    is_whole(folder)
    sweep(folder)
    partial = new_partial(folder)
    try:
        with FileLock(partial / LOCK), naming(folder):
            yield partial
            publish(partial, folder, owned)
    finally:
        if not ((partial / MOVES).exists() and (folder / INCOMPLETE).exists()):
            shutil.rmtree(partial, ignore_errors=True)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; the file is read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_size(folder: Path) -> int:
    """Return the number of bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
