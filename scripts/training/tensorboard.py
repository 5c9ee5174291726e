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
def held_back_interrupt() -> Iterator[None]:
    """Let a Ctrl-C wait until the block is left.

    The writer hands its events to a thread; interrupted in the middle of that, `close` would wait
    for the thread, and the thread for a word from it, for ever.
    """
    if threading.current_thread() is not threading.main_thread():
        # Ctrl-C comes to the main thread alone, and so may only that say what it does.
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
    """Write losses, scores, words seen and the learn rate at each evaluation into `folder`.

    None writes nothing. To be chained with a console logger (spacy.ChainLogger.v1).
    """

    def setup(
        nlp: Language, stdout: IO, stderr: IO
    ) -> tuple[Callable[[Info], None], Callable[[], None]]:
        if folder is None:
            return lambda info: None, lambda: None
        writer = SummaryWriter(folder)
        schedule = nlp.config.interpolate()["training"]["optimizer"]["learn_rate"]
        rate = registry.resolve({"schedule": schedule})["schedule"]
        # A schedule of thinc is a generator, one value an update; a number stays the same.
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
            # Between evaluations spaCy gives None, or a score of None.
            if not info or info["score"] is None:
                return
            with held_back_interrupt():
                write(info)

        return log_step, writer.close

    return setup
