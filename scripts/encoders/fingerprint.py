"""Record which encoder a name stands for: `python -m scripts fingerprint ENCODER OUTPUT`.

Trainings depend on that file: a hub id is not a path that the project engine could watch, and
project.yml does not know which folder a variable names.
"""

import hashlib
from pathlib import Path
from typing import Any

import srsly
from wasabi import msg

from ..common.downloads import HUB_ERRORS, Unavailable, impatient_hub, reason_of
from ..common.files import check_file, sha256, written_beside
from .snapshot import (
    CONFIG,
    MAIN,
    is_folder,
    needed,
    resolve,
    resolve_cached,
    unusable,
    warn_unresolved,
)


def read_fingerprint(path: Path) -> dict[str, Any]:
    """Return the fingerprint written earlier, empty if it is missing or cannot be read."""
    try:
        found = srsly.read_json(path) if path.is_file() else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def folder_digest(folder: Path) -> str:
    """Return one sha256 over the names and contents of config, tokenizer and weights in a folder.

    Raises UserError if it is not a checkpoint.
    """
    try:
        files = needed([path.name for path in folder.glob("*") if path.is_file()])
    except Unavailable as error:
        raise unusable(str(folder), str(error)) from error
    if CONFIG not in files:
        raise unusable(str(folder), f"no {CONFIG} in it")
    lines = "".join(f"{sha256(folder / name)}  {name}\n" for name in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def commit_of(name: str, revision: str, known: str | None) -> str:
    """Return the commit of a revision on the hub. If the hub does not say, the `known` one, or that
    in the cache. Raises UserError if there is neither.
    """
    try:
        with impatient_hub():
            return resolve(name, revision).name
    except HUB_ERRORS as error:
        cached = resolve_cached(name, revision) if isinstance(error, Unavailable) else None
        commit = known or (cached and cached.name)
        if commit is None:
            raise unusable(name, reason_of(error)) from error
        warn_unresolved(name, commit, error)
        return commit


def fingerprint(encoder: str, revision: str, before: dict[str, Any]) -> dict[str, Any]:
    """Return what identifies an encoder: its name and the hash of its files, or the commit of its
    revision. before: the previous fingerprint. Raises UserError.
    """
    if is_folder(encoder, revision):
        return {"encoder": encoder, "sha256": folder_digest(Path(encoder))}
    about = {"encoder": encoder, "revision": revision or MAIN}
    known = before.get("commit") if about.items() <= before.items() else None
    return {**about, "commit": commit_of(encoder, about["revision"], known)}


def write_fingerprint(encoder: str, output: Path, revision: str) -> None:
    """Record which encoder a name stands for now: the commit on the hub, the hash of a folder.

    An output file that says the same already is not touched. Raises UserError.
    """
    check_file(output)
    before = read_fingerprint(output)
    now = fingerprint(encoder, revision, before)
    version = f"commit {now['commit'][:12]}" if "commit" in now else f"sha256 {now['sha256'][:12]}…"
    if now == before:
        msg.good(f"{encoder}: {version}, unchanged")
        return
    with written_beside(output.parent) as folder:
        srsly.write_json(folder / output.name, now)
    moved = [key for key in now if now[key] != before.get(key)] in (["commit"], ["sha256"])
    ending = ", changed: steps that depend on it will run again" if moved else ""
    msg.good(f"{encoder}: {version}{ending}")


if __name__ == "__main__":
    from ..common.old_names import run_module

    run_module(__spec__.name)
