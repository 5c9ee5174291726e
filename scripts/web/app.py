"""The application: a page, and a JSON API that is described in /openapi.json."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, Response

from ..serving.pipeline import encoder_name
from .annotator import Annotator
from .answers import Answer, Health, Pipeline, Problem, Question, with_utf16
from .guard import Guard

T = TypeVar("T")
# Nobody reads this: the client has gone.
GONE = 499
PROBLEMS = {
    code: {"model": Problem, "description": text}
    for code, text in {
        404: "No such pipeline",
        408: "The request came in too slowly",
        413: "The request has too many bytes",
        422: "Not as described here, or too many or too long texts",
        503: "Too much to do; Retry-After says when to ask again",
    }.items()
}


class Limits(NamedTuple):
    """What a client may ask for: texts in a request, characters in a text, seconds until an answer,
    bytes of a file."""

    texts: int
    chars: int
    seconds: int
    file_bytes: int

    @property
    def body_bytes(self) -> int:
        """The bytes of a request: of texts whose every character is escaped as two `\\uXXXX`, one; or many
        short ones."""
        return max(4_000_000, 12 * self.chars + 1000)


def busy(detail: str) -> HTTPException:
    return HTTPException(503, detail, {"Retry-After": "5"})


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """Return what `work` returns; cancel it, and return None, if the client closes the connection."""
    answer = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else None
    finally:
        answer.cancel()
        gone.cancel()


def description(annotator: Annotator) -> dict[str, Any]:
    """Return a pipeline as in Pipeline."""
    nlp = annotator.nlp
    encoder = encoder_name(nlp)
    return {
        "name": annotator.name,
        "lang": nlp.lang,
        "version": nlp.meta["version"],
        # The folder of an encoder is nobody's business.
        "encoder": encoder and encoder.replace("\\", "/").rstrip("/").rpartition("/")[2],
        "tasks": {
            task: {"labels": labels, "threshold": annotator.thresholds[task]}
            for task, labels in annotator.tasks.items()
        },
    }


def chosen(annotators: dict[str, Annotator], name: str | None) -> Annotator:
    """Return the pipeline of a name, or the only one. Raises HTTPException."""
    if name is None and len(annotators) == 1:
        return next(iter(annotators.values()))
    if name not in annotators:
        asked = "Name a pipeline" if name is None else "No such pipeline"
        raise HTTPException(
            422 if name is None else 404, f"{asked}; there are: {', '.join(annotators)}."
        )
    return annotators[name]


def is_unicode(text: str) -> bool:
    """Return whether a text can be encoded: JSON can escape halves of surrogate pairs."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_texts(texts: Sequence[str], limits: Limits) -> None:
    """Raise HTTPException for too many texts, or one that is too long or not Unicode."""
    if len(texts) > limits.texts:
        raise HTTPException(
            422, f"{len(texts):,} texts; a request can have {limits.texts:,}. Send several."
        )
    for number, text in enumerate(texts, 1):
        if len(text) > limits.chars:
            raise HTTPException(
                422,
                f"Text {number} has {len(text):,} characters; a text can have {limits.chars:,}.",
            )
        if not is_unicode(text):
            raise HTTPException(422, f"Text {number} has half of a surrogate pair: not Unicode.")


def in_words(error: RequestValidationError) -> str:
    """Return in a line what is wrong with a request, without quoting it."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    message = first["msg"].rstrip(".")
    if first["type"] == "json_invalid":
        return "The body is not JSON."
    return f"{where}: {message}." if where else f"{message}."


def make_app(
    annotators: dict[str, Annotator],
    limits: Limits,
    names: Sequence[str] = (),
    origins: Sequence[str] = (),
) -> FastAPI:
    """Return the application.

    annotators: by their names. names: host names it may be called by. origins: those of other sites
    whose pages may use it.
    """

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(one.run()) for one in annotators.values()]
        yield
        for task in tasks:
            task.cancel()

    # No Swagger or ReDoc: FastAPI's load scripts from another site, which the policy forbids.
    app = FastAPI(
        title="Annotate texts", version="1", lifespan=running, docs_url=None, redoc_url=None,
        responses={422: PROBLEMS[422]},
    )  # fmt: skip
    app.add_middleware(
        Guard, limit=limits.body_bytes, file_limit=limits.file_bytes, names=names, origins=origins
    )
    if origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(origins), allow_methods=["*"], allow_headers=["*"]
        )

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return JSONResponse({"detail": in_words(error)}, 422)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        return JSONResponse(
            {"detail": "The pipeline failed on this; the server's log says where."}, 500
        )

    @app.post(
        "/annotate",
        responses=PROBLEMS,
        response_model=Answer,
        response_model_exclude_unset=True,
    )
    async def annotate(question: Question, request: Request) -> Any:
        """Annotate one text or a list of texts."""
        annotator = chosen(annotators, question.pipeline)
        texts = [question.text] if isinstance(question.text, str) else question.text
        check_texts(texts, limits)
        if annotator.is_full(texts):
            raise busy("Many texts are waiting already; try again later.")
        try:
            async with asyncio.timeout(limits.seconds):
                found = await unless_gone(request, annotator.annotate(texts))
        except TimeoutError:
            raise busy(
                f"No answer within {limits.seconds} seconds; send fewer or shorter texts, or try again later."
            ) from None
        if found is None:
            return Response(status_code=GONE)
        return {"pipeline": annotator.name, "annotations": list(map(with_utf16, texts, found))}

    @app.get("/pipelines", response_model=list[Pipeline])
    async def pipelines() -> Any:
        """List the pipelines, with their tasks and labels."""
        return [description(one) for one in annotators.values()]

    @app.get("/health", response_model=Health)
    async def health() -> Any:
        """Say whether the server answers, and how much waits."""
        waiting = sum(one.waiting_chars for one in annotators.values())
        return {"status": "ok", "pipelines": len(annotators), "waiting_chars": waiting}

    return app
