"""What every engine does: annotate a unit of work, and write its part and the list of its bad rows."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import srsly
from spacy.language import Language

from ..common.errors import UserError, first_line
from ..corpora.options import Options
from ..serving.annotated import FAILURES, PROBE, Annotated, annotated
from ..serving.pipeline import load, set_precision, task_labels
from ..serving.rows import BadRow, Row, Rows
from .inputs import Source
from .parts import ERRORS, Docs, Layout, replacing, write_jsonl, write_parquet
from .units import Slice, Unit

PARQUET, JSONL, DOCBIN = "parquet", "jsonl", "docbin"
SUFFIXES = {PARQUET: ".parquet", JSONL: ".jsonl", DOCBIN: ".spacy"}


class Job(NamedTuple):
    """What is the same for all units. precision: as the first run chose it, not "auto"."""

    pipeline: str
    gpu_id: int
    precision: str
    options: Options
    whole: bool
    layout: Layout
    format: str
    strict: bool
    output: Path

    def part(self, number: int) -> Path:
        """Return the path of a unit's part."""
        return self.output / f"part-{number:06}{SUFFIXES[self.format]}"

    def errors(self, number: int) -> Path:
        """Return the path of the list of a unit's bad rows, which there is if it has any."""
        return self.output / ERRORS / f"part-{number:06}.jsonl"


def error_of(file: str, line: int | None, reason: str) -> dict[str, Any]:
    """Return how a row, or a file, that could not be annotated is listed."""
    return {"file": file, "line": line, "reason": reason}


def load_pipeline(pipeline: str, gpu_id: int, precision: str) -> tuple[Language, str]:
    """Return a pipeline that works, and its precision. Raises UserError for one that fails on any text."""
    nlp = load(pipeline, gpu_id)
    precision = set_precision(nlp, precision)
    try:
        nlp(PROBE)
    except FAILURES as error:
        raise UserError(
            f"{pipeline}: the pipeline fails on any text ({type(error).__name__}: "
            f"{first_line(error)[:120]}); train or install it again."
        ) from error
    return nlp, precision


class Annotator:
    """A worker: a pipeline, and the file that it reads on in."""

    def __init__(self, job: Job, nlp: Language | None = None) -> None:
        self.job = job
        self.nlp = nlp or load_pipeline(job.pipeline, job.gpu_id, job.precision)[0]
        self.tasks = task_labels(self.nlp)
        self.name = ""
        self.position = 0
        self.reader: Iterator[Row | BadRow] = iter(())

    def rows_of(self, part: Slice) -> Iterator[Row | BadRow]:
        """Yield the rows of a slice. Those before it are skipped, which is quick beside annotating.

        Raises UserError if the file is not the one that was read first.
        """
        source = part.source
        if self.name != source.name or self.position > part.first:
            state = source.path.stat()
            # In seconds: two machines may round what a shared disk says.
            if (state.st_size, state.st_mtime_ns // 10**9) != (
                source.size, source.modified // 10**9
            ):  # fmt: skip
                raise changed(source)
            rows = Rows(
                source.path,
                self.job.options,
                source.name,
                whole=self.job.whole,
                known=source.survey,
            )
            self.name, self.position, self.reader = source.name, 0, iter(rows)
        skipped, end = part.first - self.position, part.first + part.rows
        for row in islice(self.reader, skipped, skipped + part.rows):
            self.position = max(self.position, part.first) + 1
            yield row
        if self.position < end:
            raise changed(source)

    def items(
        self, unit: Unit, rows: Iterable[Row | BadRow], docs: Docs | None
    ) -> Iterator[tuple[str, Annotated | BadRow]]:
        """Yield the rows of a unit with their ids."""
        names = (each.source.name for each in unit.slices for _ in range(each.rows))
        found = annotated(self.nlp, rows, self.tasks, docs and docs.keep)
        # `found` first, so that it is read to its end.
        for item, name in zip(found, names):
            number = item.number if isinstance(item, BadRow) else item.row.number
            yield f"{name}:{number}", item

    def good(
        self,
        items: Iterable[tuple[str, Annotated | BadRow]],
        bad: list[dict[str, Any]],
        progress: Callable[[int], Any],
    ) -> Iterator[tuple[str, Annotated]]:
        """Yield the annotated rows; list the others in `bad`. Raises UserError for one if `strict`."""
        for id, item in items:
            progress(1)
            if not isinstance(item, BadRow):
                yield id, item
                continue
            if self.job.strict:
                raise UserError(f"{item}; correct it, or omit --strict.")
            bad.append({"id": id, **error_of(id.rpartition(":")[0], item.number, item.reason)})

    def annotate(self, unit: Unit, progress: Callable[[int], Any]) -> int:
        """Write the part of a unit, and return the number of its bad rows, which are listed beside it.

        progress: called with the number of rows that are done. Raises UserError.
        """
        job, bad = self.job, []
        docs = Docs() if job.format == DOCBIN else None
        rows = (row for each in unit.slices for row in self.rows_of(each))
        items = self.good(self.items(unit, rows, docs), bad, progress)
        write = docs.write if docs else {PARQUET: write_parquet, JSONL: write_jsonl}[job.format]
        with replacing(job.part(unit.number), job.output) as path:
            write(items, job.layout, path)
            # A part is there last: whoever finds it finds its list of bad rows.
            write_errors(bad, job.errors(unit.number), job.output)
        return len(bad)


def write_errors(bad: list[dict[str, Any]], path: Path, output: Path) -> None:
    """Write the list of a unit's bad rows; delete that of an earlier try if it has none now."""
    if not bad:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(exist_ok=True)
    with replacing(path, output) as partial:
        srsly.write_jsonl(partial, bad)


def changed(source: Source) -> UserError:
    return UserError(
        f"{source.name}: was changed while it was annotated; begin again in another folder."
    )
