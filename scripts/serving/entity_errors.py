"""What is wrong with predicted entities, by kind: missed, spurious, or with a wrong border or type.

The kinds are those of MUC-5 as nervaluate counts them: its "partial" has a wrong border, "incorrect" a
wrong type. An entity with both is told apart here.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import compress
from typing import Any, NamedTuple

import numpy
from spacy.tokens import Doc

from .gold import judged
from .intervals import f_score, interval
from .predictions import Entity, entities

MISSED, SPURIOUS, BORDER, TYPE, BOTH = KINDS = (
    "missed", "spurious", "wrong border", "wrong type", "wrong border and type",
)  # fmt: skip


class Mistake(NamedTuple):
    """A predicted entity that is wrong, a gold one that is missed, or both where they overlap."""

    kind: str
    found: Entity | None
    wanted: Entity | None


def kind_of(found: Entity, wanted: Entity) -> str:
    """Return what is wrong with an entity that overlaps a gold one."""
    if found[:2] == wanted[:2]:
        return TYPE
    return BORDER if found[2] == wanted[2] else BOTH


def mistakes(found: Sequence[Entity], wanted: Sequence[Entity]) -> list[Mistake]:
    """Return what is wrong with the entities of a text, in the order of their characters.

    Of those that are wrong, each is compared with one gold entity that it overlaps and that no other
    one is compared with: that with the same borders, else of the same type, else with most characters in
    common.
    """
    right = set(found) & set(wanted)
    wrong, missed = ([one for one in side if one not in right] for side in (found, wanted))
    overlaps = [
        (-(one[:2] == gold[:2]), -(one[2] == gold[2]), -shared, one, gold)
        for one in wrong
        for gold in missed
        if (shared := min(one[1], gold[1]) - max(one[0], gold[0])) > 0
    ]
    result = []
    for *_, one, gold in sorted(overlaps):
        if one in wrong and gold in missed:
            wrong.remove(one)
            missed.remove(gold)
            result.append(Mistake(kind_of(one, gold), one, gold))
    result += [Mistake(SPURIOUS, one, None) for one in wrong]
    result += [Mistake(MISSED, None, gold) for gold in missed]
    return sorted(result, key=lambda mistake: mistake.found or mistake.wanted)


def mistakes_in(predicted: Sequence[Doc], gold: Sequence[Doc]) -> Iterator[list[Mistake]]:
    """Yield the mistakes in each document, where the gold annotation is known."""
    for found, doc in zip(predicted, gold):
        given = entities(found)
        yield mistakes(list(compress(given, judged(given, doc))), entities(doc))


def counted(predicted: Sequence[Doc], gold: Sequence[Doc]) -> dict[str, int]:
    """Return how many mistakes there are of each of KINDS."""
    counts = Counter(one.kind for found in mistakes_in(predicted, gold) for one in found)
    return {kind: counts[kind] for kind in KINDS}


def seen_and_unseen(
    predicted: Sequence[Doc], gold: Sequence[Doc], names: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Return P, R and F, with its 95 % interval, of entities whose text is among `names`, those that
    train has, and of the others; and how many of them gold has."""
    tally: dict[bool, list[tuple[int, int, int]]] = {True: [], False: []}
    for found, doc in zip(predicted, gold):
        given = entities(found)
        given, wanted = set(compress(given, judged(given, doc))), set(entities(doc))
        for seen, rows in tally.items():
            a, b = (
                {one for one in side if (text[one[0] : one[1]] in names) == seen}
                for side, text in ((given, found.text), (wanted, doc.text))
            )
            rows.append((len(a & b), len(a), len(b)))
    result = {}
    for title, seen in (("seen", True), ("unseen", False)):
        rows = numpy.array(tally[seen]).reshape(-1, 3)
        right, given, wanted = rows.sum(axis=0).tolist()
        result[title] = {
            "entities": wanted,
            "p": right / given if given else None,
            "r": right / wanted if wanted else None,
            "f": float(f_score(rows)) if given + wanted else None,
            "interval": interval(rows) if given + wanted else None,
        }
    return result
