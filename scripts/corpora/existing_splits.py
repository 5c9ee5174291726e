"""Splits of earlier conversions that are kept when a single file is converted."""

from collections.abc import Iterator
from pathlib import Path

import srsly
from spacy.tokens import Doc
from spacy.vocab import Vocab
from tqdm import tqdm

from ..common.errors import UserError
from ..common.files import check_whole
from .docbins import example_of, read_docs
from .examples import SPLITS, Example

REPLACED = "in a carved split replaced by another file"


class ExistingSplits:
    """The splits in a folder that are kept when a single file is converted into it.

    These are the folder's other splits, except those carved from a train split that the file
    replaces: they are replaced with it.
    """

    def __init__(self, folder: Path, report: dict, splits: list[str]) -> None:
        self.folder = folder
        self.report = report
        self.splits = {name: report["splits"][name] for name in splits}

    def docs(self, name: str) -> Iterator[Doc]:
        return read_docs(self.folder / f"{name}.spacy", Vocab())

    def labels(self) -> set[str]:
        """Return the labels in the `cats` of the texts, the same in all splits."""
        return set(next(self.docs(next(iter(self.splits)))).cats)

    def examples(self, name: str, kind: type[Example]) -> Iterator[Example]:
        """Yield the examples of a split, all of one kind, with a progress bar."""
        total = self.splits[name]["examples"]
        for doc in tqdm(self.docs(name), desc=f"read {name}.spacy", total=total):
            yield example_of(doc, kind)

    @property
    def several(self) -> bool:
        """Whether the texts may have several labels."""
        if not self.splits:
            return False
        if "several labels" in self.report:
            return self.report["several labels"]
        # Converted by an earlier version.
        docs = self.docs(next(iter(self.splits)))
        return any(doc.cats and sum(doc.cats.values()) != 1 for doc in docs)

    def check_labels(
        self, split: str, labels: tuple[str, ...], several: bool = False
    ) -> tuple[str, ...]:
        """Return the labels of the corpus, given those in the file for `split`, and whether its texts
        may have several.

        Raises UserError if the splits are for different tasks, or if their labels are incompatible.
        """
        if not self.splits:
            return labels
        others = ", ".join(self.splits)
        if any(("labels" in report) != bool(labels) for report in self.splits.values()):
            existing, new = ("entities", "labels") if labels else ("labels", "entities")
            raise UserError(
                f"{self.folder}: the existing splits ({others}) have {existing}, but this file has "
                f"{new}; choose another folder."
            )
        if not labels:
            return labels
        if several and not self.several:
            raise UserError(
                f"{self.folder}: the texts of the existing splits ({others}) have one label each, but "
                "this file has texts with several or none; choose another folder."
            )
        known = self.labels()
        if new := sorted(set(labels) - known):
            raise UserError(
                f"{self.folder}: label {new[0]!r} is not in the existing splits ({others}), which "
                f"have {listed(known)}; convert train first, from a file with all labels, or "
                "choose another folder."
            )
        if split == "train" and (missing := sorted(known - set(labels))):
            raise UserError(
                f"{self.folder}: the existing splits ({others}) have the label {missing[0]!r}, "
                "which is not in this train split; choose another folder."
            )
        return tuple(sorted(known))

    def merge_read(self, new: dict[str, dict]) -> dict[str, dict]:
        """Return the report on all files: those of the existing splits, then the new ones."""
        merged = {}
        for name, read in self.report["read"].items():
            kept = {split: n for split, n in read["written"].items() if split in self.splits}
            if not kept and read["split"] not in self.splits:
                continue
            if replaced := sum(read["written"].values()) - sum(kept.values()):
                read["skipped"][REPLACED] = {"count": replaced, "first": [name]}
            # A file of the same name in another folder, or an earlier version of this one.
            key = f"{name} ({read['split']})" if name in new else name
            merged[key] = {**read, "written": kept}
        return {**merged, **new}


NO_SPLITS = ExistingSplits(Path(), {"read": {}}, [])


def listed(labels: set[str]) -> str:
    return ", ".join(sorted(labels))[:80]


def find_existing_splits(folder: Path, split: str | None, language: str) -> ExistingSplits:
    """Return the splits that are kept when a file is converted into `folder` as `split`.

    A `split` of None means that a complete corpus is converted: nothing is kept.
    Raises UserError if report.json does not describe the existing splits, or for another language.
    """
    check_whole(folder)
    others = [s for s in SPLITS if split not in (s, None) and (folder / f"{s}.spacy").exists()]
    if not others:
        return ExistingSplits(folder, {"read": {}}, [])
    path = folder / "report.json"
    try:
        report = srsly.read_json(path)
        sources = {name: report["splits"][name]["from"] for name in others}
        existing = report["language"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: missing, or does not describe the existing splits ({', '.join(others)}); "
            "delete the folder, or choose another."
        ) from error
    if existing != language:
        raise UserError(
            f"{folder}: the existing corpus has language {existing!r}, not {language!r}; choose "
            "another folder."
        )
    return ExistingSplits(
        folder, report, [s for s in others if split != "train" or sources[s] != "train"]
    )
