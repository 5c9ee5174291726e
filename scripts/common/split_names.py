"""The files of a folder's splits, by their names."""

import re
from collections.abc import Callable
from pathlib import Path

from .errors import UserError

# Words in a file name that identify its split; in this order if several splits match.
SPLIT_WORDS = {
    "dev": {"dev", "devel", "development", "devset", "testa", "val", "valid", "validation"},
    "train": {"train", "training", "trainset"},
    "test": {"test", "testb", "testing", "testset"},
}
WORD = re.compile(r"[^\W\d_]+")
# A part of a split, as `datasets` writes them: train-00000-of-00002.parquet, formerly with a hash.
PART = re.compile(r"(?P<name>.+)-\d{5}-of-(?P<total>\d{5})(?:-[0-9a-f]{16})?(?P<suffix>\..*)?")


def split_of(path: Path) -> str | None:
    """Return the split that a file is named after, or None; only whole words count:
    eng.testa -> dev, wnut17train.conll -> train, latest.txt -> None."""
    words = set(WORD.findall(path.name.lower()))
    return next((split for split, names in SPLIT_WORDS.items() if names & words), None)


def duplicate_split(split: str, one: Path, other: Path) -> UserError:
    """Return the error for two files of a folder that are named after the same split."""
    return UserError(
        f"{one.parent}: both {one.name} and {other.name} are named after the {split} split; remove "
        "one of them, or convert one file at a time with --split."
    )


def visible_files(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.iterdir()) if p.is_file() and not p.name.startswith(".")]


def are_parts(one: Path, other: Path) -> bool:
    """Return whether two files are parts of one split."""
    matches = [PART.fullmatch(path.name) for path in (one, other)]
    if None in matches:
        return False
    first, second = (match.group("name", "total", "suffix") for match in matches)
    return first == second


def check_parts(paths: list[Path]) -> None:
    """Raise UserError if parts of a split are missing."""
    match = PART.fullmatch(paths[0].name)
    if match and len(paths) != int(match["total"]):
        raise UserError(
            f"{paths[0].parent}: only {len(paths)} of {int(match['total'])} parts of "
            f"{match['name']}…{match['suffix'] or ''}; fetch the others, or convert one file at a time "
            "with --split."
        )


def find_files(folder: Path, ignored: Callable[[str, str], None]) -> dict[str, list[Path]]:
    """Return the file of each split in a folder, or its parts, by file name; report others as
    `ignored`.

    If there is only one file, it is train, whatever its name. Raises UserError if two files are
    named after the same split, or parts are missing.
    """
    found: dict[str, list[Path]] = {}
    paths = visible_files(folder)
    for path in paths:
        split = split_of(path) or ("train" if len(paths) == 1 else None)
        if split is None:
            ignored("file not named after a split", str(path))
        elif split not in found:
            found[split] = [path]
        elif are_parts(found[split][0], path):
            found[split].append(path)
        else:
            raise duplicate_split(split, found[split][0], path)
    for parts in found.values():
        check_parts(parts)
    return found
