"""How long it takes to start and end a process with spaCy and torch, with Python's garbage collector as it is
by default and as `scripts/__main__.py` sets it, in turn: `python -m bench.start`."""

import subprocess
import sys
import time
from statistics import median
from typing import Annotated

import torch
import typer

from .inference import about

DEFAULT, OURS = "default", "scripts/__main__.py"
SETTINGS = {
    DEFAULT: "",
    OURS: "import atexit, gc; gc.set_threshold(10_000); atexit.register(gc.freeze);",
}
# All that most commands import, and French, whose rules spaCy compiles each time.
PROGRAM = "import spacy, time; spacy.blank('fr'); print(time.time())"


def measure(settings: str) -> tuple[float, float]:
    """Return the seconds until everything is imported, and from then to the end of the process."""
    begin = time.time()
    command = [sys.executable, "-c", settings + PROGRAM]
    imported = float(subprocess.check_output(command, text=True))
    return imported - begin, time.time() - imported


def main(rounds: Annotated[int, typer.Option(min=1, help="Times that each is run")] = 5) -> None:
    """Print medians, and the ratio of the whole to the default's."""
    found = {name: [] for name in SETTINGS}
    for _ in range(rounds):
        for name, settings in SETTINGS.items():
            found[name].append(measure(settings))
    usual = median(map(sum, found[DEFAULT]))
    for name, times in found.items():
        starts, ends = map(median, zip(*times))
        print(
            f"{name}: {starts:.2f} s to start, {ends:.2f} s to end, "
            f"{median(map(sum, times)) / usual:.2f} of the default"
        )
    print(about(torch.get_num_threads()))


if __name__ == "__main__":
    typer.run(main)
