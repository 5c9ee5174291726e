"""Checks of what the user requests against the splits that exist."""

from ..common.errors import UserError
from .examples import Format
from .existing_splits import ExistingSplits
from .inputs import Source
from .options import Plan

# What --carve carves off train where the corpus lacks a split.
CARVED = {"dev": 0.1, "test": 0.2}


def check_plan(plan: Plan, sources: list[Source]) -> None:
    """Raise UserError if something is to be carved or sampled but there is no train split."""
    requested = plan.carve or plan.dev_ratio or plan.test_ratio or plan.train_size is not None
    if requested and all(source.split != "train" for source in sources):
        raise UserError(
            f"{sources[0].file}: no train split to carve or sample from; give one, or omit "
            "--carve, --dev-ratio, --test-ratio and --train-size."
        )


def ratios_of(
    plan: Plan, format: Format, sources: list[Source], existing: ExistingSplits
) -> dict[str, float]:
    """Return the fractions of train to carve off as dev and test, 0 for a split that exists.

    Raises UserError if the user gave a ratio for a split that exists.
    """
    splits = {source.split for source in sources}
    ratios = {"dev": plan.dev_ratio, "test": plan.test_ratio}
    default = {"dev": format.dev_ratio, "test": format.test_ratio}
    if plan.carve:
        default = CARVED
    for name, ratio in ratios.items():
        exists = name in splits or name in existing.splits
        if ratio and exists:
            where = existing.folder if name in existing.splits else sources[0].file
            raise UserError(f"{where}: the corpus has a {name} split already; omit --{name}-ratio.")
        if ratio is None:
            ratios[name] = default[name] if "train" in splits and not exists else 0.0
    return ratios
