"""Annotate files that people drop: each a job, one at a time, beside the texts of other clients."""

import asyncio
import logging
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path, PurePath
from typing import Annotated as Of
from typing import Any

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import FileResponse, Response
from starlette.requests import ClientDisconnect

from ..common.errors import UserError
from ..common.rawfile import RawFile, plain_path
from ..corpora.options import Options
from ..serving.annotated import annotated, chunks
from ..serving.row_files import Item, write_rows
from ..serving.rows import SUFFIXES, BadRow, Rows
from .annotator import BATCH_CHARS, Annotator
from .answers import File
from .checks import GONE, PROBLEMS, Limits, busy, chosen

# Files at a time, done ones included; seconds until one that is done is deleted.
MOST, KEPT = 20, 3600
# Bad rows that are told one by one.
TOLD = 5
BLOCK = 1 << 20
WAITING, READING, ANNOTATING, DONE, FAILED = "waiting", "reading", "annotating", "done", "failed"
log = logging.getLogger(__name__)


class Stopped(Exception):
    """Nobody wants the file any more."""


class Job:
    """A file to annotate. total: its rows, 0 until they have been counted; bad: those that could not be
    annotated, the first of them in `told`; problem: why it failed; result: the name of what comes back."""

    def __init__(self, name: str, annotator: Annotator, options: Options) -> None:
        self.id = secrets.token_urlsafe(12)
        self.name, self.annotator, self.options = name, annotator, options
        self.folder = tempfile.TemporaryDirectory(prefix="serve-")
        self.source, self.output = (Path(self.folder.name) / part for part in ("source", "output"))
        self.state, self.problem, self.result = WAITING, "", ""
        self.total = self.done = self.bad = 0
        self.told: list[str] = []
        self.stopped = False

    def to_json(self) -> dict[str, Any]:
        """Return it as in File."""
        return {name: getattr(self, name) for name in File.model_fields}

    def run(self, limits: Limits) -> None:
        """Annotate it. Raises UserError for a file that cannot be read; Stopped."""
        self.state = READING
        self.check_size(limits.file_bytes)
        rows = Rows(self.source, self.options, self.name, limits.chars)
        self.total, self.state = rows.total, ANNOTATING
        write_rows(rows, self.annotator.tasks, self.counted(self.items(rows)), self.output)
        stem = plain_path(PurePath(self.name)).stem
        self.result, self.state = f"{stem}-{self.annotator.name}{rows.suffix}", DONE

    def check_size(self, most: int) -> None:
        """Raise UserError for a file that is much larger when it is unpacked."""
        file, size = RawFile(self.source, name=self.name), 0
        with file.open() as stream:
            while block := stream.read(BLOCK):
                size += len(block)
                if size > most:
                    raise UserError(f"{file}: over {most:,} bytes when unpacked; split it.")

    def items(self, rows: Rows) -> Iterator[Item]:
        """Yield the rows as they are annotated: by the pipeline's thread, in turn with other texts."""
        nlp, tasks = self.annotator.nlp, self.annotator.tasks
        for chunk in chunks(rows, nlp.max_length, self.annotator.batch_texts, BATCH_CHARS):
            if self.stopped:
                raise Stopped
            yield from self.annotator.thread.submit(list, annotated(nlp, chunk, tasks)).result()

    def counted(self, items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            self.done += 1
            if isinstance(item, BadRow):
                self.bad += 1
                self.told += [str(item)] if self.bad <= TOLD else []
            yield item


class Files:
    """The jobs, by their id. One runs at a time; a done one is deleted after a while."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.jobs: dict[str, Job] = {}
        self.thread = ThreadPoolExecutor(1, "files")

    def add(self, job: Job) -> None:
        """Make room for a job. Raises HTTPException if as many as there can be are not done."""
        if len(self.jobs) >= MOST:
            old = next((one for one in self.jobs.values() if one.state in (DONE, FAILED)), None)
            if old is None:
                raise busy("Many files are being annotated; try again later.")
            self.discard(old)
        self.jobs[job.id] = job

    def start(self, job: Job) -> None:
        loop = asyncio.get_running_loop()

        def ended(work: Future) -> None:
            loop.call_soon_threadsafe(self.end, job, work)

        self.thread.submit(job.run, self.limits).add_done_callback(ended)

    def end(self, job: Job, work: Future) -> None:
        """Keep the result of a job for a while, or say why it has none."""
        error = work.exception()
        if error is not None:
            job.state, job.problem = FAILED, str(error)
            if not isinstance(error, UserError | Stopped):
                job.problem = "The pipeline failed on this file; the server's log says where."
                log.error("a file could not be annotated", exc_info=error)
        asyncio.get_running_loop().call_later(KEPT, self.discard, job)

    def discard(self, job: Job) -> None:
        """Stop a job, and delete its files."""
        job.stopped = True
        self.jobs.pop(job.id, None)
        job.folder.cleanup()

    def close(self) -> None:
        for job in list(self.jobs.values()):
            self.discard(job)
        self.thread.shutdown(wait=False, cancel_futures=True)

    def of(self, id: str) -> Job:
        """Return a job. Raises HTTPException if there is none."""
        if id not in self.jobs:
            raise HTTPException(404, "No such file: it may have been deleted.")
        return self.jobs[id]


async def receive(request: Request, path: Path) -> None:
    """Write the body of a request into a file."""
    with path.open("wb") as stream:
        async for block in request.stream():
            stream.write(block)


def add_files(app: FastAPI, files: Files, annotators: dict[str, Annotator]) -> None:
    """Add the requests for files to the application."""
    missing = {404: {**PROBLEMS[404], "description": "No such file"}, 422: PROBLEMS[422]}

    @app.post(
        "/files", status_code=202, response_model=File, responses=PROBLEMS,
        openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {}}}},
    )  # fmt: skip
    async def add_file(
        request: Request,
        name: Of[str, Query(max_length=255, description="Its name, which tells its kind")],
        pipeline: str | None = None,
        text_column: Of[str | None, Query(description="Default: text, review…")] = None,
    ) -> Any:
        """Annotate a file, which is the body: text, CSV, TSV, JSON Lines or Parquet."""
        name = PurePath(name.replace("\\", "/")).name
        if plain_path(PurePath(name)).suffix.lower() not in SUFFIXES:
            raise HTTPException(
                415, f"Unknown kind of file; the name must end in one of {', '.join(SUFFIXES)}."
            )
        job = Job(name, chosen(annotators, pipeline), Options(text_column=text_column))
        files.add(job)
        with ExitStack() as unless_received:
            unless_received.callback(files.discard, job)
            try:
                await receive(request, job.source)
            except ClientDisconnect:
                return Response(status_code=GONE)
            unless_received.pop_all()
        files.start(job)
        return job.to_json()

    @app.get("/files/{id}", response_model=File, responses=missing)
    async def file(id: str) -> Any:
        """Say how far a file is."""
        return files.of(id).to_json()

    @app.get("/files/{id}/content", response_class=FileResponse, responses=missing)
    async def content(id: str) -> Any:
        """Return an annotated file, in its own format; plain text as JSON Lines."""
        job = files.of(id)
        if job.state != DONE:
            raise HTTPException(404, "The file is not annotated yet.")
        return FileResponse(job.output, media_type="application/octet-stream", filename=job.result)

    @app.delete("/files/{id}", status_code=204, responses=missing)
    async def delete(id: str) -> Response:
        """Stop annotating a file, and delete it."""
        files.discard(files.of(id))
        return Response(status_code=204)
