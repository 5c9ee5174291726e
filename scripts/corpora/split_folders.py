"""Corpora of many files in folders: the folder of each split."""

from collections.abc import Callable, Iterator
from pathlib import Path

from ..common.errors import UserError
from ..common.rawfile import RawFile
from ..common.rawfolder import RawFolder, files_below
from ..common.split_names import duplicate_split, split_of
from .examples import Example, Notes
from .spans import Marked

OUTSIDE = "file outside the folders of the splits"
OTHER = "file of another kind"
Folders = dict[str, list[Path]]


def visible_folders(folder: Path) -> list[Path]:
    """Return the folders in a folder, but for hidden ones and links, which may lead anywhere."""
    return [
        path
        for path in sorted(folder.iterdir())
        if path.is_dir() and not path.is_symlink() and not path.name.startswith(".")
    ]


def innermost(folder: Path) -> Path:
    """Return the folder that a corpus is in: a single folder that has folders itself stands for the one
    that it is in, whatever its name."""
    below = visible_folders(folder)
    if len(below) == 1 and visible_folders(below[0]):
        return innermost(below[0])
    return folder


def split_folders(folder: Path, is_corpus: Callable[[Path], bool]) -> Folders:
    """Return the folder of each split, by name; {} if there are none, or no other folder.

    is_corpus: whether a folder may be a split. Raises UserError for two that are named after one split.
    """
    found: Folders = {}
    below = visible_folders(folder)
    for path in below if len(below) > 1 else ():
        split = split_of(path)
        if split is None or not is_corpus(path):
            continue
        if split in found:
            raise UserError(
                f"{folder}: both {found[split][0].name} and {path.name} are named after the {split} "
                "split; rename or remove one of them."
            )
        found[split] = [path]
    return found


def files_of_splits(
    folder: Path, wanted: Callable[[Path], bool], kind: str, ignored: Notes
) -> Folders:
    """Return the folder of each split of a corpus whose files are anywhere below, or `folder` as train;
    report files that are not read as `ignored`.

    wanted: whether a file is one of the corpus. kind: what these are called.
    Raises UserError if there are none, and as `split_folders` does.
    """
    paths = files_below(folder)
    if not any(map(wanted, paths)):
        raise UserError(f"{folder}: no {kind} found; give the folder of the corpus.")
    found = split_folders(innermost(folder), lambda below: any(map(wanted, files_below(below))))
    found = found or {"train": [folder]}
    roots = {path for paths in found.values() for path in paths}
    for path in paths:
        if not wanted(path):
            ignored.add(OTHER, str(path))
        elif roots.isdisjoint(path.parents):
            ignored.add(OUTSIDE, str(path))
    return found


def documents_of_splits(
    folder: Path, wanted: Callable[[Path], bool], kind: str, ignored: Notes
) -> Folders:
    """Return the file of each split, if all files are named after one, or there is only one file; or
    else what `files_of_splits` does: the files are documents."""
    paths = files_below(folder)
    documents = [path for path in paths if wanted(path)]
    if len(documents) != 1 and not all(map(split_of, documents)):
        return files_of_splits(folder, wanted, kind, ignored)
    found: Folders = {}
    for path in documents:
        split = "train" if len(documents) == 1 else split_of(path)
        if split in found:
            raise duplicate_split(split, found[split][0], path)
        found[split] = [path]
    for path in paths:
        if not wanted(path):
            ignored.add(OTHER, str(path))
    return found or files_of_splits(folder, wanted, kind, ignored)


def in_documents(
    file: RawFile,
    wanted: Callable[[Path], bool],
    read: Callable[[RawFile], Iterator[Marked | Example]],
) -> Iterator[Marked | Example]:
    """Yield what is in a file, or in the wanted files of a folder, each of which is a document."""
    if not isinstance(file, RawFolder):
        yield from read(file)
        return
    for index, path in enumerate(file.paths):
        if wanted(path):
            name = file.relative(index)
            for example in read(file.file(index)):
                number = file.number(index, example.number)
                yield example._replace(number=number, document=name)
