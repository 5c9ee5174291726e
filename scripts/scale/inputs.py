"""The files that are annotated: found, read through once, and recognised when a run is resumed."""

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow
import pyarrow.parquet
import srsly
from tqdm import tqdm

from ..common.errors import UserError
from ..common.files import sha256
from ..common.processes import CONTEXT, core_count, work_for_parent
from ..common.rawfile import plain_path, printable
from ..common.rawfolder import files_below
from ..corpora.options import Options
from ..serving.rows import PARQUET, SUFFIXES, Rows, Survey

# Bytes that are worth the start of processes to read them, which takes seconds.
WORTHWHILE = 200_000_000


class Source(NamedTuple):
    """A file with rows. name: its path below the folder that all files share. modified: in ns."""

    name: str
    path: Path
    size: int
    modified: int
    sha256: str
    survey: Survey

    @property
    def is_parquet(self) -> bool:
        return plain_path(self.path).suffix.lower() == PARQUET

    def to_json(self) -> dict[str, Any]:
        """Return what identifies the file, and what reading it has found."""
        found = {
            "name": self.name, "size": self.size, "modified": self.modified, "sha256": self.sha256,
            "rows": self.survey.total,
        }  # fmt: skip
        if not self.is_parquet:
            found["columns"] = {name: str(kind) for name, kind in self.survey.types.items()}
        return found


class BadFile(NamedTuple):
    """A file that no row can be read from, and why."""

    name: str
    size: int
    modified: int
    reason: str


class Inputs(NamedTuple):
    """The paths of all files in order, by their names, and how many files of other kinds there are."""

    files: dict[str, Path]
    others: list[Path]


def matches(given: str) -> list[Path]:
    """Return the files and folders that a path or a pattern with wildcards names. Raises UserError."""
    if os.path.lexists(given):
        return [Path(given)]
    found = [Path(path) for path in sorted(glob.glob(given, recursive=True))]
    if not found:
        raise UserError(f"{given}: no such file or folder; check the path.")
    return found


def find_inputs(given: Iterable[str], output: Path) -> Inputs:
    """Return the files that paths and patterns name, in the order of their names.

    Of a folder, those of other kinds and hidden ones are left out. Raises UserError if there are
    none, or if the output is in a folder that is read.
    """
    files: set[Path] = set()
    others: list[Path] = []
    roots = []
    for path in (path for each in given for path in matches(each)):
        roots.append(path.resolve() if path.is_dir() else path.resolve().parent)
        if not path.is_dir():
            files.add(path.resolve())
            continue
        if output.resolve().is_relative_to(path.resolve()):
            raise UserError(
                f"{output}: is in {path}, and would be read as input; name a folder elsewhere."
            )
        for file in files_below(path):
            known = plain_path(file).suffix.lower() in SUFFIXES
            files.add(file.resolve()) if known else others.append(file)
    if not files:
        raise UserError(
            f"{' '.join(given)}: no file of a known kind; give files of {', '.join(SUFFIXES)}, plain "
            "or as .gz, .bz2, .xz or .zst, or a folder of these."
        )
    root = Path(os.path.commonpath(roots))
    names = {printable(path.relative_to(root).as_posix()): path for path in files}
    if len(names) < len(files):
        raise UserError(f"{root}: has files whose names print alike; rename one of them.")
    return Inputs(dict(sorted(names.items())), others)


def read_through(options: Options, whole: bool, file: tuple[str, Path]) -> Source | BadFile:
    """Read a file, given with its name, through; return what it holds."""
    name, path = file
    state = path.stat()
    try:
        rows = Rows(path, options, name, whole=whole)
    except UserError as error:
        return BadFile(name, state.st_size, state.st_mtime_ns, str(error))
    survey = Survey(rows.total, rows.types)
    return Source(name, path, state.st_size, state.st_mtime_ns, sha256(path), survey)


def surveyed(inputs: Inputs, options: Options, whole: bool) -> Iterator[Source | BadFile]:
    """Read each file through, several at a time if there is much to read, and yield what they hold, in
    order."""
    total = sum(path.stat().st_size for path in inputs.files.values())
    read = partial(read_through, options, whole)
    with (
        each_in_turn(read, [*inputs.files.items()], total) as results,
        tqdm(total=total, desc="read", unit="B", unit_scale=True) as bar,
    ):
        for found in results:
            bar.update(found.size)
            yield found


@contextmanager
def each_in_turn(read: Callable, files: list, total: int) -> Iterator[Iterator[Source | BadFile]]:
    """Yield the results of `read` for files of so many bytes in all, in order, from as many processes as
    there are cores if that is worth their start."""
    processes = min(core_count(), len(files))
    if processes == 1 or total < WORTHWHILE:
        yield map(read, files)
        return
    chunk = min(64, -(-len(files) // (8 * processes)))
    executor = ProcessPoolExecutor(processes, CONTEXT, work_for_parent, (True,))
    try:
        yield executor.map(read, files, chunksize=chunk)
    except BrokenProcessPool as error:
        raise UserError(
            "a process that read files was killed; free memory, and run again."
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def write_inputs(found: Iterable[Source | BadFile], path: Path) -> None:
    """Write what identifies each file, a line a file."""
    lines = (each.to_json() if isinstance(each, Source) else each._asdict() for each in found)
    srsly.write_jsonl(path, lines)


def source_of(record: dict[str, Any], path: Path, modified: int) -> Source:
    """Return a file as it was written down. Arrow's types of Parquet are in the file itself."""
    if "columns" not in record:
        schema = pyarrow.parquet.read_schema(path)
        types = dict(zip(schema.names, schema.types))
    else:
        types = {n: pyarrow.type_for_alias(kind) for n, kind in record["columns"].items()}
    survey = Survey(record["rows"], types)
    return Source(record["name"], path, record["size"], modified, record["sha256"], survey)


def read_inputs(path: Path, inputs: Inputs) -> list[Source | BadFile]:
    """Return the files as they were written down.

    Raises UserError if these are others: by their names, their sizes and, where the time of change
    is another, their content.
    """
    records = list(srsly.read_jsonl(path))
    before, now = {record["name"] for record in records}, set(inputs.files)
    for words, names in (("is gone", before - now), ("is new", now - before)):
        if names:
            raise UserError(changed(path, min(names), words))
    found: list[Source | BadFile] = []
    for record in records:
        file = inputs.files[record["name"]]
        state = file.stat()
        same = (state.st_size, state.st_mtime_ns) == (record["size"], record["modified"])
        if "reason" in record:
            if not same:
                raise UserError(changed(path, record["name"], "was changed"))
            found.append(BadFile(**record))
            continue
        if state.st_size != record["size"] or not (same or sha256(file) == record["sha256"]):
            raise UserError(changed(path, record["name"], "was changed"))
        found.append(source_of(record, file, state.st_mtime_ns))
    return found


def changed(path: Path, name: str, words: str) -> str:
    return (
        f"{path.parent}: holds the annotation of other input: {name} {words}; name another folder, "
        "or delete this one."
    )
