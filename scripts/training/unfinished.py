"""A training in `<output>.unfinished`, where its best pipeline so far is intact at any moment.

spaCy writes its best pipeline in place, so a kill can leave it incomplete. Here each one is moved
into the folder once it is complete, together with the progress of the training.
"""

import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout
from spacy.language import Language
from spacy.training.loop import DIR_MODEL_BEST
from spacy.util import registry

from ..common.errors import UserError, warn
from ..common.files import LOCK, check_folder, discard, is_whole, written_beside
from ..common.weights import modules, parameters
from .baseline import Baseline, problems

Info = dict[str, Any] | None
LOGGER = "project.unfinished_logger.v1"
# In that folder: what spaCy writes, TensorBoard's event files, and the progress of the training.
WORK, LOGS, PROGRESS = ".spacy", "logs", "progress.json"
# Beside TensorBoard's files: how many updates are an epoch.
PLAN = "plan.json"
# Updates after which the time to go is estimated; the first ones take longer than the rest.
WARM = 10


@dataclass
class Progress:
    """The progress of a training: its last update, the maximum number of updates (0: no limit), the
    best score on dev and the update after which it was reached."""

    step: int = -1
    max_steps: int = 0
    score: float = 0.0
    best_step: int = 0

    @classmethod
    def read(cls, folder: Path) -> "Progress | None":
        """Return the progress that a training has written to its folder, or None."""
        path = folder / PROGRESS
        if is_whole(folder) and path.is_file():
            return cls(**json.loads(path.read_text(encoding="utf8")))
        return None

    def write(self, folder: Path) -> None:
        (folder / PROGRESS).write_text(json.dumps(asdict(self)), encoding="utf8")

    def __str__(self) -> str:
        of = f" of {self.max_steps:,}" if self.max_steps else ""
        return f"interrupted after {self.step:,}{of} updates"

    @property
    def best(self) -> str:
        return f"score {self.score:.3f}, after {self.best_step:,}"


class Clock:
    """Estimates the time to go, evaluations included, once WARM updates have been made."""

    def __init__(self, max_steps: int, eval_frequency: int) -> None:
        self.max_steps, self.eval_frequency = max_steps, eval_frequency
        self.start = self.first = time.perf_counter()

    def tick(self, step: int) -> None:
        """Take note that an update, counted from 0, was made, and evaluated if it is due."""
        if step == 0:
            self.first = time.perf_counter()
        elif step == min(WARM, self.eval_frequency - 1) and self.max_steps > step:
            update = (time.perf_counter() - self.first) / step
            # The first update was evaluated too.
            evaluation = max(self.first - self.start - update, 0)
            times = self.max_steps // self.eval_frequency
            seconds = (self.max_steps - step) * update + times * evaluation
            print(f"{seconds / 60:,.0f} min to go" if seconds > 90 else f"{seconds:.0f} s to go")


def check_finite(nlp: Language, losses: dict[str, float], step: int) -> None:
    """Raise UserError if a loss or a weight is no longer finite, which no update can fix."""
    wrong = [f"the loss of {name} is {x}" for name, x in losses.items() if not math.isfinite(x)]
    weights = [(name, p.detach()) for name, module in modules(nlp) for p in module.parameters()]
    weights += [(name.partition(" ")[0], array) for name, array in parameters(nlp)]
    # A sum is finite only if all its terms are.
    wrong += [
        f"weights of {name} are not finite"
        for name, array in weights
        if not math.isfinite(float(array.sum()))
    ]
    if wrong:
        raise UserError(
            f"{wrong[0]} at update {step:,}: the training diverged; lower settings.learn_rate."
        )


@registry.loggers(LOGGER)
def unfinished_logger(folder: str, logger: Callable, baselines: list[dict[str, Any]]):
    """Wrap a logger: after each evaluation, move the best pipeline to `folder` and write the progress
    there; after the first updates, print the time to go.

    baselines: the fields of each Baseline. Raises UserError if the training diverges; warns if after a
    third of the updates the pipeline has learnt nothing of what one is about.
    """

    def setup(
        nlp: Language, stdout: IO, stderr: IO
    ) -> tuple[Callable[[Info], None], Callable[[], None]]:
        # The saved config has the logger of the user's config, not this one, and no temporary path.
        nlp.config["training"]["logger"] = nlp.config["training"]["logger"]["logger"]
        if "logs" in nlp.config.get("paths", {}):
            nlp.config["paths"]["logs"] = None
        log, close = logger(nlp, sys.stdout, stderr)
        work = Path(folder)
        training = nlp.config.interpolate()["training"]
        progress = Progress(max_steps=training["max_steps"])
        of_nothing = [Baseline(**fields) for fields in baselines]
        best: dict[str, Any] = {}
        clock = Clock(training["max_steps"], training["eval_frequency"])
        warned = False

        def log_step(info: Info) -> None:
            nonlocal best, warned
            log(info)
            progress.step += 1
            clock.tick(progress.step)
            if not info:
                return
            check_finite(nlp, info["losses"], progress.step)
            with written_beside(work) as beside:
                # spaCy's rule: of equal scores, the last one is the best.
                if info["score"] == max(score for score, _ in info["checkpoints"]):
                    progress.score, progress.best_step = float(info["score"]), progress.step
                    best = info["other_scores"]
                    os.replace(work / WORK / DIR_MODEL_BEST, beside / DIR_MODEL_BEST)
                progress.write(beside)
            if not warned and 0 < progress.max_steps <= 3 * progress.step:
                for problem in problems(of_nothing, best):
                    warned = True
                    warn(f"after {progress.step:,} of {progress.max_steps:,} updates {problem}")

        def finalize() -> None:
            try:
                close()
            finally:
                with written_beside(work) as beside:
                    progress.write(beside)

        return log_step, finalize

    return setup


def wrap_logger(nlp: Language, work: Path, baselines: list[Baseline]) -> None:
    """Wrap the logger that the config names in `unfinished_logger`."""
    training = nlp.config["training"]
    training["logger"] = {
        "@loggers": LOGGER, "folder": str(work), "logger": training["logger"],
        "baselines": list(map(asdict, baselines)),
    }  # fmt: skip


def begin(output: Path) -> Path:
    """Create the folder of a training and return it.

    The folder of an earlier, interrupted training is moved aside, to `<output>.unfinished.old`, if it
    holds a pipeline. Raises UserError if another training is running there, or if the folder holds
    anything else.
    """
    check_folder(output)
    # `.` has no name to append to.
    output = output if output.name.strip(".") else output.resolve()
    is_whole(output)
    work = output.with_name(f"{output.name}.unfinished")
    check_folder(work)
    if work.exists():
        earlier = Progress.read(work)
        if earlier is None and any(work.iterdir()):
            raise UserError(f"{work}: not the folder of a training; move it away.")
        try:
            with FileLock(work / LOCK, timeout=0):
                pass
        except Timeout as error:
            raise UserError(
                f"{work}: another training is running there; name another output."
            ) from error
        if earlier and earlier.best_step:
            aside = old_of(work)
            discard(aside)
            shutil.rmtree(work / WORK, ignore_errors=True)
            os.replace(work, aside)
            warn(
                f"an earlier training was {earlier}; its best pipeline ({earlier.best}) is in "
                f"{aside / DIR_MODEL_BEST} until a training finishes"
            )
        else:
            discard(work)
            if earlier and earlier.step >= 0:
                warn(f"an earlier training was {earlier}; it had no pipeline to keep")
    with written_beside(work) as beside:
        Progress().write(beside)
    (work / WORK).mkdir()
    return work


def old_of(work: Path) -> Path:
    """Return where the folder of an interrupted training is moved when another one begins."""
    return work.with_name(f"{work.name}.old")


def report_interrupted(work: Path) -> None:
    """Report an interrupted training's progress and best pipeline; delete its folder if it has none."""
    progress = Progress.read(work)
    if progress is None:
        return
    if not progress.best_step:
        discard(work)
        if progress.step >= 0:
            warn(f"{progress}; no pipeline is kept, as none scored better than the first")
        return
    shutil.rmtree(work / WORK, ignore_errors=True)
    warn(
        f"{progress}; the best pipeline so far ({progress.best}) is in {work / DIR_MODEL_BEST}: "
        "evaluate and package accept it"
    )


@contextmanager
def unfinished(output: Path) -> Iterator[Path]:
    """Yield the folder for a training; at the end, move its best pipeline and TensorBoard's event
    files to `output`.

    On any exception they stay in that folder, and a warning says where and how far the training got.
    """
    work = begin(output)
    with ExitStack() as interrupted:
        interrupted.callback(report_interrupted, work)
        with FileLock(work / LOCK):
            yield work
            shutil.rmtree(work / WORK)
            with written_beside(output) as folder:
                for name in (DIR_MODEL_BEST, LOGS):
                    if (work / name).is_dir():
                        # Copied, not moved: a kill before the end would leave it in neither place.
                        shutil.copytree(work / name, folder / name)
        interrupted.pop_all()
    for folder in (work, old_of(work)):
        discard(folder)
