"""Seeded, stratified carving of dev and test from the rows of train."""

import random
from collections import Counter
from itertools import accumulate
from typing import NamedTuple

import numpy

from ..common.errors import UserError
from .examples import SPLITS
from .groups import Rows, group_rows, max_group_size
from .phrases import assign_phrases

# What a row can be assigned to; "" means that it is left out.
TARGETS = (*SPLITS, "")
TRAIN, LEFT_OUT = TARGETS.index("train"), TARGETS.index("")


class Carving(NamedTuple):
    """The assignment of the rows of train to splits.

    assigned: for each row, an index into TARGETS.
    by: the kind of groups that were kept together.
    requested, sizes: the number of rows that each carved split was to have, and has.
    leaked: the number of texts that ended up in several splits.
    """

    assigned: numpy.ndarray
    by: str
    requested: dict[str, int]
    sizes: dict[str, int]
    leaked: int


def apportion(total: int, strata: dict[str, int]) -> dict[str, int]:
    """Distribute `total` over the strata in proportion to their sizes, by largest remainders."""
    size = sum(strata.values())
    exact = {name: total * count / size for name, count in strata.items()}
    shares = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (shares[name] - exact[name], name))
    for name in by_remainder[: total - sum(shares.values())]:
        shares[name] += 1
    return shares


def assign_groups(
    groups: numpy.ndarray, strata: numpy.ndarray, names: list[str], sizes: dict[str, int], seed: int
) -> numpy.ndarray:
    """Return the target of each group: at most `sizes` rows per carved split, the rest in train.

    Selection sampling (Knuth, TAOCP 2, 3.4.2, algorithm S) with several bins, the largest groups
    first. A group is assigned to one of the bins that have room for it, with a probability
    proportional to the room left in the group's strata, or to train if there is none. If every
    group is a single row, the sizes are exact.
    """
    left = dict(zip(names, numpy.bincount(strata, minlength=len(names)).tolist()))
    bins = []
    for split, size in sizes.items():
        shares = apportion(size, left)
        left = {name: count - shares[name] for name, count in left.items()}
        bins.append((TARGETS.index(split), [shares[name] for name in names]))
    bins.append((TRAIN, [left[name] for name in names]))
    counts = numpy.bincount(groups)
    # The strata of all rows, sorted by group.
    members = memoryview(strata[numpy.argsort(groups, kind="stable")])
    ends = memoryview(numpy.cumsum(counts))
    targets = numpy.full(len(counts), TRAIN, dtype=numpy.uint8)
    draw = random.Random(seed)
    for group in memoryview(numpy.argsort(-counts, kind="stable")):
        end = ends[group]
        needed = Counter(members[end - int(counts[group]) : end].tolist())
        rooms = [
            sum(free[s] for s in needed) if all(free[s] >= n for s, n in needed.items()) else 0
            for _, free in bins
        ]
        ticket = draw.randrange(sum(rooms)) if any(rooms) else 0
        bounds = zip(bins, accumulate(rooms))
        targets[group], free = next((bin for bin, bound in bounds if ticket < bound), bins[-1])
        for stratum, n in needed.items():
            free[stratum] -= n
    return targets


def sample_train(
    assigned: numpy.ndarray, strata: numpy.ndarray, names: list[str], size: int, seed: int
) -> None:
    """Keep a stratified random sample of `size` rows in train, and leave out the other ones."""
    train = assigned == TRAIN
    left = dict(zip(names, numpy.bincount(strata[train], minlength=len(names)).tolist()))
    draw = random.Random(seed)
    for number, share in enumerate(apportion(min(size, train.sum()), left).values()):
        rows = numpy.flatnonzero(train & (strata == number))
        assigned[rows] = LEFT_OUT
        assigned[rows[draw.sample(range(len(rows)), share)]] = TRAIN


def count_leaked(texts: numpy.ndarray, assigned: numpy.ndarray) -> int:
    """Return the number of distinct texts that are assigned to several splits."""
    pairs = numpy.unique(numpy.stack([texts, assigned.astype(texts.dtype)]), axis=1)
    return int((numpy.unique(pairs[0], return_counts=True)[1] > 1).sum())


def sizes_of(total: int, ratios: dict[str, float], explicit: set[str], where: object) -> dict:
    """Return the number of rows, out of `total`, for each split; splits with none are omitted.

    Raises UserError if none are left for train, or none for a split in `explicit`, which the user
    asked for.
    """
    sizes = {split: round(total * ratio) for split, ratio in ratios.items()}
    if total <= sum(sizes.values()):
        raise UserError(
            f"{where}: no examples left for train: of {total}, {sizes['dev']} go to dev and "
            f"{sizes['test']} to test; use a smaller --dev-ratio or --test-ratio."
        )
    for split in explicit:
        if ratios[split] and not sizes[split]:
            raise UserError(
                f"{where}: --{split}-ratio {ratios[split]} of {total} examples is less than one; "
                "use a larger ratio, or omit it."
            )
    return {split: size for split, size in sizes.items() if size}


def by_hash(keys: numpy.ndarray, ratios: dict[str, float], seed: int) -> numpy.ndarray:
    """Return the target of each row: the split into whose share of all hashes its key falls, so that it
    does not depend on other rows. ratios: of dev and test, 0 for those that are not carved.

    A split that would be empty gets the row that is nearest to its share.
    """
    # Mixed with the seed by a multiplication with an odd number (Fibonacci hashing).
    mixed = (keys ^ numpy.uint64(seed)) * numpy.uint64(0x9E3779B97F4A7C15)
    place = mixed / 2.0**64
    targets = numpy.full(len(keys), TRAIN, dtype=numpy.uint8)
    low = 0.0
    for split in ("test", "dev"):
        high = low + ratios[split]
        chosen = (place >= low) & (place < high)
        if ratios[split] and not chosen.any():
            free = numpy.where(targets == TRAIN, abs(place - low), numpy.inf)
            chosen = keys == keys[free.argmin()]
        targets[chosen] = TARGETS.index(split)
        low = high
    return targets


def carve(
    rows: Rows,
    sizes: dict[str, int],
    train_size: int | None,
    seed: int,
    where: object,
    ratios: dict[str, float],
) -> Carving:
    """Assign each row of train to a split. The same rows and seed give the same result.

    ratios: of dev and test; they count instead of `sizes` where rows are carved by a hash.
    Raises UserError if no group is small enough for a carved split.
    """
    strata = numpy.frombuffer(rows.strata, dtype=numpy.int64)
    names = list(rows.names)
    by = " or ".join(sorted(rows.kinds))
    assigned = numpy.full(len(rows), TRAIN, dtype=numpy.uint8)
    if sizes and rows.phrases is not None:
        by = "sentence with its phrases"
        split_of = assign_phrases(rows.phrases, strata.tolist(), sizes, seed)
        assigned[:] = [TARGETS.index(split) for split in split_of]
    elif sizes and rows.keys is not None:
        by = f"hash of each {by}"
        assigned = by_hash(numpy.frombuffer(rows.keys, dtype=numpy.uint64), ratios, seed)
    elif sizes:
        groups = group_rows(rows, max_group_size(sizes))
        assigned = assign_groups(groups, strata, names, sizes, seed)[groups]
    carved = {split: int((assigned == TARGETS.index(split)).sum()) for split in sizes}
    for split, size in sizes.items():
        if not carved[split]:
            raise UserError(
                f"{where}: {split} would be empty, as no {by} fits into the {size:,} examples "
                f"requested; use a larger --{split}-ratio, or 0."
            )
    texts = numpy.frombuffer(rows.texts, dtype=numpy.int64)
    leaked = count_leaked(texts, assigned) if sizes else 0
    if train_size is not None:
        sample_train(assigned, strata, names, train_size, seed)
    return Carving(assigned, by, sizes, carved, leaked)
