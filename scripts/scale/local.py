"""The engine of one machine: this process with all its threads, or a process a core with one thread each."""

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import connection
from multiprocessing.connection import Connection

import torch
from spacy.language import Language
from tqdm import tqdm
from wasabi import msg

from ..common.annotate import BATCH_DOCS
from ..common.errors import UserError, message_of, warn
from ..common.processes import CONTEXT, core_count, work_for_parent
from ..serving.annotated import predicted
from ..serving.rows import Row
from .units import Queue, Unit
from .work import Annotator, Job

ONE_THREAD = {
    "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}  # fmt: skip
# Seconds: of work for which processes are not worth their start, of texts that are measured, between
# two messages of a worker.
WORTHWHILE, MEASURED, INTERVAL = 60.0, 2.0, 0.5
# How often a unit is begun whose worker is killed.
TRIES = 2
READY, ROWS, DONE, FAILED = "ready", "rows", "done", "failed"
RESUME = "the same command goes on"


@contextmanager
def environment(settings: dict[str, str]) -> Iterator[None]:
    """Set variables for the processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class Progress:
    """Says how many rows are done, not more often than each INTERVAL."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe, self.rows, self.last = pipe, 0, time.monotonic()

    def __call__(self, rows: int) -> None:
        self.rows += rows
        if time.monotonic() - self.last >= INTERVAL:
            self.pipe.send((ROWS, self.rows))
            self.rows, self.last = 0, time.monotonic()


def timed(nlp: Language, texts: list[str]) -> float:
    """Return the seconds in which a pipeline annotates texts."""
    start = time.perf_counter()
    with nlp.memory_zone():
        predicted(nlp, texts)
    return time.perf_counter() - start


def serve(pipe: Connection, job: Job) -> None:
    """Annotate the units, and time the texts, that come through a pipe, until it is closed."""
    work_for_parent()
    try:
        annotator = Annotator(job)
        pipe.send((READY, 0))
        while True:
            task = pipe.recv()
            if isinstance(task, Unit):
                progress = Progress(pipe)
                annotator.annotate(task, progress)
                pipe.send((DONE, progress.rows))
            else:
                pipe.send((READY, timed(annotator.nlp, task)))
    except EOFError:
        return
    except (UserError, OSError) as error:
        message = message_of(error)
        if message is None:
            raise
        pipe.send((FAILED, message))


class Worker:
    """A process with one thread. unit: what it annotates; rows: how many of it are done."""

    def __init__(self, job: Job) -> None:
        self.pipe, theirs = CONTEXT.Pipe()
        with environment(ONE_THREAD):
            self.process = CONTEXT.Process(target=serve, args=(theirs, job), daemon=True)
            self.process.start()
        # So that the end of the process ends the pipe.
        theirs.close()
        self.unit: Unit | None = None
        self.rows = 0

    def answer(self) -> tuple[str, float]:
        """Return the next message. Raises UserError for a failure, EOFError if the process is gone."""
        try:
            kind, value = self.pipe.recv()
        except ConnectionResetError as error:
            raise EOFError from error
        if kind == FAILED:
            raise UserError(value)
        return kind, value

    def begin(self, unit: Unit) -> None:
        self.unit, self.rows = unit, 0
        self.pipe.send(unit)

    def how_it_ended(self) -> str:
        """Return why the process is gone. Raises RuntimeError for a bug: its traceback is printed."""
        self.process.join()
        code = self.process.exitcode
        if code > 0:
            raise RuntimeError(f"a worker failed with status {code}; see its traceback")
        return f"was killed by signal {-code}{', often for lack of memory' if code == -9 else ''}"

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def sample(annotator: Annotator, unit: Unit) -> list[str]:
    """Return the first texts of a unit, as many as are annotated together."""
    rows = (row for each in unit.slices for row in annotator.rows_of(each))
    texts = (row.text for row in rows if isinstance(row, Row))
    return [text for text, _ in zip(texts, range(BATCH_DOCS))]


def measured(nlp: Language, texts: list[str]) -> tuple[int, float]:
    """Return of how many of the texts the time was taken, and the seconds."""
    count = 16
    timed(nlp, texts[:count])
    while True:
        seconds = timed(nlp, texts[:count])
        if seconds >= MEASURED / 2 or count >= len(texts):
            return min(count, len(texts)), seconds
        count = max(2 * count, min(round(count * MEASURED / seconds), len(texts)))


def faster_workers(annotator: Annotator, units: Sequence[Unit]) -> list[Worker]:
    """Return a started worker for each core if they are faster than this process, as measured now, and
    there is work enough for them; otherwise none."""
    cores = min(core_count(), len(units))
    if annotator.job.gpu_id >= 0 or cores == 1:
        return []
    texts = sample(annotator, units[0])
    if not texts:
        return []
    count, seconds = measured(annotator.nlp, texts)
    if sum(unit.rows for unit in units) * seconds / count < WORTHWHILE:
        return []
    workers = start_workers(annotator.job, cores)
    for worker in workers:
        worker.pipe.send(texts[:count])
    longest = max(worker.answer()[1] for worker in workers)
    ratio = cores * seconds / longest
    msg.info(
        f"{cores} processes of one thread annotate {ratio:.2f} times as many texts a second as one process "
        f"of {torch.get_num_threads()}"
    )
    if ratio > 1:
        return workers
    for worker in workers:
        worker.stop()
    return []


def start_workers(job: Job, count: int) -> list[Worker]:
    """Return workers that have loaded the pipeline. Raises UserError if one does not come so far."""
    workers = [Worker(job) for _ in range(count)]
    for worker in workers:
        try:
            worker.answer()
        except EOFError as error:
            reason = worker.how_it_ended()
            raise UserError(
                f"{job.pipeline}: one of {count} processes {reason} while it loaded the pipeline; use "
                "fewer --processes."
            ) from error
    return workers


def run_workers(job: Job, workers: list[Worker], units: Sequence[Unit], bar: tqdm) -> None:
    """Annotate units with workers; one that is killed is replaced, and its unit is begun again.

    Raises UserError for a failure, and for a unit whose workers are killed again and again.
    """
    queue, killed = Queue(units), Counter()
    for worker in workers:
        give(worker, queue)
    while busy := {worker.pipe: worker for worker in workers if worker.unit is not None}:
        for pipe in connection.wait(list(busy)):
            worker = busy[pipe]
            try:
                kind, rows = worker.answer()
            except EOFError as error:
                bar.update(-worker.rows)
                killed[worker.unit.number] += 1
                reason = f"{worker.unit}: its worker {worker.how_it_ended()}"
                if killed[worker.unit.number] == TRIES:
                    raise UserError(
                        f"{reason}, for the second time; use fewer --processes, or free memory: {RESUME}."
                    ) from error
                warn(f"{reason}; it is begun again")
                queue.put_back(worker.unit)
                queue.forget(id(worker))
                (new,) = start_workers(job, 1)
                workers[workers.index(worker)] = new
                give(new, queue)
                continue
            bar.update(rows)
            worker.rows += rows
            if kind == DONE:
                give(worker, queue)


def give(worker: Worker, queue: Queue) -> None:
    """Give a worker its next unit, if one is left."""
    unit = queue.next(id(worker))
    if unit is None:
        worker.unit = None
    else:
        worker.begin(unit)


def run_local(annotator: Annotator, units: Sequence[Unit], processes: int, bar: tqdm) -> None:
    """Annotate units on this machine. processes: 0 for as many as are fastest. Raises UserError."""
    job = annotator.job
    workers = (
        start_workers(job, min(processes, len(units)))
        if processes > 1
        else faster_workers(annotator, units)
        if not processes
        else []
    )
    if not workers:
        for unit in units:
            annotator.annotate(unit, bar.update)
        return
    try:
        # Its memory is of use to the workers.
        annotator.nlp = None
        run_workers(job, workers, units, bar)
    finally:
        for worker in workers:
            worker.stop()
