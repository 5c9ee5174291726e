"""A folder for each class, with a text in each file: train/pos/0_9.txt (IMDb, Maas et al. 2011)."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ...common.errors import UserError
from ...common.rawfile import RawFile, plain_path
from ...common.rawfolder import RawFolder, files_below
from ...common.split_names import split_of, visible_files
from ..examples import EMPTY_TEXT, Example, Format, Log, Notes, labelled
from ..options import Options
from ..sample import Sample
from ..split_folders import OTHER, innermost, split_folders, visible_folders
from .labels import LabelReader

SUFFIXES = ("", ".txt", ".text", ".eml")
# Folders of texts without a class, in lower case.
UNLABELLED = ("unsup", "unsupervised", "unlabeled", "unlabelled")
WITHOUT_CLASS = "text without a class"
OUTSIDE = "file outside the folders of classes"
GIVE = (
    "give a folder with a folder of texts (.txt) for each class, or with train and test above them"
)


def is_text(path: Path) -> bool:
    """Return whether a file is a text, by its name; 20 Newsgroups names its files with numbers."""
    suffix = plain_path(path).suffix.lower()
    return suffix in SUFFIXES or suffix[1:].isdecimal()


def classes_in(folder: Path) -> dict[str, list[Path]]:
    """Return the texts of each class: of each folder that holds texts."""
    found = {path.name: [*filter(is_text, visible_files(path))] for path in visible_folders(folder)}
    return {
        name: paths for name, paths in found.items() if paths and name.lower() not in UNLABELLED
    }


def splits_in(folder: Path) -> dict[str, list[Path]]:
    """Return the folder of each split: those named after one, or else all is train."""
    inner = innermost(folder)
    return split_folders(inner, lambda below: bool(classes_in(below))) or {"train": [inner]}


def class_of(path: Path, root: Path) -> str:
    """Return the class of a text, "" of another file. root: the folder of its split.

    Raises UserError for a text in a folder within that of a class.
    """
    name, *rest = path.relative_to(root).parts
    if not rest or not is_text(path) or name.lower() in UNLABELLED:
        return ""
    if len(rest) > 1:
        raise UserError(f"{path}: a folder within that of a class, {name}; {GIVE}.")
    return name


def read(file: RawFile, options: Options, log: Log) -> Iterator[Example]:
    """Yield the texts of all classes, in the order of their paths.

    Raises UserError for a single file.
    """
    if not isinstance(file, RawFolder):
        raise UserError(f"{file}: not a folder; {GIVE}.")
    labels = LabelReader(file, options)
    encodings = set()
    names = set()
    for index, path in enumerate(file.paths):
        name = class_of(path, file.path)
        if not name:
            continue
        names.add(name)
        number = file.number(index)
        raw = file.file(index)
        text = raw.text()
        encodings.add(raw.encoding)
        if text.strip():
            yield labelled(text, labels.read(name), number)
        else:
            log.skip(EMPTY_TEXT, file.location(number))
    labels.close(log)
    log.layout["encoding"] = ", ".join(sorted(encodings))
    for train in visible_folders(file.path.parent):
        if split_of(file.path) in ("dev", "test") and split_of(train) == "train":
            log.layout["classes not in train"] = ", ".join(sorted(names - set(classes_in(train))))


def find(folder: Path, language: str, options: Options, ignored: Notes) -> dict[str, list[Path]]:
    """Return the folder of each split: those named after one, or else all is train.

    Raises UserError if there are no folders of classes.
    """
    found = splits_in(folder)
    roots = {path for paths in found.values() for path in paths}
    root_of = cache(lambda parent: next((x for x in (parent, *parent.parents) if x in roots), None))
    classes: set[str] = set()
    for path in files_below(folder):
        root = root_of(path.parent)
        name = class_of(path, root) if root else ""
        if name:
            classes.add(name)
        elif not is_text(path):
            ignored.add(OTHER, str(path))
        elif path.parent.name.lower() in UNLABELLED:
            ignored.add(WITHOUT_CLASS, str(path))
        else:
            ignored.add(OUTSIDE, str(path))
    if all(split_of(Path(name)) for name in classes):
        raise UserError(f"{folder}: no folders of classes found; {GIVE}.")
    return found


def recognises(sample: Sample) -> bool:
    """Return whether there are folders of texts for at least two classes, none of which are named after
    a split, as files of other corpora are."""
    if not sample.source.is_dir():
        return False
    found: dict[str, list[Path]] = {}
    for paths in splits_in(sample.source).values():
        for path in paths:
            found.update(classes_in(path))
    classes = [name for name, paths in found.items() if not all(map(split_of, paths))]
    return len(classes) > 1 and not all(split_of(Path(name)) for name in classes)


FORMAT = Format(
    "A folder for each class with a text in each file, train and test above them or not (IMDb)",
    read,
    options=("encoding", "label_names", "label_separator"),
    labels=None,
    find=find,
    # What is not read is counted.
    members=lambda name, language: True,
    recognises=recognises,
)
