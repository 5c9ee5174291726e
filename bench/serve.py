"""Load a server on loopback, and show that its memory does not grow.

    python -m bench.serve load CORPUS PIPELINE       100 clients for 60 seconds, a text a request
    python -m bench.serve memory CORPUS PIPELINE     200,000 requests whose words are all new

The server is the command `serve` in a process of its own; the clients are in this one, on the same
processor. CORPUS is a converted corpus, whose test split is sent.
"""

import asyncio
import os
import random
import re
import signal
import string
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Annotated

import aiohttp
import numpy
import psutil
import typer
from wasabi import msg

from .inference import about, markdown, read_test, write_section

RESULTS = Path(__file__).parent / "results" / "serve.md"
START = "# A server on loopback\n\nWritten by `python -m bench.serve`.\n"
app = typer.Typer(add_completion=False, help=__doc__, rich_markup_mode=None)
Corpus = Annotated[Path, typer.Argument(help="Converted corpus with a test split")]
Pipeline = Annotated[str, typer.Argument(help="Pipeline to serve")]
Table = Annotated[Path, typer.Option(help="File for the table, of which one section is replaced")]


@contextmanager
def server(pipeline: str) -> Iterator[tuple[str, psutil.Process]]:
    """Serve a pipeline at a free port; yield the address and the process."""
    command = [sys.executable, "-m", "scripts", "serve", pipeline, "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        # Before, it may say in which precision it reads.
        lines = (re.search(r"http://\S+:\d+", line) for line in process.stdout)
        found = next(filter(None, lines), None)
        if found is None:
            raise SystemExit("the server did not start")
        try:
            yield found[0], psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGINT)


async def ask(
    url: str, clients: int, texts: Iterator[str], go_on: Callable[[int], bool]
) -> tuple[list[float], Counter]:
    """Let clients ask, each the next text as soon as it has an answer, while `go_on` is true of the number
    of requests so far. Return the seconds of each request, and how many answers had each status."""
    seconds: list[float] = []
    statuses: Counter = Counter()
    asked = 0

    async def client(session: aiohttp.ClientSession) -> None:
        nonlocal asked
        while go_on(asked):
            asked += 1
            start = time.perf_counter()
            async with session.post("/annotate", json={"text": next(texts)}) as response:
                await response.read()
            seconds.append(time.perf_counter() - start)
            statuses[response.status] += 1

    connector = aiohttp.TCPConnector(limit=clients)
    async with aiohttp.ClientSession(url, connector=connector) as session:
        await asyncio.gather(*(client(session) for _ in range(clients)))
    return seconds, statuses


def cpu_seconds(process: psutil.Process) -> float:
    """Return the processor time that a process has taken, which a busy machine changes less."""
    taken = process.cpu_times()
    return taken.user + taken.system


def megabytes(process: psutil.Process) -> str:
    return f"{process.memory_info().rss / 1e6:,.0f}"


@app.command()
def load(
    corpus: Corpus,
    pipeline: Pipeline,
    clients: Annotated[int, typer.Option(min=1, help="Clients at a time")] = 100,
    seconds: Annotated[int, typer.Option(min=1, help="How long they ask")] = 60,
    output: Table = RESULTS,
) -> None:
    """Measure requests a second, their latency, the answers' statuses, and memory."""
    _, texts, _, words = read_test(corpus)
    others = os.getloadavg()[0]
    with server(pipeline) as (url, process):
        # The first requests in a process do work that later ones do not repeat.
        asyncio.run(ask(url, clients, cycle(texts), lambda asked: asked < 5 * clients))
        before, cpu = megabytes(process), cpu_seconds(process)
        start = time.perf_counter()
        took, statuses = asyncio.run(
            ask(url, clients, cycle(texts), lambda _: time.perf_counter() - start < seconds)
        )
        passed = time.perf_counter() - start
        after, cpu = megabytes(process), cpu_seconds(process) - cpu
    p50, p99 = numpy.quantile(took, [0.5, 0.99]) * 1000
    failed = sum(count for status, count in statuses.items() if status >= 500)
    row = (
        f"{len(took) / passed:,.0f}", f"{1000 * cpu / len(took):.1f}", f"{p50:,.0f}", f"{p99:,.0f}", f"{max(took) * 1000:,.0f}",
        ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items())),
        str(failed), before, after,
    )  # fmt: skip
    header = (
        "requests/s", "CPU ms a request", "p50 ms", "p99 ms", "longest ms", "answers", "5xx", "MB at the start", "MB at the end"
    )  # fmt: skip
    lines = [
        f"{clients} clients, {passed:.0f} s, a text a request, of {len(texts):,} texts of "
        f"{sum(words) / len(words):.0f} words on average; load average before, of other work: {others:.1f}. {about(0)}",
        "",
        *markdown(header, [row]),
    ]
    name = Path(pipeline).name
    write_section(output, f"Load: {name} on {corpus.resolve().name}", lines, START)
    print("\n".join(lines))


def new_words(texts: list[str], seed: int = 0) -> Iterator[str]:
    """Yield texts, over and over, each with eight words that nobody has seen."""
    draw = random.Random(seed)
    for text in cycle(texts):
        made = ("".join(draw.choices(string.ascii_lowercase, k=12)) for _ in range(8))
        yield f"{text[:100]} {' '.join(made)}"


@app.command()
def memory(
    corpus: Corpus,
    pipeline: Pipeline,
    requests: Annotated[int, typer.Option(min=10, help="Number of requests")] = 200_000,
    clients: Annotated[int, typer.Option(min=1, help="Clients at a time")] = 16,
    output: Table = RESULTS,
) -> None:
    """Measure a server's memory over many requests, a text with eight new words each."""
    _, texts, _, _ = read_test(corpus)
    stream = new_words(texts)
    step = requests // 10
    with server(pipeline) as (url, process):
        rows = [("0", megabytes(process))]
        for done in range(step, requests + 1, step):
            _, statuses = asyncio.run(ask(url, clients, stream, lambda asked: asked < step))
            if set(statuses) != {200}:
                raise SystemExit(f"not all requests were answered: {dict(statuses)}")
            rows.append((f"{done:,}", megabytes(process)))
            msg.info(f"{done:,} requests: {rows[-1][1]} MB")
    lines = [about(0), "", *markdown(("requests", "MB"), rows)]
    name = Path(pipeline).name
    write_section(output, f"Memory: {name}, {8 * requests:,} new words", lines, START)
    print("\n".join(lines))


if __name__ == "__main__":
    app()
