"""What a cut vocabulary saves of a training step: `python -m bench.trim`.

On the shape of distilbert-base-multilingual-cased with random weights: its 119,547 pieces, and as
many as are given. Both in one process, in turn (A B A B), after one step each for warming up.
"""

import statistics
import time

import torch
import typer
from transformers import DistilBertConfig, DistilBertForTokenClassification
from wasabi import msg

from scripts.common.errors import run

PIECES = 119_547


def trainer(pieces: int, texts: int, length: int):
    """Return a function that makes one update of a model of so many pieces, and its parameters."""
    model = DistilBertForTokenClassification(DistilBertConfig(vocab_size=pieces, num_labels=9))
    optimizer = torch.optim.Adam(model.parameters(), 5e-5)
    ids = torch.randint(pieces, (texts, length))
    labels = torch.randint(9, (texts, length))

    def step() -> float:
        start = time.perf_counter()
        model(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return time.perf_counter() - start

    return step, model.num_parameters()


def main(
    pieces: int = typer.Option(40000, min=10, help="Size of the cut vocabulary"),
    rounds: int = typer.Option(5, min=1, help="Rounds of one step each"),
    texts: int = typer.Option(8, min=1, help="Texts of a batch"),
    length: int = typer.Option(64, min=1, max=512, help="Pieces of a text"),
) -> None:
    """Time training steps before and after a cut; print medians and their ratio."""
    steps, sizes = zip(*(trainer(size, texts, length) for size in (PIECES, pieces)))
    for step in steps:
        step()
    times = list(zip(*([step() for step in steps] for _ in range(rounds))))
    ratios = sorted(after / before for before, after in zip(*times))
    rows = [
        (f"{size:,}", f"{n:,}", f"{n * 4e-6:,.0f}", f"{statistics.median(took):.3f}")
        for size, n, took in zip((PIECES, pieces), sizes, times)
    ]
    header = ("pieces", "parameters", "MB", "seconds a step")
    msg.table(rows, header=header, divider=True, aligns=("r",) * 4)
    msg.good(f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})")


if __name__ == "__main__":
    run(main)
