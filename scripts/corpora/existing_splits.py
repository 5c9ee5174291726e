"""The splits of earlier conversions that stay beside those of this one."""

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

REPLACED = "in a carved split that another file replaced"


class Kept:
    """What stays in a folder when a single file is converted into it.

    That is its other splits, but not those that were carved from the train split that the file
    replaces: they go with it.
    """

    def __init__(self, folder: Path, report: dict, splits: list[str]) -> None:
        self.folder = folder
        self.report = report
        self.splits = {name: report["splits"][name] for name in splits}

    def docs(self, name: str) -> Iterator[Doc]:
        return read_docs(self.folder / f"{name}.spacy", Vocab())

    def labels(self) -> set[str]:
        """Return the labels that each text of the splits has a value for."""
        return set(next(self.docs(next(iter(self.splits)))).cats)

    def examples(self, name: str, kind: type[Example]) -> Iterator[Example]:
        """Yield what is in a split as examples of a kind, with a progress bar."""
        total = self.splits[name]["examples"]
        for doc in tqdm(self.docs(name), desc=f"read {name}.spacy", total=total):
            yield example_of(doc, kind)

    def check(self, split: str, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Return the labels that `split`, in which there are these, shares with the others.

        Raises UserError for another task, and for labels that one side alone has.
        """
        if not self.splits:
            return labels
        others = ", ".join(self.splits)
        if any(("labels" in kept) != bool(labels) for kept in self.splits.values()):
            has, is_ = ("entities", "labels") if labels else ("labels", "entities")
            raise UserError(
                f"{self.folder}: its {others} has {has}, this file {is_}; choose another folder."
            )
        if not labels:
            return labels
        known = self.labels()
        if new := sorted(set(labels) - known):
            raise UserError(
                f"{self.folder}: its {others} has no label {new[0]!r}, only {shown(known)}; "
                "convert train first, from a file that has all labels, or choose another folder."
            )
        if split == "train" and (lacking := sorted(known - set(labels))):
            raise UserError(
                f"{self.folder}: its {others} has the label {lacking[0]!r}, which this train split "
                "lacks; choose another folder."
            )
        return tuple(sorted(known))

    def reads(self, new: dict[str, dict]) -> dict[str, dict]:
        """Return what the report says of all files: those of the kept splits, then the new ones."""
        reads = {}
        for name, read in self.report["read"].items():
            left = {split: n for split, n in read["written"].items() if split in self.splits}
            if not left and read["split"] not in self.splits:
                continue
            if lost := sum(read["written"].values()) - sum(left.values()):
                read["skipped"][REPLACED] = {"count": lost, "first": [name]}
            # The same name from another folder, or the file was changed since.
            shown_as = f"{name} ({read['split']})" if name in new else name
            reads[shown_as] = {**read, "written": left}
        return {**reads, **new}


def shown(labels: set[str]) -> str:
    return ", ".join(sorted(labels))[:80]


def kept_beside(folder: Path, split: str | None, language: str) -> Kept:
    """Return what of a folder stays when a file is converted into it as `split`; for a whole
    corpus, None, nothing does.

    Raises UserError where its other splits are not accounted for, or of another language.
    """
    check_whole(folder)
    others = [s for s in SPLITS if split not in (s, None) and (folder / f"{s}.spacy").exists()]
    if not others:
        return Kept(folder, {"read": {}}, [])
    path = folder / "report.json"
    try:
        report = srsly.read_json(path)
        sources = {name: report["splits"][name]["from"] for name in others}
        spoken = report["language"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: missing, or does not tell what {', '.join(others)} in the folder came from; "
            "delete the folder, or choose another."
        ) from error
    if spoken != language:
        raise UserError(
            f"{folder}: its corpus is of language {spoken!r}, not {language!r}; choose another "
            "folder."
        )
    return Kept(folder, report, [s for s in others if split != "train" or sources[s] != "train"])
