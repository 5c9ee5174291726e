"""What is read of a Label Studio project: which tag, and which of the data is the text.

The names that the project's configuration gives them are not in its exports.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from ...common.errors import UserError
from ...common.rawfile import RawFile
from ..options import Options
from ..spans import squeeze
from .annotations import pick
from .columns import TEXT_COLUMNS
from .label_studio_tasks import CHOICES, ENTITIES, Task

ADDRESS = re.compile(r"\s*(?:[A-Za-z][\w+.-]*://|/data/|data:)\S+\s*")
WORDS = {ENTITIES: "entities", CHOICES: "choices"}


class Layout(NamedTuple):
    """What is read: the tag, the kind of its results, and the key of the text in the data."""

    tag: str
    kind: str
    text: str


def choose_tag(file: RawFile, tags: Counter, annotated: int, named: str) -> tuple[str, str]:
    """Return the tag to read and the kind of its results. tags: results by name and kind.

    Raises UserError if no tag can be read, or several.
    """
    usable = {key: count for key, count in tags.items() if key[1] in WORDS}
    listed = ", ".join(f"{tag} ({WORDS[kind]}, {n:,})" for (tag, kind), n in usable.items())
    if named:
        tag = pick((tag for tag, _ in usable), named)
        usable = {key: count for key, count in usable.items() if key[0] == tag}
        if not usable:
            raise UserError(
                f"{file}: no entities or choices of the tag {named!r}; there are: {listed or 'none'}."
            )
    if not usable:
        others = ", ".join(sorted({kind for _, kind in tags})) or "nothing"
        raise UserError(
            f"{file}: neither entities nor choices in {annotated:,} annotations, but {others[:200]}; "
            "only labels and choices of texts can be read."
        )
    if len(usable) > 1:
        raise UserError(
            f"{file}: several tags are annotated: {listed[:300]}; name one with --label-column, and "
            "convert the others separately."
        )
    return next(iter(usable))


def choose_text(
    file: RawFile, layout: "Survey", names: list[str], candidates: list[str], named: str
) -> str:
    """Return the key of the text. names: those of the object tag that was annotated.

    Raises UserError if it cannot be told.
    """
    listed = ", ".join(layout.keys)[:200] or "no text"
    if named:
        key = pick(layout.keys, named)
        if key is None:
            raise UserError(f"{file}: no text {named!r} in the data, which has: {listed}.")
        return key
    for name in names:
        if name in layout.other:
            raise UserError(
                f"{file}: the annotated {name!r} is not a string but a list or an object; only "
                "texts can be read."
            )
        if name in layout.addresses:
            raise UserError(
                f"{file}: {name!r} holds addresses of files, not texts; only texts can be read."
            )
    known = [key for key in (*names, *TEXT_COLUMNS) if key in candidates]
    if known or len(candidates) == 1:
        return (known or candidates)[0]
    raise UserError(
        f"{file}: the annotated text is {'not' if not candidates else 'one'} of the data's {listed}; "
        "name it with --text-column."
    )


class Survey:
    """What the tasks of a file hold.

    keys: of strings in the data; other: of what is no string; addresses: of addresses alone.
    repeated: number of entities with a text of their own; elsewhere: how many of them are not in the
    string of a key.
    """

    def __init__(self, found: Iterator[Task]) -> None:
        self.keys: dict[str, None] = {}
        self.other: set[str] = set()
        self.addresses: set[str] = set()
        self.elsewhere: Counter = Counter()
        self.tags: Counter = Counter()
        self.objects: dict[str, Counter] = {}
        self.tasks = self.repeated = 0
        for task in found:
            self.add(task)

    def add(self, task: Task) -> None:
        self.tasks += 1
        for key, value in task.data.items():
            if isinstance(value, str) and value.strip():
                address = ADDRESS.fullmatch(value) is not None
                if key not in self.keys and address:
                    self.addresses.add(key)
                elif not address:
                    self.addresses.discard(key)
                self.keys[key] = None
            elif isinstance(value, (list, dict)):
                self.other.add(key)
        for result in task.results:
            if not result.name:
                continue
            self.tags[result.name, result.kind] += 1
            self.objects.setdefault(result.name, Counter())[result.object] += 1
            own = result.value.get("text") if result.kind == ENTITIES else None
            if isinstance(own, str):
                self.repeated += 1
                for key in self.keys:
                    value = task.data.get(key)
                    if not isinstance(value, str) or not holds(value, own):
                        self.elsewhere[key] += 1

    def layout(self, file: RawFile, options: Options) -> Layout | None:
        """Return what is to be read; None if there is no annotation. Raises UserError."""
        if not self.tasks:
            return None
        tag, kind = choose_tag(file, self.tags, self.tasks, options.label_column or "")
        names = [name for name, _ in self.objects[tag].most_common() if name]
        keys = [key for key in self.keys if key not in self.addresses]
        if kind == ENTITIES:
            keys = [key for key in keys if self.elsewhere[key] <= self.repeated / 2]
        return Layout(tag, kind, choose_text(file, self, names, keys, options.text_column or ""))


def own_text(own: str, text: str) -> str:
    """Return the text of an entity as its value repeats it, with real line ends, which Label Studio
    writes as a backslash and an n."""
    return own if "\\n" in text else own.replace("\\n", "\n")


def holds(text: str, own: str) -> bool:
    """Return whether a text contains that of an entity, but for whitespace."""
    return squeeze(own_text(own, text)) in squeeze(text)
