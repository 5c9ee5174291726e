"""Write down which encoder a name stands for: `python -m scripts.encoders.fingerprint ENCODER OUTPUT`.

Trainings depend on that file: a name on the hub is no path that the project engine could watch, and
which folder a variable names is not known to project.yml.
"""

import hashlib
from pathlib import Path
from typing import Any

import srsly
from wasabi import msg

from ..common.downloads import Unavailable, impatient_hub, reason_of
from ..common.files import check_file, sha256, written_beside
from .snapshot import (
    CONFIG,
    HUB_ERRORS,
    MAIN,
    ask_hub,
    is_folder,
    look_up,
    needed,
    tell_unasked,
    unusable,
)


def read_identity(path: Path) -> dict[str, Any]:
    """Return what was written before, nothing where it cannot be read."""
    try:
        found = srsly.read_json(path) if path.is_file() else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def digest(folder: Path) -> str:
    """Return one sha256 over names and contents of config, tokenizer and weights in a folder.

    Raises UserError where it is no checkpoint.
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
    """Return the commit of a revision on the hub; where it cannot be told, the `known` one, or that
    in the cache. Raises UserError where there is none.
    """
    try:
        with impatient_hub():
            return ask_hub(name, revision).name
    except HUB_ERRORS as error:
        cached = look_up(name, revision) if isinstance(error, Unavailable) else None
        commit = known or (cached and cached.name)
        if commit is None:
            raise unusable(name, reason_of(error)) from error
        tell_unasked(name, commit, error)
        return commit


def fingerprint(encoder: str, revision: str, before: dict[str, Any]) -> dict[str, Any]:
    """Return what tells an encoder from others: its name and the hash of its files, or the commit of
    its revision. before: what was known of it the last time. Raises UserError.
    """
    if is_folder(encoder, revision):
        return {"encoder": encoder, "sha256": digest(Path(encoder))}
    about = {"encoder": encoder, "revision": revision or MAIN}
    known = before.get("commit") if about.items() <= before.items() else None
    return {**about, "commit": commit_of(encoder, about["revision"], known)}


def write_fingerprint(encoder: str, output: Path, revision: str) -> None:
    """Write down which encoder a name stands for now: the commit on the hub, the hash of a folder.

    A file that says the same already is not touched.
    """
    check_file(output)
    before = read_identity(output)
    now = fingerprint(encoder, revision, before)
    version = f"commit {now['commit'][:12]}" if "commit" in now else f"sha256 {now['sha256'][:12]}…"
    if now == before:
        msg.good(f"{encoder}: {version}, as before")
        return
    with written_beside(output.parent) as folder:
        srsly.write_json(folder / output.name, now)
    moved = [key for key in now if now[key] != before.get(key)] in (["commit"], ["sha256"])
    ending = ", another than before: what depends on it is to be made again" if moved else ""
    msg.good(f"{encoder}: {version}{ending}")


if __name__ == "__main__":
    from ..common.old_names import run_module

    run_module(__spec__.name)
