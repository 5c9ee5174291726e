"""Measure how much a trimmed vocabulary speeds up a training step: `python -m bench.trim`.

Compares two randomly initialised models of the shape of distilbert-base-multilingual-cased: one
with its 119,547 pieces, one with a trimmed vocabulary. Both run in turn (A B A B) in one process,
after a warm-up step each.
"""

import statistics
import time
from collections.abc import Callable

import torch
import typer
from transformers import DistilBertConfig, DistilBertForTokenClassification
from wasabi import msg

PIECES = 119_547


def make_step(pieces: int, texts: int, length: int) -> tuple[Callable[[], float], int]:
    """Return a function that makes and times one update of a model with this vocabulary size, and
    the model's number of parameters."""
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
    pieces: int = typer.Option(40000, min=10, help="Size of the trimmed vocabulary"),
    rounds: int = typer.Option(5, min=1, help="Timed steps of each model"),
    texts: int = typer.Option(8, min=1, help="Texts per batch"),
    length: int = typer.Option(64, min=1, max=512, help="Pieces per text"),
) -> None:
    """Time training steps with the full and the trimmed vocabulary; print their ratio."""
    steps, sizes = zip(*(make_step(size, texts, length) for size in (PIECES, pieces)))
    for step in steps:
        step()
    times = list(zip(*([step() for step in steps] for _ in range(rounds))))
    ratios = sorted(after / before for before, after in zip(*times))
    rows = [
        (f"{size:,}", f"{n:,}", f"{n * 4e-6:,.0f}", f"{statistics.median(took):.3f}")
        for size, n, took in zip((PIECES, pieces), sizes, times)
    ]
    header = ("pieces", "parameters", "MB", "seconds per step")
    msg.table(rows, header=header, divider=True, aligns=("r",) * 4)
    msg.good(f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})")


if __name__ == "__main__":
    typer.run(main)
