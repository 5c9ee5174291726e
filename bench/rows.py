"""Measure how files that are annotated are read: the memory, and the time of reading them through.

    python -m bench.rows memory [SIZE…]
    python -m bench.rows reading

The texts are generated, with a word in each that no other has. The pipeline is an untrained `ner`, which is
quick and finds much.
"""

import csv
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pyarrow.parquet
import typer
from wasabi import msg

from scripts.corpora.options import Options
from scripts.scale.inputs import find_inputs, surveyed

app = typer.Typer(add_completion=False, help=__doc__)
SCHEMA = pyarrow.schema({"id": pyarrow.int64(), "text": pyarrow.string()})


def rows(count: int) -> Iterator[dict]:
    for number in range(count):
        yield {"id": number, "text": f"Le mot{number} de Jean Dupont, né à Ville{number * 7919}."}


def write(path: Path, count: int) -> None:
    """Write rows as the suffix says; Parquet in a single row group, as pandas does."""
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(
            pyarrow.Table.from_pylist(list(rows(count)), SCHEMA), path, row_group_size=count
        )
        return
    with path.open("w", encoding="utf8", newline="") as stream:
        if path.suffix == ".csv":
            writer = csv.DictWriter(stream, ["id", "text"])
            writer.writeheader()
            writer.writerows(rows(count))
        elif path.suffix == ".txt":
            stream.writelines(row["text"] + "\n" for row in rows(count))
        else:
            stream.writelines(json.dumps(row) + "\n" for row in rows(count))


# Runs in a separate process, so that its memory can be measured; in MB, by tenths of the file.
MEASURED = """
import sys, time
from pathlib import Path
import psutil, spacy
from scripts.serving.annotated import annotated
from scripts.serving.pipeline import task_labels
from scripts.serving.row_files import write_rows
from scripts.serving.rows import Rows
from spacy.util import fix_random_seed
fix_random_seed(0)
nlp = spacy.blank("fr")
for label in ("LOC", "PER"):
    nlp.add_pipe("ner") if "ner" not in nlp.pipe_names else None
    nlp.get_pipe("ner").add_label(label)
nlp.initialize()
source, process, memory = Path(sys.argv[1]), psutil.Process(), []
start = time.perf_counter()
rows, tasks = Rows(source), task_labels(nlp)
read = time.perf_counter() - start
def watched():
    for number, item in enumerate(annotated(nlp, rows, tasks), 1):
        if number % (rows.total // 10) == 0:
            memory.append(process.memory_info().rss / 1e6)
        yield item
write_rows(rows, tasks, watched(), source.with_name("out" + rows.suffix))
print(memory[0], memory[-1], max(memory), read, time.perf_counter() - start, len(nlp.vocab.strings))
"""


@app.command()
def memory(sizes: list[int] = typer.Argument([10_000, 200_000])) -> None:
    """Compare memory at a tenth and at the end of files of these numbers of rows, and its peak.

    Also the time of reading the file through alone, and of everything.
    """
    table = []
    for suffix in (".jsonl", ".csv", ".parquet"):
        for size in sizes:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"in{suffix}"
                write(path, size)
                command = [sys.executable, "-c", MEASURED, path]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
            first, last, peak, read, seconds, strings = map(float, done.stdout.split())
            table.append(
                (suffix, f"{size:,}", *(f"{value:.0f} MB" for value in (first, last, peak)),
                 f"{read:.1f} s", f"{seconds:.0f} s", f"{strings:,.0f}")
            )  # fmt: skip
    header = (
        "file",
        "rows",
        "at a tenth",
        "at the end",
        "peak",
        "read",
        "all",
        "strings of the pipeline",
    )
    msg.table(table, header=header, divider=True)


@app.command()
def reading(count: int = 1_000_000, files: int = 10_000) -> None:
    """Print how fast files of each kind, and many files of ten texts, are read through before anything is
    annotated: rows are counted, types of columns found, and the SHA-256 is taken."""
    table = []
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".txt", ".csv", ".jsonl", ".parquet"):
            write(Path(folder) / f"texts{suffix}", count)
        plain = Path(folder) / "texts.txt"
        with gzip.open(f"{plain}.gz", "wb", compresslevel=6) as packed, plain.open("rb") as stream:
            shutil.copyfileobj(stream, packed)
        many = Path(folder) / "many"
        many.mkdir()
        ten = "".join(row["text"] + "\n" for row in rows(10))
        for number in range(files):
            (many / f"{number:06}.txt").write_text(ten, "utf8")
        for source in [*sorted(Path(folder).glob("texts.*")), many]:
            inputs = find_inputs([str(source)], Path(folder) / "out")
            start = time.perf_counter()
            found = list(surveyed(inputs, Options(), False))
            seconds = time.perf_counter() - start
            size, total = sum(one.size for one in found), sum(one.survey.total for one in found)
            table.append(
                (source.name, f"{len(found):,}", f"{size / 1e6:,.1f}", f"{seconds:.2f}",
                 f"{size / 1e6 / seconds:,.0f}", f"{total / seconds:,.0f}", f"{len(found) / seconds:,.0f}")
            )  # fmt: skip
    header = ("input", "files", "MB", "seconds", "MB/s", "rows/s", "files/s")
    msg.table(table, header=header, divider=True, aligns=("l", *"rrrrrr"))


if __name__ == "__main__":
    app()
