"""The processes that `python -m bench.inference` asks in turn, and what they can be asked for."""

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import spacy
import typer

from scripts.common.errors import UserError

from .arms import PIPELINE, Arm

# Packages that pipelines without a transformer do not need; what their names begin with.
HEAVY = ("torch", "functorch", "transformers", "spacy_transformers")


class Worker:
    """A process that annotates in one way."""

    def __init__(self, arm: Arm, threads: int) -> None:
        settings = {"OMP_NUM_THREADS": str(threads)} if threads else {}
        if arm.packages:
            paths = (arm.packages, os.environ.get("PYTHONPATH", ""))
            settings["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        # -S: without the packages that are installed.
        command = [sys.executable, *(["-S"] if arm.packages else []), "-m", "bench.arms"]
        # Not a pipe, which would be full at some point.
        self.messages = tempfile.TemporaryFile("w+", encoding="utf8")  # noqa: SIM115
        self.process = subprocess.Popen(
            [*command, json.dumps(arm._asdict())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.messages, text=True,
            encoding="utf8", env={**os.environ, **settings},
        )  # fmt: skip
        self.loaded = self.answer()

    def answer(self) -> Any:
        """Return the process's answer. Raises UserError if it ended."""
        line = self.process.stdout.readline()
        if not line:
            self.messages.seek(0)
            raise UserError(f"{self.process.args[-1]}: {self.messages.read()[-800:]}")
        return json.loads(line)

    def ask(self, *command: Any) -> Any:
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: Any) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.messages.close()


def parse(given: str, task: str, unpacked: Path) -> tuple[str, Arm]:
    """Return a name and an arm from NAME=PIPELINE[,COMPONENT…][,bfloat16]; a wheel is unpacked."""
    name, _, rest = given.partition("=")
    path, *extras = rest.split(",")
    if not path:
        raise typer.BadParameter(f"{given}: give NAME=PIPELINE")
    folder = ""
    if path.endswith(".whl"):
        folder = str(unpacked / name)
        with zipfile.ZipFile(path) as wheel:
            wheel.extractall(folder)
    enable = tuple(extra for extra in extras if extra != "bfloat16")
    return name, Arm(PIPELINE, path, task, folder, enable, "bfloat16" in extras)


def link_packages(folder: Path) -> str:
    """Link all installed packages but HEAVY into a folder, and return it: spaCy imports torch and
    spacy-transformers wherever they are installed, whether or not a pipeline needs them."""
    for package in Path(spacy.__file__).parents[1].iterdir():
        if not package.name.lower().startswith(HEAVY):
            (folder / package.name).symlink_to(package)
    return str(folder)


def without_torch(arm: Arm, packages: str, threads: int) -> Arm:
    """Return the arm without torch if it loads without."""
    light = arm._replace(packages=packages)
    try:
        with Worker(light, threads):
            return light
    except UserError:
        return arm


def size(arm: Arm, loaded: str) -> int:
    """Return the size of a wheel, or of the files in the folder that a pipeline was loaded from."""
    if arm.unpacked:
        return Path(arm.path).stat().st_size
    return sum(path.stat().st_size for path in Path(loaded).rglob("*") if path.is_file())


@contextmanager
def texts_file(texts: list[str]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.json"
        path.write_text(json.dumps(texts), encoding="utf8")
        yield path


def measure_fresh(
    arms: dict[str, Arm], path: Path, timed: int, loads: int, threads: int
) -> dict[str, dict[str, float]]:
    """Return, for each pipeline, the median of seconds to load and of peak memory, in new processes
    which annotate the timed texts once; all in turn."""
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in arms}
    for _ in range(loads):
        for name, arm in arms.items():
            with Worker(arm, threads) as worker:
                worker.ask("texts", str(path))
                worker.ask("read", timed)
                found[name].append((worker.loaded["load"], worker.ask("peak")))
    return {
        name: {"load": median(a for a, _ in pairs), "peak": median(b for _, b in pairs)}
        for name, pairs in found.items()
    }
