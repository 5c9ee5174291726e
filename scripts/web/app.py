"""The application: a page, and a JSON API that is described in /openapi.json."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, Response

from ..reporting.templates import LANGUAGES
from ..serving.pipeline import encoder_name
from .annotator import Annotator
from .answers import Answer, Health, Pipeline, Question, with_utf16
from .checks import GONE, PROBLEMS, Limits, busy, check_texts, chosen, in_words
from .files import Files, add_files
from .guard import Guard
from .pages import api_page, preferred, try_page

T = TypeVar("T")


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


def make_app(
    annotators: dict[str, Annotator],
    limits: Limits,
    examples: Mapping[str, Sequence[str]] = {},
    names: Sequence[str] = (),
    origins: Sequence[str] = (),
) -> FastAPI:
    """Return the application.

    annotators: by their names. examples: texts to click in the page, by the name of a pipeline. names:
    host names it may be called by. origins: those of other sites whose pages may use it.
    """
    files = Files(limits)

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(one.run()) for one in annotators.values()]
        yield
        files.close()
        for task in tasks:
            task.cancel()

    # No Swagger or ReDoc: FastAPI's load scripts from another site, which the policy forbids.
    app = FastAPI(
        title="Annotate texts", version="1", lifespan=running, docs_url=None, redoc_url=None,
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

    add_files(app, files, annotators)

    @app.get("/", include_in_schema=False)
    async def page(request: Request, lang: str = "") -> Response:
        language = (
            lang if lang in LANGUAGES else preferred(request.headers.get("accept-language", ""))
        )
        described = [description(one) for one in annotators.values()]
        return try_page(described, examples, limits._asdict(), language)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return api_page(app.openapi())

    return app
