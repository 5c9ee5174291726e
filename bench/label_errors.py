"""How many labels changed at random are found: `python -m bench.label_errors`.

Of the sample corpora, 3 % of the labels of train are changed: reviews get the other label, entities
another type or none. Counted is how many of the first 50 likely label errors are changed ones; the
first 50 of an order at random have 3 % of them. Writes bench/results/label_errors.md.
"""

import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy
import torch
import typer
from spacy.vocab import Vocab

from scripts.corpora.conversion import convert
from scripts.corpora.docbins import read_docs
from scripts.encoders.frozen import Frozen, open_frozen, vectors_of
from scripts.label_errors import entity_rows, groups_of, label_rows
from scripts.training.label_errors import (
    TEXTS,
    TOKENS,
    out_of_fold,
    pieces_of,
    suspects_of_entities,
    suspects_of_texts,
)

from .inference import about

SAMPLE = Path("assets/sample")
RESULTS = Path("bench/results/label_errors.md")
SHARE, FIRST = 0.03, 50
# The first seed: other draws than those that the settings of scripts/training/label_errors.py come from.
FRESH = 100


class Result(NamedTuple):
    """labels: how many there are; changed: of these; hits: by draw, changed ones among the first."""

    labels: int
    changed: int
    hits: list[int]
    seconds: float


def chosen(count: int, random: numpy.random.Generator) -> numpy.ndarray:
    return random.choice(count, round(SHARE * count), replace=False)


def texts(corpus: Path, frozen: Frozen, draws: int) -> Result:
    """Change the labels of texts; return what was found."""
    start = time.perf_counter()
    docs = list(read_docs(corpus / "train.spacy", Vocab()))
    labels, truth = label_rows(docs)
    gold, hits = truth.argmax(1), []
    with vectors_of(docs, frozen, tokens=False) as vectors:
        for draw in range(draws):
            random = numpy.random.default_rng(FRESH + draw)
            changed, noisy = chosen(len(gold), random), gold.copy()
            noisy[changed] += random.integers(1, len(labels), len(changed))
            noisy %= len(labels)
            found = out_of_fold(vectors, noisy, groups_of(docs), TEXTS, draw)
            first = suspects_of_texts(found, noisy)[:FIRST]
            hits.append(len({suspect.row for suspect in first} & set(changed.tolist())))
    return Result(len(gold), len(changed), hits, time.perf_counter() - start)


def entities(corpus: Path, frozen: Frozen, draws: int) -> Result:
    """Change the types of entities, or unmark them; return what was found. A suspect that overlaps a
    changed entity is a hit, but each entity is one only once."""
    start = time.perf_counter()
    docs = list(read_docs(corpus / "train.spacy", Vocab()))
    hits = []
    with vectors_of(docs, frozen, tokens=True) as vectors:
        types, _, gold, begins = entity_rows(docs, vectors)
        spans = pieces_of(gold, begins | (numpy.diff(vectors.owner, prepend=-1) != 0))
        for draw in range(draws):
            random = numpy.random.default_rng(FRESH + draw)
            changed, noisy = chosen(len(spans), random), gold.copy()
            for first, last in (spans[index] for index in changed):
                noisy[first:last] += random.integers(1, len(types))
                noisy[first:last] %= len(types)
            found = out_of_fold(vectors, noisy, groups_of(docs), TOKENS, draw)
            suspects = suspects_of_entities(found, noisy, begins & (noisy > 0), vectors.owner)
            suspects = suspects[:FIRST]
            hits.append(
                sum(
                    any(s.start < spans[index][1] and spans[index][0] < s.end for s in suspects)
                    for index in changed
                )
            )
    return Result(len(spans), len(changed), hits, time.perf_counter() - start)


def main(
    encoder: str = typer.Option("assets/encoders/e5-small-fr-en", help="Encoder to read with"),
    draws: int = typer.Option(5, help="Number of draws of changed labels"),
) -> None:
    """Measure, print a table, and write it with what it was measured on."""
    frozen = open_frozen(encoder)
    lines = [
        "# Label errors that are found\n",
        f"Written by `python -m bench.label_errors`. {SHARE:.0%} of the labels in train were changed at "
        f"random: hits are changed ones among the first {FIRST} likely label errors of `label-errors`, by "
        f"draw. At random: what an order at random would have. Encoder: {Path(encoder).name}, "
        f"{about(torch.get_num_threads())}\n",
        "| corpus | labels | changed | hits | mean | at random | seconds |",
        "|---|--:|--:|---|--:|--:|--:|",
    ]
    for name, source, measure, what in (
        ("cls", "cls-fr", texts, "sample reviews"), ("wikiner", "ner-fr", entities, "sample sentences, entities"),
    ):  # fmt: skip
        with tempfile.TemporaryDirectory() as temporary:
            convert(name, SAMPLE / source, Path(temporary), "fr")
            found = measure(Path(temporary), frozen, draws)
        hits = ", ".join(map(str, found.hits))
        lines.append(
            f"| {what} | {found.labels:,} | {found.changed} | {hits} | {numpy.mean(found.hits):.1f} | "
            f"{FIRST * SHARE:.1f} | {found.seconds:.0f} |"
        )
    text = "\n".join(lines) + "\n"
    RESULTS.write_text(text, encoding="utf8")
    print(text)


if __name__ == "__main__":
    typer.run(main)
