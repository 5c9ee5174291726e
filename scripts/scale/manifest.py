"""What a folder of annotations says of itself: how they were made, of what, and whether they are whole."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import srsly
from filelock import FileLock, Timeout
from spacy.language import Language

from ..common.errors import UserError
from ..common.files import LOCK, check_folder
from ..common.weights import weights_hash
from ..serving.pipeline import task_labels, threshold_of
from .inputs import BadFile, Source
from .parts import ERRORS, UNFINISHED, replacing

MANIFEST, INPUTS = "_manifest.json", "_inputs.jsonl"
PACKAGES = (
    "spacy",
    "spacy-transformers",
    "thinc",
    "transformers",
    "torch",
    "onnxruntime",
    "pyarrow",
)
# What a run must share with the one that it goes on with, and what a difference means.
SAME = {
    "pipeline": "by another pipeline",
    "options": "with other options",
    "versions": "with other versions of packages",
}


@contextmanager
def alone(output: Path) -> Iterator[None]:
    """Hold the lock of a folder of annotations. Raises UserError if another run does, or if the folder
    has something else in it."""
    check_folder(output)
    output.mkdir(parents=True, exist_ok=True)
    ours = (output / MANIFEST).exists()
    strangers = [p.name for p in output.iterdir() if p.name not in (LOCK, UNFINISHED, INPUTS)]
    if strangers and not ours:
        raise UserError(f"{output}: has other files, such as {min(strangers)}; name a new folder.")
    try:
        with FileLock(output / LOCK, blocking=False):
            yield
    except Timeout as error:
        raise UserError(f"{output}: another run is writing into it; wait for its end.") from error


def about(nlp: Language) -> dict[str, Any]:
    """Return what identifies a pipeline: what its annotations depend on, and its name."""
    return {
        "name": f"{nlp.lang}_{nlp.meta['name']}",
        "weights": weights_hash(nlp),
        "labels": task_labels(nlp),
        "thresholds": {task: threshold_of(nlp, task) for task in task_labels(nlp) if task != "ner"},
    }


def versions() -> dict[str, str]:
    return {package: version(package) for package in PACKAGES}


def fingerprint(found: Sequence[Source | BadFile]) -> dict[str, Any]:
    """Return one hash of the names and contents of all files, and their totals."""
    digest = hashlib.sha256()
    for each in found:
        content = each.sha256 if isinstance(each, Source) else each.size
        digest.update(f"{each.name} {content}\n".encode())
    rows = sum(each.survey.total for each in found if isinstance(each, Source))
    return {
        "sha256": digest.hexdigest(),
        "files": len(found),
        "bytes": sum(each.size for each in found),
        "rows": rows,
        "bad_files": sum(isinstance(each, BadFile) for each in found),
    }


def read_manifest(output: Path) -> dict[str, Any] | None:
    """Return the manifest of a folder, None if it has none. Raises UserError if it is damaged."""
    path = output / MANIFEST
    if not path.exists():
        return None
    try:
        return srsly.read_json(path)
    except ValueError as error:
        raise UserError(f"{path}: damaged; delete the folder, and begin again.") from error


def check_same(
    before: dict[str, Any], wanted: dict[str, Any], output: Path, part_rows: int
) -> None:
    """Raise UserError unless a run may go on with what is in a folder.

    before: the folder's manifest. wanted: that of the run. part_rows: 0 for any.
    """
    remedy = "name another folder, or delete this one"
    for key, words in SAME.items():
        # As it is read back from JSON.
        one, other = before[key], json.loads(json.dumps(wanted[key]))
        for name in {**one, **other}:
            if one.get(name) != other.get(name):
                raise UserError(
                    f"{output}: holds annotations made {words} ({name} {str(one.get(name))[:40]}, now "
                    f"{str(other.get(name))[:40]}); {remedy}."
                )
    if part_rows not in (0, before["part_rows"]):
        raise UserError(
            f"--part-rows {part_rows}: {output} has parts of {before['part_rows']:,} rows; {remedy}."
        )


def write_manifest(manifest: dict[str, Any], output: Path) -> None:
    with replacing(output / MANIFEST, output) as path:
        srsly.write_json(path, manifest)


def clear(output: Path) -> None:
    """Delete what an earlier run wrote into a folder; last its manifest, which a killed call leaves."""
    if (output / MANIFEST).exists():
        for path in output.glob("part-*"):
            path.unlink()
        for name in (ERRORS, UNFINISHED):
            shutil.rmtree(output / name, ignore_errors=True)
        (output / MANIFEST).unlink()
