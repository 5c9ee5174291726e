"""The curves of a training, from the event files that it wrote for TensorBoard."""

from pathlib import Path
from typing import NamedTuple

import srsly
from spacy.training.loop import DIR_MODEL_BEST, DIR_MODEL_LAST
from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

from ..training.unfinished import LOGS, PLAN

Curve = list[tuple[int, float]]
# Of what transformers' Trainer evaluates, what is no score.
NO_SCORES = ("loss", "runtime", "samples_per_second", "steps_per_second", "epoch")


class TrainingLog(NamedTuple):
    """Curves over updates. losses: by component, the mean of an update since the evaluation before. score: on dev, what
    chose the pipeline. epoch: the number of updates that read train once, if that is on record."""

    losses: dict[str, Curve]
    score: Curve
    rate: Curve
    epoch: float | None

    @property
    def chosen(self) -> int | None:
        """The update after which the pipeline was kept: of equal scores, the last."""
        return max(self.score, key=lambda point: (point[1], point[0]), default=(None,))[0]


def per_update(curve: Curve) -> Curve:
    """Return the means of losses that spaCy sums up from one evaluation to the next."""
    steps = [-1, *(step for step, _ in curve)]
    return [(step, loss / (step - before)) for before, (step, loss) in zip(steps, curve)]


def logs_of(pipeline: str) -> Path | None:
    """Return the folder of the logs of a training; None for a pipeline that has none, as a wheel."""
    folder = Path(pipeline)
    if folder.name in (DIR_MODEL_BEST, DIR_MODEL_LAST):
        folder = folder.parent
    logs = folder / LOGS
    return logs if logs.is_dir() and any(logs.iterdir()) else None


def read_log(pipeline: str) -> TrainingLog | None:
    """Return the curves of the training that made a pipeline; None if there are none beside it."""
    logs = logs_of(pipeline)
    if logs is None:
        return None
    events = EventAccumulator(str(logs), size_guidance={SCALARS: 0}).Reload()
    curves = {
        tag: [(point.step, point.value) for point in events.Scalars(tag)]
        for tag in events.Tags()[SCALARS]
    }

    def named(prefix: str) -> dict[str, Curve]:
        return {
            tag.removeprefix(prefix): curves[tag]
            for tag in sorted(curves)
            if tag.startswith(prefix)
        }

    if "score/overall" in curves:
        losses = {name: per_update(curve) for name, curve in named("loss/").items()}
        # That of a transformer is the sum of what its listeners pass it.
        losses = {name: losses[name] for name in losses if name != "transformer"} or losses
        plan = srsly.read_json(logs / PLAN) if (logs / PLAN).is_file() else {}
        return TrainingLog(
            losses, curves["score/overall"], curves.get("learn_rate", []), plan.get("epoch")
        )
    scores = {name: curve for name, curve in named("eval/").items() if name not in NO_SCORES}
    if not scores:
        return None
    losses = {"train": curves.get("train/loss", []), "dev": curves.get("eval/loss", [])}
    passes = [step / value for step, value in curves.get("train/epoch", []) if value > 0]
    return TrainingLog(
        {name: curve for name, curve in losses.items() if curve},
        scores.get("score") or next(iter(scores.values())),
        curves.get("train/learning_rate", []),
        passes[-1] if passes else None,
    )
