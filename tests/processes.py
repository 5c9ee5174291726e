"""Commands in processes of their own, forked from one that has imported them all: they start at once."""

import multiprocessing
import multiprocessing.forkserver
import os
import signal
import sys
from collections.abc import Callable
from contextlib import chdir
from multiprocessing.process import BaseProcess
from pathlib import Path

from scripts.cli import run

ROOT = Path(__file__).parent.parent
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.warm"])


def redirect(log: Path) -> None:
    """Let all that this process prints go to a file, and take Ctrl-C as a terminal gives it."""
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
    """Begin a function of a module in a process of its own."""
    with chdir(ROOT):
        multiprocessing.forkserver.ensure_running()
    process = CONTEXT.Process(target=target, args=arguments)
    process.start()
    return process


def start_command(
    module: str, *arguments, log: Path, before: Callable[[], None] | None = None
) -> BaseProcess:
    """Begin a module of scripts/ as its command line does, after a call of `before`."""
    return start(run_command, module, [str(argument) for argument in arguments], log, before)
