"""Annotate the texts of many clients with one pipeline: those that wait together share a batch."""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

from spacy.language import Language
from spacy.tokens import Doc

from ..common.annotate import forgetting, pipe
from ..serving.annotated import values_of
from ..serving.pipeline import depends_on_batch, task_labels, threshold_of

# The most texts and characters that are annotated at once: others wait for that long.
BATCH_TEXTS, BATCH_CHARS = 64, 20_000
# The most characters that wait for one pipeline.
WAITING_CHARS = 4_000_000


class Request:
    """Texts of one client. done: their annotations, in order."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.found: list[Any] = [None] * len(texts)
        self.begun = self.finished = 0
        self.done: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()


class Item(NamedTuple):
    """A text of a request."""

    request: Request
    index: int

    @property
    def text(self) -> str:
        return self.request.texts[self.index]


class Annotator:
    """A pipeline with its queue. All its work is done in `thread`, an executor with one thread that several
    pipelines may share: they take turns, a batch each.

    name: what clients call it.
    """

    def __init__(self, name: str, nlp: Language, thread: Executor) -> None:
        self.name, self.nlp, self.thread = name, nlp, thread
        self.tasks = task_labels(nlp)
        self.thresholds = {task: threshold_of(nlp, task) for task in self.tasks}
        self.batch_texts = 1 if depends_on_batch(nlp) else BATCH_TEXTS
        self.waiting: deque[Request] = deque()
        self.alone: deque[Item] = deque()
        self.waiting_chars = 0
        self.arrived = asyncio.Event()

    def is_full(self, texts: Sequence[str]) -> bool:
        """Return whether so much waits already that more texts would wait for too long."""
        return 0 < self.waiting_chars > WAITING_CHARS - sum(map(len, texts))

    async def annotate(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Return what is predicted of each text, by the fields of serving/annotated.py. If the caller is
        cancelled, the texts are dropped.

        Raises what the pipeline raises on one of the texts.
        """
        if not texts:
            return []
        request = Request(texts)
        size = sum(map(len, texts))
        self.waiting.append(request)
        self.waiting_chars += size
        self.arrived.set()
        try:
            return await request.done
        finally:
            self.waiting_chars -= size

    def next_batch(self) -> list[Item]:
        """Return the next texts: one of each request in turn, so that none waits for a long list."""
        self.alone = deque(item for item in self.alone if not item.request.done.done())
        if self.alone:
            return [self.alone.popleft()]
        batch: list[Item] = []
        size = 0
        while self.waiting and len(batch) < self.batch_texts:
            request = self.waiting.popleft()
            if request.done.done():
                continue
            item = Item(request, request.begun)
            size += len(item.text)
            if batch and size > BATCH_CHARS:
                self.waiting.appendleft(request)
                break
            batch.append(item)
            request.begun += 1
            if request.begun < len(request.texts):
                self.waiting.append(request)
        return batch

    def read(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Return what is predicted of each text; what is new in them leaves no trace in the vocabulary."""
        with forgetting(self.nlp):
            docs = pipe(self.nlp, filter(None, texts))
            return [self.values(next(docs)) if text else self.of_nothing() for text in texts]

    def values(self, doc: Doc) -> dict[str, Any]:
        return values_of(doc, self.tasks, self.thresholds)

    def of_nothing(self) -> dict[str, Any]:
        """Return what is predicted of an empty text: no label. spaCy's classifiers give it zeros if it
        is alone in a batch, and else probabilities."""
        values = self.values(self.nlp(""))
        return values | ({"label": None, "score": None} if "label" in values else {})

    async def run(self) -> None:
        """Annotate what waits, for ever."""
        while True:
            await self.arrived.wait()
            batch = self.next_batch()
            if not batch:
                self.arrived.clear()
                continue
            loop = asyncio.get_running_loop()
            work = loop.run_in_executor(self.thread, self.read, [item.text for item in batch])
            await asyncio.wait([work])
            error = work.exception()
            if error is None:
                for item, found in zip(batch, work.result()):
                    self.deliver(item, found)
            elif len(batch) > 1:
                # One of them is to blame; the others must not suffer.
                self.alone.extend(batch)
            elif not batch[0].request.done.done():
                batch[0].request.done.set_exception(error)

    def deliver(self, item: Item, found: dict[str, Any]) -> None:
        request = item.request
        request.found[item.index] = found
        request.finished += 1
        if request.finished == len(request.texts) and not request.done.done():
            request.done.set_result(request.found)
