"""Small pipelines, and real servers on loopback with them."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import spacy
from spacy.language import Language

from scripts.web.annotator import Annotator
from scripts.web.app import make_app
from scripts.web.checks import Limits
from scripts.web.server import listen, server

from ..small import small_pipeline

LIMITS = Limits(texts=300, chars=5000, seconds=60, file_bytes=2_000_000)


@pytest.fixture(scope="session")
def small(sample_corpora, tmp_path_factory) -> Path:
    """Folders of pipelines: `both` has entities and classes, `several` any number of classes."""
    folder = tmp_path_factory.mktemp("served")
    small_pipeline(sample_corpora, "ner", "textcat").to_disk(folder / "both")
    several = small_pipeline(sample_corpora, "textcat_multilabel")
    several.get_pipe("textcat_multilabel").cfg["threshold"] = 0.25
    several.to_disk(folder / "several")
    return folder


@pytest.fixture(scope="session")
def pipelines(small) -> dict[str, Language]:
    return {name: spacy.load(small / name) for name in ("both", "several")}


class Served:
    """A server at `url`, with a client for it. annotators: its pipelines, by name."""

    def __init__(self, url: str, client: httpx.Client, annotators: dict[str, Annotator]) -> None:
        self.url, self.client, self.annotators = url, client, annotators
        self.port = httpx.URL(url).port

    def annotate(self, text: str | list[str], pipeline: str | None = None) -> httpx.Response:
        return self.client.post("/annotate", json={"text": text, "pipeline": pipeline})


@contextmanager
def serving(
    pipelines: dict[str, Language], limits: Limits = LIMITS, **settings: Any
) -> Iterator[Served]:
    """Serve pipelines at a free port, in a thread of this process."""
    with (
        ThreadPoolExecutor(1) as thread,
        listen("127.0.0.1", 0) as listening,
        httpx.Client(
            timeout=60, base_url=f"http://127.0.0.1:{listening.getsockname()[1]}"
        ) as client,
    ):
        annotators = {name: Annotator(name, nlp, thread) for name, nlp in pipelines.items()}
        running = server(make_app(annotators, limits, **settings))
        loop = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        loop.start()
        try:
            yield Served(str(client.base_url), client, annotators)
        finally:
            running.should_exit = True
            loop.join()


@pytest.fixture(scope="session")
def served(pipelines) -> Iterator[Served]:
    with serving(pipelines) as found:
        yield found


@pytest.fixture(scope="module")
def serve_once() -> Iterator[Callable[..., Served]]:
    """Serve with other settings, until the end of the tests of a file."""
    with ExitStack() as stack:
        yield lambda found, **settings: stack.enter_context(serving(found, **settings))


@pytest.fixture
def serve_with(pipelines) -> Iterator[Callable[..., Served]]:
    """Serve with other settings, until the end of the test."""
    with ExitStack() as stack:
        yield lambda found=pipelines, **settings: stack.enter_context(serving(found, **settings))


class Held(Annotator):
    """Counts its batches; the first waits until `go`."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.batches: list[list[str]] = []
        self.begun, self.go = threading.Event(), threading.Event()

    def read(self, texts):
        self.batches.append(list(texts))
        self.begun.set()
        assert self.go.wait(60)
        return super().read(texts)


@pytest.fixture
def held(serve_with, pipelines, monkeypatch):
    """A server whose first batch waits."""
    monkeypatch.setattr("tests.web.conftest.Annotator", Held)
    served = serve_with({"both": pipelines["both"]})
    found = served.annotators["both"]
    yield served, found
    found.go.set()


async def waiting_for(annotator: Annotator, chars: int) -> None:
    """Return when so many characters wait."""
    while annotator.waiting_chars != chars:
        await asyncio.sleep(0.01)
