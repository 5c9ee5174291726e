"""Texts that occur twice, in a split or in two, and texts annotated in several ways."""

import unicodedata
from array import array
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy

from .findings import SERIOUS, WARNING, Finding, Places, Text

CHECK = "duplicates"
NEAR = "but for case, digits, punctuation or spaces"
VARIATION_SELECTORS = range(0xFE00, 0xFE10)


class Letters(dict):
    """Maps a character, for `str.translate`, to itself if it is a letter or belongs to one, as vowel
    signs of Indic scripts do, and else to nothing."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        kept = unicodedata.category(character) in ("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc")
        self[code] = result = character if kept and code not in VARIATION_SELECTORS else None
        return result


LETTERS = Letters()


def letters_of(text: str) -> str:
    """Return the lower-case letters of a text alone, accents composed; "" if it has none."""
    letters = unicodedata.normalize("NFC", text).lower().translate(LETTERS)
    return letters if any(map(str.isalpha, letters)) else ""


def annotations_of(text: Text) -> dict[str, int]:
    """Return a hash of the labels and one of the entities of a text; 0 for what is not annotated."""
    doc, string = text.doc, text.string
    labels = frozenset(label for label, value in doc.cats.items() if value)
    shift = len(string) - len(string.lstrip())
    spans = tuple((e.start_char - shift, e.end_char - shift, e.label_) for e in doc.ents)
    marked = bool(spans) or doc.has_annotation("ENT_IOB")
    return {"labels": hash(labels) if doc.cats else 0, "entities": hash(spans) if marked else 0}


class Duplicates:
    """Finds equal texts by hashes of 64 bits, 33 bytes a text; from letters alone, nearly equal ones."""

    def __init__(self, splits: Sequence[str]) -> None:
        self.splits = list(splits)
        self.split = array("b")
        # White space around a text is no difference. 0: no letters, no annotation.
        self.exact, self.letters = array("q"), array("q")
        self.annotations = {"labels": array("q"), "entities": array("q")}

    def add(self, text: Text) -> None:
        letters = letters_of(text.string)
        self.split.append(self.splits.index(text.split))
        self.exact.append(hash(text.string.strip()))
        self.letters.append(letters and hash(letters) or 0)
        for kind, annotation in annotations_of(text).items():
            self.annotations[kind].append(annotation)

    def findings(self, places: Places) -> Iterator[Finding]:
        split = numpy.frombuffer(self.split, "i1")
        exact, letters = (numpy.frombuffer(x, "i8") for x in (self.exact, self.letters))
        rows = {name: numpy.flatnonzero(split == i) for i, name in enumerate(self.splits)}
        for a, b in combinations(self.splits, 2):
            same = numpy.isin(exact[rows[b]], exact[rows[a]])
            near = numpy.isin(letters[rows[b]], letters[rows[a]]) & (letters[rows[b]] != 0) & ~same
            for severity, found, how in ((SERIOUS, same, ""), (WARNING, near, f", {NEAR}")):
                if found.any():
                    what = f"text of {b} that is in {a} too{how}"
                    first = places.of(rows[b][found])
                    yield Finding(severity, CHECK, what, int(found.sum()), first)
        for name, own in rows.items():
            again = repeats(exact[own])
            near = repeats(letters[own]) & (letters[own] != 0) & ~again
            for found, how in ((again, ""), (near, f", {NEAR}")):
                if found.any():
                    what = f"text of {name} that is there before{how}"
                    yield Finding(WARNING, CHECK, what, int(found.sum()), places.of(own[found]))
        for kind, annotation in self.annotations.items():
            values = numpy.frombuffer(annotation, "i8")
            known = numpy.flatnonzero(values)
            _, first, same = numpy.unique(exact[known], return_index=True, return_inverse=True)
            different = values[known] != values[known][first[same]]
            if different.any():
                count = len(numpy.unique(same[different]))
                what = f"text that has other {kind} elsewhere"
                yield Finding(WARNING, CHECK, what, count, places.of(known[different]))


def repeats(values: numpy.ndarray) -> numpy.ndarray:
    """Return which values occurred before."""
    again = numpy.ones(len(values), bool)
    again[numpy.unique(values, return_index=True)[1]] = False
    return again
