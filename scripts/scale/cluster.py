"""The engine of a cluster: the workers of `work` as actors of Ray.

Not Ray Data, whose workers would read a file from its beginning for each part of it: an actor reads on in
the file that it has open. Input and output are on a disk that all nodes share; the pipeline is sent to them.
"""

import io
import logging
import tarfile
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm
from wasabi import msg

from ..common.errors import UserError, message_of, warn
from .local import ONE_THREAD, RESUME
from .units import Queue, Unit
from .work import Annotator, Job

CODE = Path(__file__).resolve().parents[1]
# How often a unit is begun whose actor is lost: nodes of a cluster come and go.
TRIES = 4
# Seconds without news after which a line says so.
PATIENCE = 120
REQUIREMENTS = "requirements-ray.txt"


def imported() -> Any:
    """Return the package of Ray. Raises UserError if it is not installed."""
    try:
        import ray
    except ModuleNotFoundError as error:
        raise UserError(
            f"--engine ray: Ray is not installed: pip install -r {REQUIREMENTS} -c constraints.txt"
        ) from error
    return ray


def packed(folder: Path) -> bytes:
    """Return a folder as a tar archive."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.add(folder, arcname=".")
    return stream.getvalue()


class Actor:
    """A worker on a node."""

    def begin(self, job: Job, archive: bytes) -> str:
        """Load the pipeline; return what is wrong, if something is."""
        try:
            # It is in memory once it is loaded.
            with tempfile.TemporaryDirectory() as folder:
                with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                    tar.extractall(folder, filter="data")
                self.annotator = Annotator(job._replace(pipeline=folder))
        except (UserError, OSError) as error:
            return said(error)
        return ""

    def annotate(self, unit: Unit) -> str:
        """Write the part of a unit; return what is wrong, if something is."""
        try:
            self.annotator.annotate(unit, int)
        except FileNotFoundError as error:
            return f"{said(error)}; all nodes must see input and output under the same path"
        except (UserError, OSError) as error:
            return said(error)
        return ""


def said(error: UserError | OSError) -> str:
    """Return an error's message for users. Raises the error if it is a bug."""
    message = message_of(error)
    if message is None:
        raise error
    return message


class Pool:
    """Actors, and the units that they annotate.

    Each is given its first unit when it has loaded the pipeline: one for which the cluster has no room
    holds up nothing.
    """

    def __init__(self, ray: Any, job: Job, archive: bytes, gpus: int) -> None:
        self.ray, self.job = ray, job
        self.archive = ray.put(archive)
        resources = {"num_cpus": 1, "num_gpus": 1} if gpus else {"num_cpus": 1}
        self.remote = ray.remote(**resources)(Actor)
        # What is awaited of each actor: its unit, or None while it loads the pipeline.
        self.awaited: dict[Any, tuple[Any, Unit | None]] = {}
        self.idle: list[Any] = []
        self.lost: Counter[int] = Counter()

    def start(self) -> None:
        actor = self.remote.remote()
        self.awaited[actor.begin.remote(self.job, self.archive)] = (actor, None)

    def give(self, actor: Any, queue: Queue) -> None:
        """Give an actor its next unit, if one is left."""
        unit = queue.next(id(actor))
        if unit is None:
            self.idle.append(actor)
        else:
            self.awaited[actor.annotate.remote(unit)] = (actor, unit)

    def recover(self, actor: Any, unit: Unit | None, error: Exception, queue: Queue) -> None:
        """Replace an actor that is lost. Raises UserError for a unit whose actors are lost again and
        again, and for a pipeline that none can load."""
        number = -1 if unit is None else unit.number
        self.lost[number] += 1
        what = f"{unit}: its worker" if unit else "a worker that loaded the pipeline"
        reason = f"{what} is lost ({type(error).__name__})"
        if self.lost[number] == TRIES:
            raise UserError(
                f"{reason}, for the fourth time; see Ray's logs, use fewer --processes: {RESUME}."
            ) from error
        warn(f"{reason}; it is replaced")
        queue.forget(id(actor))
        if unit is not None:
            queue.put_back(unit)
        self.start()
        if unit is not None and self.idle:
            self.give(self.idle.pop(), queue)

    def run(self, units: Sequence[Unit], bar: tqdm) -> None:
        """Annotate all units. Raises UserError."""
        ray, queue, left = self.ray, Queue(units), len(units)
        while left:
            ready, _ = ray.wait(list(self.awaited), timeout=PATIENCE)
            if not ready:
                warn(f"no part for {PATIENCE} seconds; does the cluster have free nodes?")
            for reference in ready:
                actor, unit = self.awaited.pop(reference)
                try:
                    problem = ray.get(reference)
                except ray.exceptions.RayTaskError:
                    # A bug, with its traceback.
                    raise
                except ray.exceptions.RayError as error:
                    self.recover(actor, unit, error, queue)
                    continue
                if problem:
                    raise UserError(problem)
                if unit is not None:
                    left -= 1
                    bar.update(unit.rows)
                self.give(actor, queue)


def run_ray(
    annotator: Annotator, units: Sequence[Unit], address: str, gpus: int, processes: int, bar: tqdm
) -> None:
    """Annotate units with actors of Ray, one a core of the cluster, or a GPU.

    address: of the cluster; "" for one of this machine alone. processes: the number of actors, 0 for
    as many as there is room for. Raises UserError.
    """
    ray = imported()
    job = annotator.job._replace(gpu_id=0 if gpus else -1)
    archive = packed(annotator.nlp.path)
    annotator.nlp = None
    try:
        ray.init(
            address=address or "local", logging_level=logging.ERROR, log_to_driver=False,
            runtime_env={"py_modules": [str(CODE)], "env_vars": ONE_THREAD},
        )  # fmt: skip
    except ConnectionError as error:
        raise UserError(
            f"--address {address}: no cluster of Ray there; check the address."
        ) from error
    try:
        room = ray.cluster_resources()
        count = gpus or processes or int(room.get("CPU", 1))
        if gpus > room.get("GPU", 0):
            raise UserError(f"--gpus {gpus}: the cluster has {room.get('GPU', 0):.0f}.")
        pool = Pool(ray, job, archive, gpus)
        count = min(count, len(units))
        nodes = sum(node["Alive"] for node in ray.nodes())
        msg.info(f"workers: {count}, nodes: {nodes}")
        for _ in range(count):
            pool.start()
        pool.run(units, bar)
    finally:
        ray.shutdown()
