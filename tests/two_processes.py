"""Runs a command as `python -m scripts` does, in one of two processes; says whether the model that wraps
the encoder is gone before the group of processes is (see QuietTrainer.leave)."""

import sys
import weakref

from scripts.cli import run
from scripts.common.trainer import QuietTrainer

leave = QuietTrainer.leave


def watched(trainer: QuietTrainer) -> None:
    wrapped = weakref.ref(trainer.model_wrapped)
    kind, end = type(wrapped()).__name__, trainer.accelerator.end_training

    def end_training() -> None:
        # In one piece: torchrun unbuffers the output, and print would write the end of the line apart,
        # after what the other process writes.
        sys.stdout.write(f"{kind} {'gone' if wrapped() is None else 'alive'}\n")
        end()

    trainer.accelerator.end_training = end_training
    leave(trainer)


QuietTrainer.leave = watched
if __name__ == "__main__":
    run()
