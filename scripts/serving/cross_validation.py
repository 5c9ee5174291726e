"""The score of a small corpus without a test split: cross-validation with a linear model on the vectors of
an encoder that is not trained."""

from collections.abc import Sequence
from typing import Any

import numpy
from spacy.tokens import Doc, Token

from ..encoders.frozen import Frozen, Vectors, vectors_of
from ..training.label_errors import FOLDS, TEXTS, TOKENS, UNKNOWN, out_of_fold, pieces_of
from .gold import is_annotated
from .intervals import SCORES, f_score, interval
from .predictions import entities

# With fewer, folds have too few examples to learn from.
FEWEST = 20


def groups_of(docs: Sequence[Doc]) -> numpy.ndarray:
    """Return a number for each document, the same for equal texts."""
    numbers: dict[str, int] = {}
    return numpy.array([numbers.setdefault(doc.text.strip(), len(numbers)) for doc in docs])


def label_rows(docs: Sequence[Doc]) -> tuple[list[str], numpy.ndarray]:
    """Return the labels of texts, and 1 where a text has one: (texts, labels)."""
    labels = sorted({label for doc in docs for label in doc.cats})
    truth = [[float(doc.cats.get(label, 0) > 0) for label in labels] for doc in docs]
    return labels, numpy.array(truth)


def entity_rows(
    docs: Sequence[Doc], vectors: Vectors
) -> tuple[list[str], list[Token], numpy.ndarray, numpy.ndarray]:
    """Return the types of entities, the first being none, and of each row of vectors the token, the
    number of its type, and whether an entity begins with it."""
    types = ["", *sorted({entity.label_ for doc in docs for entity in doc.ents})]
    tokens = [docs[row][token] for row, token in zip(vectors.owner, vectors.token)]
    gold = [types.index(token.ent_type_) if token.ent_iob else UNKNOWN for token in tokens]
    begins = [token.ent_iob_ == "B" for token in tokens]
    return types, tokens, numpy.array(gold), numpy.array(begins)


def tally_of_texts(docs: Sequence[Doc], frozen: Frozen, exclusive: bool) -> numpy.ndarray:
    """Return, of each text, the numbers of labels that are right, given, and gold."""
    labels, truth = label_rows(docs)
    gold = truth.argmax(1) if exclusive else truth
    with vectors_of(docs, frozen, tokens=False) as vectors:
        found = out_of_fold(vectors, gold, groups_of(docs), TEXTS)
    given = found >= 0.5
    if exclusive:
        given = numpy.arange(len(labels)) == found.argmax(1)[:, None]
    return numpy.stack([(given & (truth == 1)).sum(1), given.sum(1), truth.sum(1)], 1)


def tally_of_entities(docs: Sequence[Doc], frozen: Frozen) -> numpy.ndarray:
    """Return, of each text, the numbers of entities that are right, given, and gold. Neighbouring
    tokens of one type are one entity: those that touch another of their type cannot be told apart."""
    with vectors_of(docs, frozen, tokens=True) as vectors:
        types, tokens, gold, _ = entity_rows(docs, vectors)
        found = out_of_fold(vectors, gold, groups_of(docs), TOKENS).argmax(1)
        begins = numpy.diff(vectors.owner, prepend=-1) != 0
        given: list[set[tuple[int, int, str]]] = [set() for _ in docs]
        for start, end in pieces_of(found, begins):
            first, last = tokens[start], tokens[end - 1]
            span = (first.idx, last.idx + len(last), types[found[start]])
            given[vectors.owner[start]].add(span)
    wanted = [set(entities(doc)) for doc in docs]
    return numpy.array([(len(a & b), len(a), len(b)) for a, b in zip(given, wanted)])


def cross_validation(docs: Sequence[Doc], task: str, frozen: Frozen) -> dict[str, Any] | None:
    """Return the score of a task in a cross-validation, its 95 % interval over texts, and what was done;
    None if the examples are too few, or have a single label.

    docs: all annotated examples. The score is that of a linear model on the frozen encoder: a pipeline
    whose encoder is trained is usually better.
    """
    docs = [doc for doc in docs if is_annotated(doc, task) and doc.text.strip()]
    labels = {label for doc in docs for label, value in doc.cats.items() if value}
    if len(docs) < FEWEST or (task == "textcat" and len(labels) < 2):
        return None
    if task == "ner":
        tally = tally_of_entities(docs, frozen)
    else:
        tally = tally_of_texts(docs, frozen, exclusive=task == "textcat")
    return {
        "name": SCORES[task],
        "score": float(f_score(tally)),
        "interval": interval(tally),
        "examples": len(docs),
        "folds": FOLDS,
        "model": "linear, on the frozen encoder's vectors",
    }


def in_words(result: dict[str, Any]) -> str:
    """Return a result in a line."""
    low, high = result["interval"]
    return (
        f"cross-validation on {result['examples']:,} examples, {result['folds']} folds, {result['model']}: "
        f"{result['name']} {result['score']:.3f} (95 %: {low:.3f} to {high:.3f})"
    )
