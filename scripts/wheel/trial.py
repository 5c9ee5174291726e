"""Load an installed pipeline and annotate a few texts; run by `package`, on its own.

Knows nothing of this project: it stands for a user's program, where nothing is installed but the
pipeline and what it requires. Other packages that are there are hidden.
"""

import json
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TEXTS = [
    "Née à Varsovie, Marie Curie rejoint la Sorbonne en 1891 : une vie magnifique.",
    "Paul Newman plays a lawyer in Boston; a dull, lifeless film.",
    "",
    "😀 👩‍🚀",
    "mot " * 700,
]


def required(package: str) -> set[str]:
    """Return the normalised names of a package and of all that it requires, however deep."""
    done: set[tuple[str, str]] = set()
    # Each with an extra that is asked of it, or none.
    left = [(canonicalize_name(package), "")]
    while left:
        name, extra = left.pop()
        if (name, extra) in done:
            continue
        done.add((name, extra))
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for need in map(Requirement, lines):
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                left += [(canonicalize_name(need.name), extra) for extra in ("", *need.extras)]
    return {name for name, _ in done}


class Required:
    """Finds modules and metadata of the packages that are required, and hides those of others.

    asked: hidden modules that were asked for, and the packages that they are of.
    """

    def __init__(self, names: set[str]) -> None:
        self.names = names
        self.hidden = {
            module: packages
            for module, packages in metadata.packages_distributions().items()
            if module not in sys.stdlib_module_names
            and not names.intersection(map(canonicalize_name, packages))
        }
        self.asked: dict[str, str] = {}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        top = name.partition(".")[0]
        if top in self.hidden:
            self.asked[top] = self.hidden[top][0]
            return None
        return PathFinder.find_spec(name, path, target)

    def find_distributions(self, *context: Any) -> Iterator[metadata.Distribution]:
        for found in PathFinder.find_distributions(*context):
            if canonicalize_name(found.name) in self.names:
                yield found


def annotate(nlp: Any) -> list[dict[str, Any]]:
    """Return each text with the categories or the entities that a pipeline finds in it."""
    answers = []
    for doc in nlp.pipe(TEXTS):
        found = {label: round(value, 3) for label, value in doc.cats.items()} or [
            [entity.text, entity.label_] for entity in doc.ents
        ]
        answers.append({"text": doc.text, "found": found})
    return answers


def main(package: str) -> None:
    finder = Required(required(package))
    sys.meta_path[sys.meta_path.index(PathFinder)] = finder
    said: dict[str, Any] = {"asked": finder.asked}
    try:
        import spacy

        said["answers"] = annotate(spacy.load(package))
    finally:
        print(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1])
