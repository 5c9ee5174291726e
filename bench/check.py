"""Measure `check` on generated sentences: `python -m bench.check`. Does not run on Windows."""

import subprocess
import sys
import tempfile
from pathlib import Path

import typer
from wasabi import msg

from scripts.corpora.conversion import convert

from .convert import write_corpus

# Runs in a separate process, so that its peak memory can be measured.
MEASURED = """
import resource, sys, time
from pathlib import Path
from scripts.check import check
start = time.perf_counter()
check(Path(sys.argv[1]), *sys.argv[2:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter() - start, time.process_time())
"""


def measure(
    sizes: list[int] = typer.Argument([50_000, 500_000]),
    encoder: str = typer.Option("", help="Encoder whose pieces are counted (default: the demo's)"),
) -> None:
    """Print peak memory, seconds, and those of a processor, for corpora of these numbers of sentences, in English."""
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "train.conll"
            write_corpus(path, size, documents=False)
            convert("iob", path, Path(temporary) / "corpus", "en")
            command = [sys.executable, "-c", MEASURED, Path(temporary) / "corpus", encoder]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        peak, seconds, cpu = done.stdout.splitlines()[-1].split()
        times = (f"{float(seconds):.0f} s", f"{float(cpu):.0f} s")
        rows.append((f"{size:,}", f"{int(peak) / 1024:.0f} MB", *times))
    msg.table(rows, header=("sentences", "peak memory", "time", "of a processor"), divider=True)


if __name__ == "__main__":
    typer.run(measure)
