"""Texts that occur twice, in a split or in two, and texts annotated in several ways."""

import unicodedata
from array import array
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy
from spacy.tokens import Doc

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


def annotation_of(doc: Doc) -> tuple | None:
    """Return the labels and entities of a document; None if it is not annotated."""
    labels = frozenset(label for label, value in doc.cats.items() if value)
    if doc.has_annotation("ENT_IOB"):
        return labels, tuple((e.start_char, e.end_char, e.label) for e in doc.ents)
    return (labels,) if doc.cats else None


class Duplicates:
    """Finds equal texts by hashes of 64 bits, 25 bytes a text; from letters alone, nearly equal ones."""

    def __init__(self, splits: Sequence[str]) -> None:
        self.splits = list(splits)
        self.split = array("b")
        # White space around a text is no difference. 0: no letters, no annotation.
        self.exact, self.letters, self.annotation = array("q"), array("q"), array("q")

    def add(self, text: Text) -> None:
        letters, annotation = letters_of(text.string), annotation_of(text.doc)
        self.split.append(self.splits.index(text.split))
        self.exact.append(hash(text.string.strip()))
        self.letters.append(letters and hash(letters) or 0)
        self.annotation.append(0 if annotation is None else hash(annotation))

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
        yield from self.several_ways(exact, places)

    def several_ways(self, exact: numpy.ndarray, places: Places) -> Iterator[Finding]:
        """Yield what there is to say of equal texts with different annotations."""
        known = numpy.flatnonzero(numpy.frombuffer(self.annotation, "i8"))
        annotation = numpy.frombuffer(self.annotation, "i8")[known]
        _, first, inverse = numpy.unique(exact[known], return_index=True, return_inverse=True)
        different = annotation != annotation[first[inverse]]
        if different.any():
            count = len(numpy.unique(inverse[different]))
            what = "text that is annotated in another way elsewhere"
            yield Finding(WARNING, CHECK, what, count, places.of(known[different]))


def repeats(values: numpy.ndarray) -> numpy.ndarray:
    """Return which values occurred before."""
    again = numpy.ones(len(values), bool)
    again[numpy.unique(values, return_index=True)[1]] = False
    return again
