"""Measure how fast, how small and how good ways of annotating texts are, in turn.

    python -m bench.inference table CORPUS PIPELINE student=PIPELINE fr_core_news_md=fr_core_news_md,ner
    python -m bench.inference scale CORPUS PIPELINE

CORPUS is a converted corpus, whose test split is annotated; PIPELINE one with a transformer, trained
by this project. It is read in float32 and in bfloat16; beside it its bare encoder in batches by length,
and transformers.pipeline with that encoder, as called by default and sorted by length. Others are given
as NAME=PIPELINE: a folder, a wheel or an installed package; after a comma the components to enable, or
bfloat16. Each has a process of its own (bench/arms.py) without torch if it does not need it. All are
asked in turn, A B A B, so that a busy machine slows all of them; the ratios are medians over rounds.
"""

import os
import platform
import tempfile
from contextlib import ExitStack
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy
import spacy
import typer
from wasabi import msg

from scripts.corpora.docbins import read_docs
from scripts.serving.intervals import f_score, interval

from .arms import BARE, HF_DEFAULT, HF_SORTED, PIPELINE, answers
from .quality import processor
from .workers import Worker, link_packages, measure_fresh, parse, size, texts_file, without_torch

RESULTS = Path(__file__).parent / "results" / "inference.md"
FLOAT32, BFLOAT16 = "ours, float32", "ours, bfloat16"
BARE_NAME, DEFAULT_NAME, SORTED_NAME = "bare encoder", "HF pipeline", "HF pipeline, sorted"
PACKAGES = ("spacy", "torch", "transformers", "spacy-transformers", "onnxruntime")
FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "avx_vnni", "amx_bf16", "amx_int8")
NONE = "–"
HEADER = (
    "", "words/s", "min–max", "× HF", "× bare", "equal", "score", "95 %", "MB", "load s", "peak MB"
)  # fmt: skip
app = typer.Typer(add_completion=False, help=__doc__, rich_markup_mode=None)
Table = Annotated[Path, typer.Option(help="File for the table, of which one section is replaced")]
Threads = Annotated[
    int, typer.Option(min=0, help="Threads of each process (0: as each chooses by itself)")
]


def read_test(corpus: Path, limit: int = 0) -> tuple[str, list[str], list[list[Any]], list[int]]:
    """Return the task of a corpus, and of its test split, or so many of its texts, the texts, answers
    and numbers of words."""
    docs = list(islice(read_docs(corpus / "test.spacy", spacy.blank("xx").vocab), limit or None))
    task = "textcat" if any(doc.cats for doc in docs) else "ner"
    words = [len(doc) for doc in docs]
    return task, [doc.text for doc in docs], [answers(doc, task) for doc in docs], words


def tally(found: list[list[Any]], gold: list[list[Any]]) -> numpy.ndarray:
    """Return of each text the numbers of right, found and gold answers: (texts, 3)."""
    pairs = [({tuple(x) for x in a}, {tuple(x) for x in b}) for a, b in zip(found, gold)]
    return numpy.array([(len(a & b), len(a), len(b)) for a, b in pairs])


def speeds(words: int, took: list[float], *others: list[float]) -> list[str]:
    """Return cells: words a second, their range, and the ratio to each of the others.

    took: the seconds of each round. A ratio is the median of those of the rounds.
    """
    ratios = [median(b / a for a, b in zip(took, other)) for other in others]
    return [
        f"{words / median(took):,.0f}",
        f"{words / max(took):,.0f}–{words / min(took):,.0f}",
        *(f"{ratio:.2f}" for ratio in ratios),
    ]


def scores(found: list[Any], reference: list[Any], gold: list[Any]) -> list[str]:
    """Return cells: the share of texts answered as in the reference, the score, its interval."""
    tallied = tally(found, gold)
    low, high = interval(tallied)
    right, answered, expected = tally(found, reference).T
    same = (right == answered) & (right == expected)
    return [f"{same.mean():.3f}", f"{f_score(tallied):.4f}", f"{low:.3f}–{high:.3f}"]


def about(threads: int) -> str:
    """Return a line on this machine. A processor's flags are for information: they do not tell speed."""
    path = Path("/proc/cpuinfo")
    known = path.read_text().split() if path.is_file() else []
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    flags = ", ".join(flag for flag in FLAGS if flag in known) or "unknown"
    used = threads or "as each chooses by itself"
    return (
        f"{date.today()}, {processor()}, {os.cpu_count()} cores, threads: {used}; flags: {flags}; "
        f"Python {platform.python_version()}, {', '.join(versions)}."
    )


START = "# Annotating texts: speed, size and score\n\nWritten by `python -m bench.inference`.\n"


def write_section(path: Path, title: str, lines: list[str], start: str = START) -> None:
    """Write a section into a file, in place of the one with this title if there is one. start: what a
    new file begins with."""
    old = path.read_text(encoding="utf8") if path.is_file() else start
    first, *sections = old.split("\n## ")
    kept = {section.partition("\n")[0]: section.rstrip() for section in sections}
    kept[title] = "\n".join([title, "", *lines])
    path.write_text("\n\n## ".join([first.rstrip(), *kept.values()]) + "\n", encoding="utf8")


def markdown(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    align = "|".join(["---", *["--:"] * (len(header) - 1)])
    return [f"| {' | '.join(header)} |", f"|{align}|", *(f"| {' | '.join(row)} |" for row in rows)]


@app.command()
def table(
    corpus: Annotated[Path, typer.Argument(help="Converted corpus with a test split")],
    pipeline: Annotated[str, typer.Argument(help="Pipeline with a transformer")],
    others: Annotated[
        list[str] | None, typer.Argument(help="NAME=PIPELINE[,COMPONENT…][,bfloat16]")
    ] = None,
    title: Annotated[str, typer.Option(help="Section (default: the corpus's folder)")] = "",
    limit: Annotated[int, typer.Option(min=0, help="Texts of test that are scored (0: all)")] = 0,
    timed: Annotated[
        int, typer.Option(min=1, help="Texts that are timed, from the first on")
    ] = 300,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds after the one that warms up")] = 5,
    loads: Annotated[int, typer.Option(min=1, help="Fresh processes to measure loading")] = 3,
    threads: Threads = 0,
    output: Table = RESULTS,
) -> None:
    """Compare ways of annotating: speed, equal answers, score, size, loading and memory."""
    task, texts, gold, words = read_test(corpus, limit)
    timed = min(timed, len(texts))
    with ExitStack() as stack:
        path = stack.enter_context(texts_file(texts))
        unpacked = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        packages = link_packages(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        ours = parse(f"{FLOAT32}={pipeline}", task, unpacked)[1]
        arms = {
            BARE_NAME: ours._replace(kind=BARE),
            DEFAULT_NAME: ours._replace(kind=HF_DEFAULT),
            SORTED_NAME: ours._replace(kind=HF_SORTED),
            FLOAT32: ours,
            BFLOAT16: ours._replace(bfloat16=True),
        } | {
            name: without_torch(arm, packages, threads)
            for name, arm in (parse(other, task, unpacked) for other in others or ())
        }
        pipelines = {name: arm for name, arm in arms.items() if arm.kind == PIPELINE}
        fresh = measure_fresh(pipelines, path, timed, loads, threads)
        workers = {name: stack.enter_context(Worker(arm, threads)) for name, arm in arms.items()}
        for worker in workers.values():
            worker.ask("texts", str(path))
            worker.ask("read", timed)
        found = {name: workers[name].ask("annotate") for name in pipelines}
        seconds = {name: [] for name in arms}
        for number in range(rounds):
            for name, worker in workers.items():
                seconds[name].append(worker.ask("read", timed))
            msg.info(
                f"round {number + 1} of {rounds}: {sum(s[-1] for s in seconds.values()):.0f} s"
            )
    count = sum(words[:timed])
    rows = []
    for name, took in seconds.items():
        row = [
            f"{name}{' (no torch)' if arms[name].packages else ''}",
            *speeds(count, took, seconds[DEFAULT_NAME], seconds[BARE_NAME]),
        ]
        if name in found:
            megabytes = size(arms[name], workers[name].loaded["path"]) / 1e6
            row += [
                *scores(found[name], found[FLOAT32], gold), f"{megabytes:,.0f}",
                f"{fresh[name]['load']:.1f}", f"{fresh[name]['peak'] / 1e6:,.0f}",
            ]  # fmt: skip
        rows.append((*row, *[NONE] * (len(HEADER) - len(row))))
    kind = "accuracy" if task == "textcat" else "entity F"
    lines = [
        f"{len(texts):,} texts of test; speed: the first {timed:,}, {count:,} words, median of "
        f"{rounds} rounds in turn. Score: {kind}. Equal: texts with the same answer as ours in float32. "
        f"Bare: forward pass alone, without tokenization. Size: the wheel, or else the folder. {about(threads)}",
        "",
        *markdown(HEADER, rows),
    ]
    write_section(output, title or corpus.resolve().name, lines)
    print("\n".join(lines))


@app.command()
def scale(
    corpus: Annotated[Path, typer.Argument(help="Converted corpus with a test split")],
    pipeline: Annotated[str, typer.Argument(help="NAME=PIPELINE[,COMPONENT…][,bfloat16]")],
    sizes: Annotated[list[int] | None, typer.Option("--size", help="Numbers of texts")] = None,
    threads: Threads = 0,
    output: Table = RESULTS,
) -> None:
    """Measure words a second and peak memory of more and more texts in one nlp.pipe.

    The texts of the test split over and over, each with a running number; a new process each time.
    """
    task, texts, _, _ = read_test(corpus)
    rows = []
    with (
        texts_file(texts) as path,
        tempfile.TemporaryDirectory() as unpacked,
        tempfile.TemporaryDirectory() as folder,
    ):
        name, arm = parse(pipeline, task, Path(unpacked))
        arm = without_torch(arm, link_packages(Path(folder)), threads)
        for count in sizes or (1000, 10_000, 100_000):
            with Worker(arm, threads) as worker:
                worker.ask("texts", str(path))
                worker.ask("read", min(100, len(texts)))
                words, seconds = worker.ask("stream", count)
                peak = worker.ask("peak") / 1e6
            rows.append((f"{count:,}", f"{words / seconds:,.0f}", f"{seconds:.0f}", f"{peak:,.0f}"))
            msg.info(f"{count:,} texts: {words / seconds:,.0f} words/s, {peak:,.0f} MB")
    lines = [about(threads), "", *markdown(("texts", "words/s", "seconds", "peak MB"), rows)]
    write_section(output, f"{name}: more and more texts of {corpus.resolve().name}", lines)
    print("\n".join(lines))


if __name__ == "__main__":
    app()
