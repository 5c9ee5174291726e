"""A spaCy logger that writes TensorBoard curves."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from typing import IO, Any

from spacy.language import Language
from spacy.util import registry
from torch.utils.tensorboard import SummaryWriter

Info = dict[str, Any] | None


@contextmanager
def deferred_interrupt() -> Iterator[None]:
    """Defer Ctrl-C until the block ends.

    The writer passes its events to a thread. Interrupted while it does, `close` and the thread would
    wait for each other for ever.
    """
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread receives Ctrl-C, and only it may set a handler.
        yield
        return
    caught: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: caught.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if caught:
            signal.raise_signal(signal.SIGINT)


@registry.loggers("project.tensorboard_logger.v1")
def tensorboard_logger(folder: str | None):
    """Return a logger that writes TensorBoard curves to `folder` at each evaluation: losses, scores,
    words seen and the learning rate. With None it writes nothing.

    Meant to be chained with a console logger (spacy.ChainLogger.v1).
    """

    def setup(
        nlp: Language, stdout: IO, stderr: IO
    ) -> tuple[Callable[[Info], None], Callable[[], None]]:
        if folder is None:
            return lambda info: None, lambda: None
        writer = SummaryWriter(folder)
        schedule = nlp.config.interpolate()["training"]["optimizer"]["learn_rate"]
        rate = registry.resolve({"schedule": schedule})["schedule"]
        # A thinc schedule is a generator with one value per update; a number is constant.
        rates = enumerate(repeat(rate) if isinstance(rate, (int, float)) else rate)

        def write(info: dict[str, Any]) -> None:
            step = info["step"]
            for component, loss in info["losses"].items():
                writer.add_scalar(f"loss/{component}", loss, step)
            for name, value in info["other_scores"].items():
                if isinstance(value, (int, float)):
                    writer.add_scalar(f"score/{name}", value, step)
            writer.add_scalar("score/overall", info["score"], step)
            rate = next(rate for index, rate in rates if index == step)
            writer.add_scalar("learn_rate", rate, step)
            writer.add_scalar("words", info["words"], step)
            writer.flush()

        def log_step(info: Info) -> None:
            # Between evaluations, spaCy passes None, or a score of None.
            if not info or info["score"] is None:
                return
            with deferred_interrupt():
                write(info)

        return log_step, writer.close

    return setup
