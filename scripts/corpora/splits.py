"""Seeded, stratified carving of splits from the rows of train."""

import random
from collections import Counter
from itertools import accumulate
from typing import NamedTuple

import numpy

from ..common.errors import UserError
from .examples import SPLITS
from .phrases import place_phrases
from .units import Rows, limit_of, units_of

# Where a row can go to, by its number: "" is nowhere.
PLACES = (*SPLITS, "")
TRAIN, NOWHERE = PLACES.index("train"), PLACES.index("")


class Carving(NamedTuple):
    """Where each row of train goes, as a number of PLACES; what is kept together; how many rows
    each carved split was to have and has; and how many texts came to stand in several splits."""

    places: numpy.ndarray
    unit: str
    asked: dict[str, int]
    sizes: dict[str, int]
    torn: int


def apportion(total: int, strata: dict[str, int]) -> dict[str, int]:
    """Share `total` among the strata in proportion to their sizes, by largest remainders."""
    size = sum(strata.values())
    exact = {name: total * count / size for name, count in strata.items()}
    shares = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (shares[name] - exact[name], name))
    for name in by_remainder[: total - sum(shares.values())]:
        shares[name] += 1
    return shares


def place_units(
    units: numpy.ndarray, strata: numpy.ndarray, names: list[str], sizes: dict[str, int], seed: int
) -> numpy.ndarray:
    """Return the place of each unit: of `sizes` as many rows as that at most, the others in train.

    Selection sampling (Knuth, TAOCP 2, 3.4.2, algorithm S) with several bins, the largest units
    first: a unit goes to a bin that has room for all of it with a probability proportional to the
    places left in the unit's strata; where none has, to train. Where every unit is one row, the
    sizes are exact.
    """
    left = dict(zip(names, numpy.bincount(strata, minlength=len(names)).tolist()))
    bins = []
    for split, size in sizes.items():
        shares = apportion(size, left)
        left = {name: count - shares[name] for name, count in left.items()}
        bins.append((PLACES.index(split), [shares[name] for name in names]))
    bins.append((TRAIN, [left[name] for name in names]))
    counts = numpy.bincount(units)
    # The strata of all rows, unit by unit.
    members = memoryview(strata[numpy.argsort(units, kind="stable")])
    ends = memoryview(numpy.cumsum(counts))
    places = numpy.full(len(counts), TRAIN, dtype=numpy.uint8)
    draw = random.Random(seed)
    for unit in memoryview(numpy.argsort(-counts, kind="stable")):
        end = ends[unit]
        needed = Counter(members[end - int(counts[unit]) : end].tolist())
        rooms = [
            sum(free[s] for s in needed) if all(free[s] >= n for s, n in needed.items()) else 0
            for _, free in bins
        ]
        ticket = draw.randrange(sum(rooms)) if any(rooms) else 0
        bounds = zip(bins, accumulate(rooms))
        places[unit], free = next((bin for bin, bound in bounds if ticket < bound), bins[-1])
        for stratum, n in needed.items():
            free[stratum] -= n
    return places


def sample(places: numpy.ndarray, strata: numpy.ndarray, names: list[str], size: int, seed: int):
    """Leave `size` rows in train, a random sample of each stratum, and send the others nowhere."""
    train = places == TRAIN
    left = dict(zip(names, numpy.bincount(strata[train], minlength=len(names)).tolist()))
    draw = random.Random(seed)
    for number, share in enumerate(apportion(min(size, train.sum()), left).values()):
        rows = numpy.flatnonzero(train & (strata == number))
        places[rows] = NOWHERE
        places[rows[draw.sample(range(len(rows)), share)]] = TRAIN


def count_torn(texts: numpy.ndarray, places: numpy.ndarray) -> int:
    """Return how many texts stand in several places."""
    held = numpy.unique(numpy.stack([texts, places.astype(texts.dtype)]), axis=1)[0]
    return int((numpy.unique(held, return_counts=True)[1] > 1).sum())


def sizes_of(total: int, ratios: dict[str, float], explicit: set[str], where: object) -> dict:
    """Return how many of `total` rows each split is to have, those with none left out.

    Raises UserError where nothing is left for train, or for a split that the user asked for.
    """
    sizes = {split: round(total * ratio) for split, ratio in ratios.items()}
    if total <= sum(sizes.values()):
        raise UserError(
            f"{where}: nothing is left to train on: of {total} examples {sizes['dev']} go to dev "
            f"and {sizes['test']} to test; give smaller --dev-ratio and --test-ratio."
        )
    for split in explicit:
        if ratios[split] and not sizes[split]:
            raise UserError(
                f"{where}: --{split}-ratio {ratios[split]} of {total} examples is none; give a "
                "larger one, or leave it out."
            )
    return {split: size for split, size in sizes.items() if size}


def carve(
    rows: Rows, sizes: dict[str, int], train_size: int | None, seed: int, where: object
) -> Carving:
    """Decide where each row goes. The same rows and seed give the same places.

    Raises UserError where no unit is small enough for a split.
    """
    strata = numpy.frombuffer(rows.strata, dtype=numpy.int64)
    names = list(rows.names)
    unit = " or ".join(sorted(rows.kinds))
    places = numpy.full(len(rows), TRAIN, dtype=numpy.uint8)
    if sizes and rows.texts is not None:
        unit = "sentence with its phrases"
        split_of = place_phrases(rows.texts, strata.tolist(), sizes, seed)
        places[:] = [PLACES.index(split) for split in split_of]
    elif sizes:
        units = units_of(rows, limit_of(sizes))
        places = place_units(units, strata, names, sizes, seed)[units]
    found = {split: int((places == PLACES.index(split)).sum()) for split in sizes}
    for split, size in sizes.items():
        if not found[split]:
            raise UserError(
                f"{where}: {split} would be empty: no {unit} fits into the {size:,} examples that "
                f"it is to have; give a larger --{split}-ratio, or 0."
            )
    torn = count_torn(numpy.frombuffer(rows.keys, dtype=numpy.int64), places) if sizes else 0
    if train_size is not None:
        sample(places, strata, names, train_size, seed)
    return Carving(places, unit, sizes, found, torn)
