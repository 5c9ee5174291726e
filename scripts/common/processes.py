"""Processes that work for this one: how many there is room for, and that they end when it does."""

import multiprocessing
import os
import signal
import threading
from multiprocessing import connection

# A forked process has no threads of torch, and waits for them for ever.
CONTEXT = multiprocessing.get_context("spawn")


def core_count() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def end_with_parent() -> None:
    connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def work_for_parent(interrupted: bool = False) -> None:
    """End when the process that started this one does, even if that is killed.

    interrupted: whether Ctrl-C, which reaches all processes of a terminal, ends this one too; otherwise
    it is for the other alone.
    """
    signal.signal(signal.SIGINT, (lambda *_: os._exit(130)) if interrupted else signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
