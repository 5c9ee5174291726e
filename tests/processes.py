"""Commands in processes of their own, forked from one that has imported what they need: no start-up."""

import multiprocessing
import multiprocessing.forkserver
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import chdir
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from scripts.cli import run

ROOT = Path(__file__).parent.parent
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.warm"])


# What `python -m` runs for a command in two processes, as on two GPUs, at a port of their own.
TWO_PROCESSES = (
    "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "tests.two_processes"
)  # fmt: skip


def launch(module: str, *arguments, program: tuple[str, ...] = ("scripts",)) -> subprocess.Popen:
    """Start a command in a new interpreter, with one thread and pipes for what it prints."""
    command = [sys.executable, "-m", *program, module, *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )  # fmt: skip


def outputs(process: subprocess.Popen) -> tuple[str, str]:
    """Wait for the end of a launched process and return what it printed; fail with the places where
    its children are if it hangs."""
    try:
        return process.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        for child in children.read_text().split():
            os.kill(int(child), signal.SIGABRT)
        try:
            pytest.fail(f"it hangs: {process.communicate(timeout=60)}")
        finally:
            process.kill()


def redirect(log: Path) -> None:
    """Send this process's output to a file, and let Ctrl-C interrupt it as in a terminal."""
    with log.open("wb") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def run_command(
    module: str, arguments: list[str], log: Path, before: Callable[[], None] | None
) -> None:
    redirect(log)
    if before:
        before()
    sys.argv = ["scripts", module.rpartition(".")[2].replace("_", "-"), *arguments]
    run()


def start(target: Callable, *arguments) -> BaseProcess:
    """Start a module's function in a process of its own."""
    with chdir(ROOT):
        multiprocessing.forkserver.ensure_running()
    process = CONTEXT.Process(target=target, args=arguments)
    process.start()
    return process


def start_command(
    module: str, *arguments, log: Path, before: Callable[[], None] | None = None
) -> BaseProcess:
    """Start a command as the command line does, after a call of `before`."""
    return start(run_command, module, [str(argument) for argument in arguments], log, before)


def finish_command(
    module: str, *arguments, log: Path, before: Callable[[], None] | None = None
) -> float:
    """Run a command to its end; return how many seconds it took."""
    begun = time.perf_counter()
    process = start_command(module, *arguments, log=log, before=before)
    process.join(120)
    assert process.exitcode == 0, log.read_text("utf8")
    return time.perf_counter() - begun
