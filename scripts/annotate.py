"""Annotate files of any number and size with a pipeline, into a folder of parts; go on where it stopped."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet
import srsly
from spacy.language import Language
from tqdm import tqdm
from wasabi import msg

from .common.errors import UserError, warn
from .common.precision import AUTO, check_precision
from .corpora.options import Options
from .scale.cluster import imported, run_ray
from .scale.inputs import (
    BadFile,
    Inputs,
    Source,
    find_inputs,
    read_inputs,
    surveyed,
    write_inputs,
)
from .scale.local import RESUME, run_local
from .scale.manifest import (
    INPUTS,
    MANIFEST,
    about,
    alone,
    check_same,
    clear,
    fingerprint,
    read_manifest,
    versions,
    write_manifest,
)
from .scale.parts import ERRORS, UNFINISHED, layout_of, replacing
from .scale.units import Unit, rows_a_part, units_of
from .scale.work import PARQUET, Annotator, Job, error_of, load_pipeline
from .serving.pipeline import task_labels

# The list of files that no row can be read from, beside those of parts.
BAD_FILES = "files.jsonl"


class Request(NamedTuple):
    """What the user asks for.

    format: of the parts. whole: whether a .txt file is one text. part_rows: rows of a part, 0 for a
    number that suits the input. processes: 0 for as many as are fastest.
    """

    pipeline: str
    inputs: list[str]
    output: Path
    options: Options = Options()
    format: str = PARQUET
    whole: bool = False
    part_rows: int = 0
    strict: bool = False
    gpu_id: int = -1
    precision: str = AUTO
    processes: int = 0
    engine: str = "local"
    address: str = ""
    gpus: int = 0
    fresh: bool = False


class Work(NamedTuple):
    """What is to be done: the units of a job, those of them that are left, and the manifest."""

    job: Job
    units: list[Unit]
    left: list[Unit]
    manifest: dict[str, Any]


def usable(found: Sequence[Source | BadFile], strict: bool) -> list[Source]:
    """Return the files with rows; say which have none. Raises UserError if all have none or, if
    `strict`, any."""
    sources = [each for each in found if isinstance(each, Source)]
    bad = [each for each in found if isinstance(each, BadFile)]
    if bad and (strict or not sources):
        raise UserError(bad[0].reason)
    for each in bad[:3]:
        warn(f"left out: {each.reason}")
    if len(bad) > 3:
        warn(f"left out: {len(bad) - 3:,} more, listed in {ERRORS}/{BAD_FILES}")
    return sources


def begin(request: Request, inputs: Inputs, manifest: dict[str, Any]) -> list[Source | BadFile]:
    """Read all files through, and write down what is to be annotated, and how; return the files.

    The manifest, which is completed, is written last: with it a run can be gone on with.
    """
    output = request.output
    found = list(surveyed(inputs, request.options, request.whole))
    sources = usable(found, request.strict)
    layout_of(sources, manifest["pipeline"]["labels"], str(output))
    manifest["input"] = fingerprint(found)
    manifest["part_rows"] = request.part_rows or rows_a_part(manifest["input"]["rows"])
    bad = [error_of(each.name, None, each.reason) for each in found if isinstance(each, BadFile)]
    if bad:
        (output / ERRORS).mkdir(exist_ok=True)
        with replacing(output / ERRORS / BAD_FILES, output) as path:
            srsly.write_jsonl(path, bad)
    with replacing(output / INPUTS, output) as path:
        write_inputs(found, path)
    write_manifest(manifest, output)
    return found


def bad_rows(output: Path) -> tuple[dict[int, int], dict[str, Any] | None]:
    """Return the number of rows of each unit that could not be annotated, and the first of them."""
    counts, first = {}, None
    for path in sorted((output / ERRORS).glob("part-*.jsonl")):
        rows = list(srsly.read_jsonl(path))
        counts[int(path.stem.rpartition("-")[2])] = len(rows)
        first = first or rows[0]
    return counts, first


def check_no_bad_rows(output: Path, strict: bool) -> None:
    """Raise UserError if `strict` and an earlier run, which was not, could not annotate a row."""
    first = bad_rows(output)[1] if strict else None
    if first:
        raise UserError(f"{in_words(first)}; correct it and begin again, or omit --strict.")


def in_words(bad: dict[str, Any]) -> str:
    return f"{bad['file']}:{bad['line']}: {bad['reason']}"


def check_parts(job: Job, units: Sequence[Unit], bad: dict[int, int]) -> None:
    """Raise UserError unless each row is in a part or in a list of bad ones, once."""
    for unit in units if job.format == PARQUET else ():
        path, wanted = job.part(unit.number), unit.rows - bad.get(unit.number, 0)
        if pyarrow.parquet.read_metadata(path).num_rows != wanted:
            raise UserError(f"{path}: does not have {wanted:,} rows; delete it: {RESUME}.")


def finish(work: Work) -> None:
    """Count what was written, complete the manifest, and say how it went. Raises UserError."""
    output = work.job.output
    bad, first = bad_rows(output)
    check_parts(work.job, work.units, bad)
    rows, number = sum(unit.rows for unit in work.units), sum(bad.values())
    work.manifest["counts"] = {
        "rows": rows,
        "annotated": rows - number,
        "bad_rows": number,
        "bad_files": work.manifest["input"]["bad_files"],
        "parts": len(work.units),
    }
    write_manifest(work.manifest, output)
    shutil.rmtree(output / UNFINISHED, ignore_errors=True)
    if number:
        warn(
            f"{number:,} rows could not be annotated, listed in {output / ERRORS}: {in_words(first)}"
        )
    msg.good(f"{output}: {rows - number:,} rows, parts: {len(work.units):,}; see {MANIFEST}")


def check_engine(request: Request) -> None:
    """Raise UserError for an engine that is not installed, and for options that it does not have."""
    if request.engine == "ray":
        imported()
    elif request.address or request.gpus:
        raise UserError("--address and --gpus are of --engine ray; pass that too.")


def annotate(request: Request) -> None:
    """Write the annotation of all rows into a folder, each once, or go on with what is in it.

    Raises UserError.
    """
    check_precision("--precision", request.precision)
    check_engine(request)
    inputs = find_inputs(request.inputs, request.output)
    if inputs.others:
        warn(f"left out, of other kinds: {len(inputs.others):,}, such as {inputs.others[0]}")
    with alone(request.output):
        annotate_alone(request, inputs)


def annotate_alone(request: Request, inputs: Inputs) -> None:
    """Do that, while no other run writes into the folder."""
    if request.fresh:
        clear(request.output)
    before, precision = read_manifest(request.output), request.precision
    if before and precision == AUTO:
        precision = before["options"]["precision"]
    nlp, precision = load_pipeline(request.pipeline, request.gpu_id, precision)
    work = prepared(request, inputs, before, nlp, precision)
    # Its memory is of use to workers: only the annotator keeps it.
    annotator = Annotator(work.job, nlp)
    del nlp
    try:
        run(request, work, annotator)
    except KeyboardInterrupt:
        warn(f"{request.output}: interrupted; {RESUME}")
        raise
    finish(work)


def prepared(
    request: Request,
    inputs: Inputs,
    before: dict[str, Any] | None,
    nlp: Language,
    precision: str,
) -> Work:
    """Return what is to be done with a pipeline. before: the manifest of an earlier run. Raises UserError."""
    output = request.output
    given = {name: value for name, value in request.options._asdict().items() if value is not None}
    options = {"format": request.format, "whole": request.whole, "precision": precision, **given}
    manifest = {"pipeline": about(nlp), "options": options, "versions": versions()}
    if before is None:
        found = begin(request, inputs, manifest)
    else:
        check_same(before, manifest, output, request.part_rows)
        check_no_bad_rows(output, request.strict)
        manifest, found = before, read_inputs(output / INPUTS, inputs)
    sources = usable(found, request.strict)
    job = Job(
        request.pipeline, request.gpu_id, precision, request.options, request.whole,
        layout_of(sources, task_labels(nlp), str(output)), request.format, request.strict, output,
    )  # fmt: skip
    units = list(units_of(sources, manifest["part_rows"]))
    there = {path.name for path in output.iterdir()}
    left = [unit for unit in units if job.part(unit.number).name not in there]
    return Work(job, units, left, manifest)


def run(request: Request, work: Work, annotator: Annotator) -> None:
    """Annotate the units that are left. Raises UserError."""
    rows = sum(unit.rows for unit in work.units)
    done = rows - sum(unit.rows for unit in work.left)
    if done:
        msg.info(f"{done:,} of {rows:,} rows are annotated already")
    if not work.left:
        return
    # Shown with the first row: engines say something before.
    with tqdm(total=rows, initial=done, desc="annotate", unit=" texts", delay=1e-3) as bar:
        if request.engine == "ray":
            run_ray(annotator, work.left, request.address, request.gpus, request.processes, bar)
        else:
            run_local(annotator, work.left, request.processes, bar)
