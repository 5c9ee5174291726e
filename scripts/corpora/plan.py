"""What the user wants of a conversion, held against what there is."""

from ..common.errors import UserError
from .examples import Format
from .inputs import Source
from .kept import Kept
from .options import Plan


def check_plan(plan: Plan, sources: list[Source]) -> None:
    """Raise UserError where something is to be carved, and there is no train split."""
    wanted = plan.dev_ratio or plan.test_ratio or plan.train_size is not None
    if wanted and all(source.split != "train" for source in sources):
        raise UserError(f"{sources[0].file}: no train split to carve from.")


def ratios_of(plan: Plan, format: Format, sources: list[Source], kept: Kept) -> dict[str, float]:
    """Return what share of train becomes dev and test: none where there is such a split.

    Raises UserError where the user wants it all the same.
    """
    splits = {source.split for source in sources}
    ratios = {"dev": plan.dev_ratio, "test": plan.test_ratio}
    default = {"dev": format.dev_ratio, "test": format.test_ratio}
    for name, ratio in ratios.items():
        there = name in splits or name in kept.splits
        if ratio and there:
            where = kept.folder if name in kept.splits else sources[0].file
            raise UserError(f"{where}: the corpus has a {name} split: leave --{name}-ratio out.")
        if ratio is None:
            ratios[name] = default[name] if "train" in splits and not there else 0.0
    return ratios
