"""Measure `annotate`: its speed beside that of `nlp.pipe`, of `spacy apply` and of Ray, and its memory.

    python -m bench.annotate speed PIPELINE TEXTS
    python -m bench.annotate processes PIPELINE TEXTS
    python -m bench.annotate commands PIPELINE TEXTS
    python -m bench.annotate memory PIPELINE TEXTS

TEXTS is a file with a text a line; the texts are repeated, each with a running number. Ways are measured in
turn, A B A B, and what is printed are ratios. Loading the pipeline is left out, but where it says so.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import psutil
import srsly
import torch
import typer
from tqdm import tqdm
from wasabi import msg

from scripts.annotate import Request, Work, finish, prepared, run
from scripts.common.processes import core_count
from scripts.scale import local
from scripts.scale.inputs import find_inputs
from scripts.scale.manifest import alone
from scripts.scale.work import Annotator, load_pipeline
from scripts.serving.pipeline import encoder_of, task_labels

from .arms import HF_DEFAULT, Arm, hf_reader, numbered

app = typer.Typer(add_completion=False, help=__doc__)
PIPELINE = typer.Argument(help="Folder of a pipeline")
TEXTS = typer.Argument(help="File with a text a line")
COUNT = typer.Option(20_000, help="Number of texts")
PAIRS = typer.Option(3, help="How often each way is measured")
PRECISION = typer.Option("float32", help="Of the encoder; auto for a pipeline without torch")


def write_texts(source: Path, count: int, folder: Path) -> Path:
    """Write so many texts to a file, a line each, and return it."""
    lines = [line for line in source.read_text("utf8").splitlines() if line.strip()]
    path = folder / "texts.txt"
    path.write_text("\n".join(numbered(lines, count)), "utf8")
    return path


def work_of(
    pipeline: str, path: Path, output: Path, precision: str, part_rows: int = 0
) -> tuple[Request, Work, Annotator]:
    """Return what `annotate` does before it begins. The folder is not locked: nobody else has it."""
    nlp, precision = load_pipeline(pipeline, -1, precision)
    request = Request(pipeline, [str(path)], output, processes=1, part_rows=part_rows)
    with alone(output):
        work = prepared(request, find_inputs(request.inputs, output), None, nlp, precision)
    return request, work, Annotator(work.job, nlp)


def compare(ways: dict[str, Callable[[], float]], pairs: int, path: Path) -> None:
    """Print how fast each way is, measured in turn on the texts of a file, and the ratios to the first."""
    lines = path.read_text("utf8").splitlines()
    words = sum(len(line.split()) for line in lines)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(pairs):
        for name, way in ways.items():
            seconds[name].append(way())
    first = next(iter(ways))
    rows = []
    for name, values in seconds.items():
        ratios = [one / other for one, other in zip(seconds[first], values)]
        rows.append(
            (
                name,
                f"{len(lines) / median(values):,.0f}",
                f"{words / median(values):,.0f}",
                f"{median(ratios):.2f}",
                f"{min(ratios):.2f}–{max(ratios):.2f}",
            )
        )
    msg.table(
        rows,
        header=("way", "texts/s", "words/s", f"speed / {first}", "lowest–highest"),
        divider=True,
    )
    loads = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    print(
        f"{len(lines):,} texts of {words / len(lines):.0f} words; {platform.processor() or platform.machine()}, {core_count()} cores, load {loads}"
    )


def timed(way: Callable[[], object]) -> float:
    start = time.perf_counter()
    way()
    return time.perf_counter() - start


@app.command()
def speed(
    pipeline: str = PIPELINE,
    texts: Path = TEXTS,
    count: int = COUNT,
    pairs: int = PAIRS,
    precision: str = PRECISION,
) -> None:
    """Compare one process of `annotate` with a bare `nlp.pipe` over the same texts, and threads, and with
    transformers.pipeline as it is called by default.

    `annotate` finds, reads through, reads, annotates, writes and counts; the others have the texts in
    memory, and what they make is dropped. transformers.pipeline has the pipeline's encoder, if it has
    one on torch, and an untrained head for one of its tasks.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = write_texts(texts, count, Path(folder))
        lines = path.read_text("utf8").splitlines()
        nlp, precision = load_pipeline(pipeline, -1, precision)
        numbers = iter(range(10**6))

        def annotate() -> None:
            output = Path(folder) / f"out{next(numbers)}"
            request = Request(pipeline, [str(path)], output, processes=1)
            with alone(output):
                work = prepared(request, find_inputs(request.inputs, output), None, nlp, precision)
                run(request, work, Annotator(work.job, nlp))
                finish(work)

        def bare() -> None:
            with nlp.memory_zone():
                for _ in nlp.pipe(lines, batch_size=1000):
                    pass

        ways = {"nlp.pipe": lambda: timed(bare), "annotate": lambda: timed(annotate)}
        encoder = encoder_of(nlp)
        if encoder is not None:
            arm = Arm(HF_DEFAULT, pipeline, next(iter(task_labels(nlp))))
            loop = hf_reader(arm, nlp, encoder, nlp.get_pipe("transformer").model.tokenizer)
            ways["transformers.pipeline"] = lambda: loop(lines)
        local.timed(nlp, lines[:200])
        compare(ways, pairs, path)
        print(f"{torch.get_num_threads()} threads")


@app.command()
def processes(
    pipeline: str = PIPELINE,
    texts: Path = TEXTS,
    count: int = COUNT,
    pairs: int = PAIRS,
    precision: str = PRECISION,
) -> None:
    """Compare two processes of one thread with one of one thread, and with one of two.

    Workers are started before.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = write_texts(texts, count, Path(folder))
        # Parts enough for two workers to end at about the same time.
        output = Path(folder) / "out"
        _, work, annotator = work_of(pipeline, path, output, precision, -(-count // 16))
        workers = local.start_workers(work.job, 2)

        def by_threads(threads: int) -> None:
            torch.set_num_threads(threads)
            for unit in work.units:
                annotator.annotate(unit, int)

        def by_workers(few: list[local.Worker]) -> None:
            with tqdm(disable=True) as bar:
                local.run_workers(work.job, few, work.units, bar)

        ways = {
            "one process, one thread": lambda: timed(lambda: by_workers(workers[:1])),
            "two processes, one thread each": lambda: timed(lambda: by_workers(workers)),
            "one process, two threads": lambda: timed(lambda: by_threads(2)),
        }
        compare(ways, pairs, path)
        for worker in workers:
            worker.stop()


@app.command()
def commands(
    pipeline: str = PIPELINE,
    texts: Path = TEXTS,
    count: int = COUNT,
    pairs: int = PAIRS,
    precision: str = PRECISION,
    only: list[str] = typer.Option([], help="A way to measure; all if none is given"),
) -> None:
    """Compare whole commands, their start included: `annotate`, with two processes, with Ray, and
    `spacy apply`, whose output is a DocBin in memory until it ends."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_texts(texts, count, Path(folder))
        # Of a .txt file `spacy apply` makes a single document.
        lines = path.with_suffix(".jsonl")
        srsly.write_jsonl(lines, ({"text": text} for text in path.read_text("utf8").splitlines()))
        numbers = iter(range(10**6))

        def annotate(*options: str) -> None:
            output = Path(folder) / f"out{next(numbers)}"
            run_program(
                "scripts", "annotate", pipeline, path, output, "--precision", precision, *options
            )

        def apply() -> None:
            output = Path(folder) / f"out{next(numbers)}.spacy"
            run_program(
                "spacy",
                "apply",
                pipeline,
                lines,
                output,
                "--code",
                "scripts/code.py",
                "--batch-size",
                "1000",
            )

        ways = {
            "two processes": lambda: timed(lambda: annotate("--processes", "2")),
            "--engine ray": lambda: timed(lambda: annotate("--engine", "ray", "--processes", "2")),
            "one process": lambda: timed(lambda: annotate("--processes", "1")),
            "spacy apply": lambda: timed(apply),
        }
        ways = {name: way for name, way in ways.items() if not only or name in only}
        compare(ways, pairs, path)


def run_program(module: str, *arguments: object) -> None:
    """Run a program; show what it printed if it fails."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(done.stdout[-800:])


@app.command()
def memory(
    pipeline: str = PIPELINE,
    texts: Path = TEXTS,
    sizes: list[int] = typer.Option([10_000, 100_000], "--size", help="Numbers of texts"),
    precision: str = PRECISION,
) -> None:
    """Print the memory of one process of `annotate` at a tenth and at nine tenths of more and more texts,
    and how many it annotates a second."""
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            path = write_texts(texts, size, Path(folder))
            words = sum(len(line.split()) for line in path.open(encoding="utf8"))
            output = Path(folder) / "out"
            _, work, annotator = work_of(pipeline, path, output, precision)
            process, found, start = psutil.Process(), [], time.perf_counter()
            for number, unit in enumerate(work.units, 1):
                annotator.annotate(unit, int)
                if number in (-(-len(work.units) // 10), len(work.units) * 9 // 10):
                    found.append(process.memory_info().rss / 1e6)
            seconds = time.perf_counter() - start
        rows.append(
            (
                f"{size:,}",
                f"{found[0]:,.0f} MB",
                f"{found[-1]:,.0f} MB",
                f"{size / seconds:,.0f}",
                f"{words / seconds:,.0f}",
                len(annotator.nlp.vocab.strings),
            )
        )
    header = (
        "texts",
        "at a tenth",
        "at nine tenths",
        "texts/s",
        "words/s",
        "strings of the pipeline",
    )
    msg.table(rows, header=header, divider=True)


if __name__ == "__main__":
    app()
