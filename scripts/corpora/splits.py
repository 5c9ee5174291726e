"""Seeded, stratified carving of splits from one stream of examples, in constant memory."""

import random
from collections import Counter

from ..errors import UserError


def apportion(total: int, strata: dict[str, int]) -> dict[str, int]:
    """Share `total` among the strata in proportion to their sizes, by largest remainders."""
    size = sum(strata.values())
    exact = {name: total * count / size for name, count in strata.items()}
    shares = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (shares[name] - exact[name], name))
    for name in by_remainder[: total - sum(shares.values())]:
        shares[name] += 1
    return shares


class Carver:
    """Sends each example of a stream to a split, so that exact numbers come out.

    Selection sampling (Knuth, TAOCP 2, 3.4.2, algorithm S) with several bins: an example goes to
    a bin with probability places left / examples left of its stratum. Needs the number of
    examples of each stratum beforehand, and keeps nothing but counts.
    """

    def __init__(
        self,
        strata: Counter,
        dev_ratio: float,
        test_ratio: float,
        train_size: int | None,
        seed: int,
        where: object,
    ) -> None:
        total = sum(strata.values())
        sizes = {"dev": round(total * dev_ratio), "test": round(total * test_ratio)}
        rest = total - sum(sizes.values())
        if rest <= 0:
            raise UserError(
                f"{where}: nothing is left to train on: of {total} examples {sizes['dev']} go to dev "
                f"and {sizes['test']} to test; give smaller --dev-ratio and --test-ratio."
            )
        sizes["train"] = rest if train_size is None else min(train_size, rest)
        self.random = random.Random(seed)
        self.left = dict(strata)
        self.places: dict[str, list[tuple[str, int]]] = {name: [] for name in strata}
        available = dict(strata)
        for split, size in sizes.items():
            for name, share in apportion(size, available).items():
                self.places[name].append((split, share))
                available[name] -= share

    def draw(self, stratum: str) -> str | None:
        """Return the split of the next example of a stratum; None where it is left out."""
        ticket = self.random.randrange(self.left[stratum])
        self.left[stratum] -= 1
        for index, (split, share) in enumerate(self.places[stratum]):
            if ticket < share:
                self.places[stratum][index] = (split, share - 1)
                return split
            ticket -= share
        return None
