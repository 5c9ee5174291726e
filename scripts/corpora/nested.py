"""Nested random samples of train: those of a smaller share are also in a larger one."""

import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from spacy.tokens import Doc

# With fewer documents, whole ones would be too coarse.
FEWEST_DOCUMENTS = 50


class Unit(NamedTuple):
    """What is sampled as a whole: a document of the corpus, or an example. rows: their places in the
    split; labels: how often each label, or type of entity, occurs in them."""

    rows: list[int]
    labels: Counter[str]


def labels_in(doc: Doc, task: str) -> list[str]:
    """Return the labels that a document is annotated with, or the types of its entities."""
    if task == "ner":
        return [entity.label_ for entity in doc.ents]
    return [label for label, value in doc.cats.items() if value]


def units_of(docs: Iterable[Doc], task: str) -> tuple[str, list[Unit]]:
    """Return what a split is sampled by, "document" or "example", and the units.

    Whole documents, as people annotate them: of sentences from all documents, a few say as much as
    many. Where the corpus has no documents, or fewer than FEWEST_DOCUMENTS, single examples.
    """
    documents: dict[object, Unit] = {}
    examples = []
    for row, doc in enumerate(docs):
        example = Unit([row], Counter(labels_in(doc, task)))
        examples.append(example)
        origin = doc.user_data
        named = "document" in origin
        key = (origin.get("file"), origin["document"]) if named else row
        document = documents.setdefault(key, Unit([], Counter()))
        document.rows.append(row)
        document.labels.update(example.labels)
    if FEWEST_DOCUMENTS <= len(documents) < len(examples):
        return "document", list(documents.values())
    return "example", examples


def nested(units: Sequence[Unit], shares: Collection[float], seed: int) -> Iterator[list[Unit]]:
    """Yield a random sample for each share of the rows, in (0, 1]: units in a random order, until the
    share is reached. All samples of a seed follow one order, so that smaller ones are in larger ones."""
    order = list(units)
    random.Random(seed).shuffle(order)
    ends = list(accumulate(len(unit.rows) for unit in order))
    for share in shares:
        wanted = share * ends[-1]
        # Rounded, or a share of 0.1 of 30 could be 4 for the last bit of a float.
        count = next(n for n, end in enumerate(ends, 1) if end >= round(wanted, 6))
        yield order[:count]
