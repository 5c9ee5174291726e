"""What the front door lists: pipelines by their metrics, comparisons and learning curves by their figures."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import srsly
from pydantic import BaseModel, Field, model_validator
from spacy.training.loop import DIR_MODEL_BEST

from ..common.errors import UserError
from ..common.files import check_whole
from ..encoders.checkpoint import strip_local_path
from ..serving.metrics import main_score, metrics_in
from ..serving.pipeline import TASKS
from .wheels import wheel_of

COMPARISON, CURVE = ".compare.json", ".curve.json"


class Folders(NamedTuple):
    """Where what is listed lies. reports: the folder of the pages and of the front door itself."""

    reports: Path
    metrics: Path
    training: Path
    packages: Path

    @classmethod
    def beside(cls, metrics: Path, reports: Path) -> "Folders":
        """Return a project's folders, by where its metrics are."""
        project = metrics.resolve().parent
        return cls(reports, metrics, project / "training", project / "packages")


class Scores(BaseModel):
    """The main score: one of these is given, None where there was nothing to find."""

    ents_f: float | None = None
    accuracy: float | None = None
    cats_micro_f: float | None = None

    @model_validator(mode="after")
    def check_given(self) -> "Scores":
        if not self.model_fields_set:
            raise ValueError("no main score")
        return self


class Speed(BaseModel):
    words_per_second: float
    device: str
    precision: str


class Scored(BaseModel):
    """What is shown of a metrics file. Older ones lack what may be None."""

    task: Literal[tuple(TASKS)]
    weights: str
    corpus: str
    split: str
    examples: int
    parameters: int
    encoder: str | None
    raw_text: Scores
    interval: tuple[float, float] | None = None
    speed: Speed
    date: str | None = None
    lang: str | None = None


class Point(BaseModel):
    """A score, of a pipeline of a comparison or of a share of train."""

    name: str = ""
    score: float
    interval: tuple[float, float]


class Comparison(BaseModel):
    """What is shown of the figures of `compare`."""

    corpus: str
    split: str
    examples: int
    pipelines: list[Point]


class LastStep(BaseModel):
    pays: Literal["yes", "little", "unknown", "not learnt"]


class Curve(BaseModel):
    """What is shown of the figures of `learning-curve`."""

    corpus: str
    split: str
    points: list[Point] = Field(min_length=1)
    last_step: LastStep


def link(target: Path, reports: Path) -> str | None:
    """Return the address of a file, relative to a folder; None if there is no such file."""
    if not target.is_file():
        return None
    try:
        path = os.path.relpath(target.parent.resolve() / target.name, reports.resolve())
    except ValueError:  # on another drive of Windows
        return None
    return quote(os.fsencode(Path(path).as_posix()))


def pipeline_row(path: Path, folders: Folders) -> dict[str, Any]:
    """Return what is shown of a metrics file. Raises UserError or ValueError if it is none.

    A pipeline scored on two corpora has two: fr_demo_trf-ner.json is about fr_demo_trf.
    """
    scored = Scored.model_validate(metrics_in(path))
    name, _, score = main_score(scored.raw_text.model_dump(exclude_unset=True))
    trained = folders.training / path.stem.partition("-")[0] / DIR_MODEL_BEST
    wheel = wheel_of(scored.weights, folders.packages)
    links = {
        "page": folders.reports / f"{path.stem}.html",
        "config": trained / "config.cfg",
        "metrics": path,
        "wheel": wheel,
    }
    return {
        **dict(scored),
        **{key: target and link(target, folders.reports) for key, target in links.items()},
        "name": path.stem,
        "task": TASKS[scored.task],
        "score_name": name,
        "score": score,
        "encoder": scored.encoder and strip_local_path(scored.encoder),
        "bytes": wheel and wheel.stat().st_size,
    }


def figures_row(path: Path, suffix: str, kind: type[BaseModel], reports: Path) -> dict[str, Any]:
    """Return what is shown of a page with figures beside it. Raises ValueError if they are others."""
    name = path.name.removesuffix(suffix)
    links = {"page": link(reports / f"{name}.html", reports), "data": link(path, reports)}
    return {**dict(kind.model_validate(srsly.read_json(path))), **links, "name": name}


def read_all(
    paths: Iterable[Path], read: Callable[[Path], dict[str, Any]], others: list[Path]
) -> list[dict[str, Any]]:
    """Return the rows of files, in the order of their names. Those that cannot be read, as they are
    something else or from an older version, go to `others`."""
    found = []
    for path in sorted(paths):
        try:
            found.append(read(path))
        except (UserError, ValueError):
            others.append(path)
    return found


def tables(folders: Folders) -> tuple[dict[str, list[dict[str, Any]]], list[Path]]:
    """Return the rows of each table by its name, and the JSON files that belong in none.

    Raises UserError if the metrics are of an interrupted command.
    """
    check_whole(folders.metrics)
    others: list[Path] = []
    reports = folders.reports
    found = {
        "pipelines": read_all(
            (
                path
                for path in folders.metrics.glob("*.json")
                if not path.name.endswith((COMPARISON, CURVE))
            ),
            lambda path: pipeline_row(path, folders),
            others,
        ),
        "comparisons": read_all(
            reports.glob(f"*{COMPARISON}"),
            lambda path: figures_row(path, COMPARISON, Comparison, reports),
            others,
        ),
        "curves": read_all(
            reports.glob(f"*{CURVE}"), lambda path: figures_row(path, CURVE, Curve, reports), others
        ),
    }
    return found, others


def language_of(pipelines: Sequence[dict[str, Any]]) -> str:
    """Return the language of a page about some pipelines: French if all are, else English."""
    return "fr" if {row["lang"] for row in pipelines} == {"fr"} else "en"
