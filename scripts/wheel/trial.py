"""Load an installed pipeline and annotate a few texts; `package` runs this file in a new process.

It stands for a user's program in an environment where only the pipeline and its requirements are
installed: all other packages are hidden, and nothing is imported from this project.
"""

import atexit
import gc
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
    """Return the normalised names of a package and of all its direct and indirect requirements."""
    done: set[tuple[str, str]] = set()
    # Pairs of a package and one of its extras, or "".
    queue = [(canonicalize_name(package), "")]
    while queue:
        name, extra = queue.pop()
        if (name, extra) in done:
            continue
        done.add((name, extra))
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for requirement in map(Requirement, lines):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                dependency = canonicalize_name(requirement.name)
                queue += [(dependency, extra) for extra in ("", *requirement.extras)]
    return {name for name, _ in done}


class RequiredFinder:
    """Import finder for the required packages alone; it hides all others.

    asked: hidden modules that were requested, and the packages that contain them.
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
    """Return each text with the categories or entities that a pipeline sets, or a list of both."""
    answers = []
    for doc in nlp.pipe(TEXTS):
        cats = {label: round(value, 3) for label, value in doc.cats.items()}
        entities = [[entity.text, entity.label_] for entity in doc.ents]
        found = [cats, entities] if cats and entities else cats or entities
        answers.append({"text": doc.text, "found": found})
    return answers


def main(package: str) -> None:
    finder = RequiredFinder(required(package))
    sys.meta_path[sys.meta_path.index(PathFinder)] = finder
    result: dict[str, Any] = {"asked": finder.asked}
    try:
        import spacy

        result["answers"] = annotate(spacy.load(package))
    finally:
        print(json.dumps(result))


if __name__ == "__main__":
    # As in scripts/__main__.py.
    gc.set_threshold(10_000)
    atexit.register(gc.freeze)
    main(sys.argv[1])
