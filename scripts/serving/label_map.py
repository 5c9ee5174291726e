"""Rename labels: OLD=new,OLD=new on the command line."""

from collections.abc import Iterable

from spacy.tokens import Doc, Span

from ..common.errors import UserError
from ..common.label_names import parse_label_names


def read_names(
    option: str, pairs: str, known: Iterable[str], may_drop: bool = False
) -> dict[str, str]:
    """Return new names by label, parsed from "OLD=new,OLD=new". Raises UserError.

    known: the existing labels. may_drop: whether OLD= is allowed, which drops a label.
    """
    names = parse_label_names(option, pairs, allow_empty=may_drop)
    unknown = set(names) - set(known)
    if unknown:
        raise UserError(
            f"{option}: no label {', '.join(sorted(unknown))}; the labels are {', '.join(sorted(known))}."
        )
    return names


def new_names(labels: Iterable[str], names: dict[str, str]) -> list[str]:
    """Return labels under their new names, each once, without those that are dropped."""
    return sorted({names.get(label, label) for label in labels} - {""})


def rename(doc: Doc, names: dict[str, str], exclusive: bool) -> None:
    """Rename the labels of a document's entities and categories.

    If several categories get the same name, its probability is their sum, or their highest if
    categories do not exclude each other.
    """
    doc.ents = [
        Span(doc, entity.start, entity.end, label=label)
        for entity in doc.ents
        for label in [names.get(entity.label_, entity.label_)]
        if label
    ]
    combine = sum if exclusive else max
    cats: dict[str, float] = {}
    for old, value in doc.cats.items():
        new = names.get(old, old)
        if new:
            cats[new] = combine((cats.get(new, 0.0), value))
    doc.cats = cats
