"""Likely label errors: where predictions of a model that has not seen an example contradict it.

As in Confident Learning (Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in
Dataset Labels"): out-of-fold predictions, ranked by the normalised margin between the label that the
model finds and the one that is given. The model is linear, on the vectors of an encoder that is not
trained: that takes seconds. By self-confidence, the probability of the given label alone, only words
that are marked as no entity would come first: models are too sure of these.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy
import torch

from ..encoders.frozen import Vectors

FOLDS = 5
# Passes over the examples, and the fewest updates.
EPOCHS, UPDATES = 10, 300
# Rows whose mean and standard deviation are those of all.
MEASURED = 20_000
UNKNOWN = -1


class Fit(NamedTuple):
    """How a linear model is fitted: rows of an update, weight of the squared weights in the loss."""

    batch: int
    penalty: float


# Found with draws of 3 % wrong labels in the sample corpora; ten times as much or little costs a tenth
# of the hits. Of texts there are hardly more than vectors have numbers.
TEXTS, TOKENS = Fit(64, 0.1), Fit(256, 1e-2)


class Suspect(NamedTuple):
    """A likely label error. row: the number of the example. start, end: the rows of vectors that it is
    about. given, found: numbers of labels. confidence: how sure it is that the given label is wrong,
    in [0.5, 1]: half of 1 and the margin by which found is more probable."""

    confidence: float
    row: int
    start: int
    end: int
    given: int
    found: int


def folds_of(groups: numpy.ndarray, seed: int) -> numpy.ndarray:
    """Return the fold of each example. Those of a group are in one fold: equal texts would otherwise
    vouch for each other."""
    _, numbers = numpy.unique(groups, return_inverse=True)
    order = numpy.random.default_rng(seed).permutation(numbers.max() + 1)
    return order[numbers] % FOLDS


def fitted(
    vectors: numpy.ndarray, rows: numpy.ndarray, gold: numpy.ndarray, fit: Fit, seed: int
) -> Callable[[numpy.ndarray], torch.Tensor]:
    """Fit a linear model to some rows of vectors; return what gives its logits.

    gold: (rows,), numbers of labels, or (rows, labels), of which any number may be 1.
    """
    random = numpy.random.default_rng(seed)
    sample = vectors[numpy.sort(random.permutation(rows)[:MEASURED])].astype("f4")
    mean, scale = sample.mean(0), sample.std(0) + 1e-3
    labels = gold.max() + 1 if gold.ndim == 1 else gold.shape[1]
    weights = torch.zeros(vectors.shape[1], labels, requires_grad=True)
    bias = torch.zeros(labels, requires_grad=True)

    def logits(values: numpy.ndarray) -> torch.Tensor:
        return torch.from_numpy((values.astype("f4") - mean) / scale) @ weights + bias

    loss_of = torch.nn.functional.cross_entropy
    target = torch.from_numpy(gold)
    if gold.ndim == 2:
        loss_of, target = torch.nn.functional.binary_cross_entropy_with_logits, target.float()
    optimizer = torch.optim.Adam([weights, bias], lr=2e-3)
    updates = -(-len(rows) // fit.batch)
    epochs = max(EPOCHS, -(-UPDATES // updates))
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, epochs * updates)
    for _ in range(epochs):
        order = random.permutation(rows)
        for start in range(0, len(order), fit.batch):
            batch = numpy.sort(order[start : start + fit.batch])
            loss = loss_of(logits(vectors[batch]), target[batch])
            loss = loss + fit.penalty * (weights**2).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return logits


def out_of_fold(
    vectors: Vectors, gold: numpy.ndarray, groups: numpy.ndarray, fit: Fit, seed: int = 0
) -> numpy.ndarray:
    """Return the probabilities of labels, (rows, labels), by models that have not seen the example.

    gold: as in `fitted`; UNKNOWN: no label, to be left out. groups: of each example.
    """
    fold = folds_of(groups, seed)[vectors.owner]
    known = gold != UNKNOWN if gold.ndim == 1 else gold[:, 0] != UNKNOWN
    labels = gold.max() + 1 if gold.ndim == 1 else gold.shape[1]
    found = numpy.zeros((len(gold), labels), "f4")
    for number in numpy.unique(fold):
        rows = numpy.flatnonzero(known & (fold != number))
        logits = fitted(vectors.values, rows, gold, fit, seed)
        others = numpy.flatnonzero(fold == number)
        for part in numpy.array_split(others, len(others) // MEASURED + 1):
            with torch.no_grad():
                values = logits(vectors.values[part])
                found[part] = values.softmax(1) if gold.ndim == 1 else values.sigmoid()
    return found


def margin(found: numpy.ndarray, given: int) -> float:
    """Return the normalised margin of the most probable label over a given one, in [0.5, 1]."""
    return float((1 + found.max() - found[given]) / 2)


def ranked(suspects: Sequence[Suspect]) -> list[Suspect]:
    return sorted(suspects, key=lambda suspect: (-suspect.confidence, suspect.row, suspect.start))


def suspects_of_texts(found: numpy.ndarray, gold: numpy.ndarray) -> list[Suspect]:
    """Return the texts to which the model gives another label, of exclusive ones, or each label that it
    gives or denies them unlike gold; the surest first.

    found: probabilities, (texts, labels). gold: as in `fitted`. For labels that do not exclude each
    other, given and found are the label's number where the text has it, and UNKNOWN where not.
    """
    if gold.ndim == 1:
        best = found.argmax(1)
        return ranked([
            Suspect(margin(found[row], gold[row]), row, row, row + 1, int(gold[row]), int(best[row]))
            for row in numpy.flatnonzero(best != gold).tolist()
        ])  # fmt: skip
    wrong = abs(gold - found)
    return ranked([
        Suspect(float(wrong[row, label]), row, row, row + 1,
                *((label, UNKNOWN) if gold[row, label] else (UNKNOWN, label)))
        for row, label in numpy.argwhere(wrong > 0.5).tolist()
    ])  # fmt: skip


def pieces_of(labels: numpy.ndarray, begins: numpy.ndarray) -> list[tuple[int, int]]:
    """Return the first and last, exclusive, of neighbours with the same label, not 0, between which
    nothing begins."""
    changes = numpy.flatnonzero((numpy.diff(labels) != 0) | begins[1:]) + 1
    edges = [0, *changes.tolist(), len(labels)]
    return [(start, end) for start, end in zip(edges, edges[1:]) if labels[start] > 0]


def suspects_of_entities(
    found: numpy.ndarray, gold: numpy.ndarray, begins: numpy.ndarray, owner: numpy.ndarray
) -> list[Suspect]:
    """Return the entities to which the model gives another type, or none, and what it takes for an
    entity where none is marked; the surest first. Of several tokens, the mean probabilities count.

    found: probabilities of types, 0 being none, (tokens, types). gold: the types. begins: whether an
    entity begins with a token. owner: the text of each token.
    """
    best = found.argmax(1)
    begins = begins | (numpy.diff(owner, prepend=-1) != 0)
    missed = numpy.where(gold == 0, best, 0)
    suspects = []
    for start, end in [*pieces_of(gold, begins), *pieces_of(missed, begins)]:
        given = int(gold[start])
        mean = found[start:end].mean(0)
        likely = int(mean.argmax())
        if likely != given:
            confidence = margin(mean, given)
            suspects.append(Suspect(confidence, int(owner[start]), start, end, given, likely))
    return ranked(suspects)
