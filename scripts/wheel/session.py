"""An ONNX model with its tokenizer: what onnxruntime and tokenizers do, in batches of similar length."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy
import onnxruntime
import srsly
from tokenizers import Encoding, Tokenizer

from .tags import OVERLAP

MODEL, TOKENIZER, SETTINGS = "model.onnx", "tokenizer.json", "settings.json"
# Names of the encoder's inputs, and where an Encoding has them.
INPUTS = {
    "input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"
}  # fmt: skip


def thread_count() -> int:
    """Return the number of threads for a session: OMP_NUM_THREADS if it is set, 1 in a worker process
    of `nlp.pipe`, and otherwise 0, for one on each core."""
    stated = os.environ.get("OMP_NUM_THREADS", "")
    if stated.isdecimal():
        return int(stated)
    return int(multiprocessing.parent_process() is not None)


class PieceTokenizer:
    """A tokenizer of the `tokenizers` library, called as those of transformers are.

    max_length: the number of pieces that the encoder accepts, special tokens included.
    """

    def __init__(self, tokenizer: Tokenizer, max_length: int) -> None:
        self.backend, self.max_length = tokenizer, max_length
        special = tokenizer.num_special_tokens_to_add(is_pair=False)
        self.max_len_single_sentence = max_length - special

    def encode(self, texts: Sequence[str], special: bool = True) -> list[Encoding]:
        """Return the pieces of each text, not truncated."""
        if multiprocessing.parent_process() is not None:
            # In a forked process the library would print a warning, and then do this itself.
            os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        return self.backend.encode_batch(list(texts), add_special_tokens=special)

    def truncate(self, texts: Sequence[str]) -> list[Encoding]:
        """Return the pieces of each text, cut at the model's limit; the rest, in windows that overlap,
        is in `overflowing`."""
        self.backend.enable_truncation(self.max_length, stride=min(OVERLAP, self.max_length // 4))
        try:
            return self.encode(texts)
        finally:
            self.backend.no_truncation()

    def __call__(self, texts: list[str], **settings: Any) -> dict[str, list[list[int]]]:
        """Return the ids of the texts' pieces, without special tokens."""
        return {"input_ids": [encoding.ids for encoding in self.encode(texts, special=False)]}


class OnnxModel:
    """An ONNX model with its tokenizer.

    settings: `precision`; `parameters`, their number; `max_length`, pieces that it accepts; `inputs`, the
    names of its inputs; `pad`, for each of them the value of padding; `pad_left`, whether padding
    precedes the pieces; `batch_pieces`, the most pieces in a batch, padding included.
    """

    def __init__(self, model: bytes, tokenizer: str, settings: dict[str, Any]) -> None:
        self.model, self.settings = model, settings
        self.tokenizer = PieceTokenizer(Tokenizer.from_str(tokenizer), settings["max_length"])
        self._session: onnxruntime.InferenceSession | None = None
        self._process = 0
        # Sessions of the process that this one was forked from: their threads are not here, so that
        # deleting one would wait for ever.
        self._inherited: list[onnxruntime.InferenceSession] = []

    def session(self) -> onnxruntime.InferenceSession:
        """Return the session of this process, opened when it is first needed: none survives a fork."""
        if self._session is None or self._process != os.getpid():
            if self._session is not None:
                self._inherited.append(self._session)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = thread_count()
            # Shapes differ from batch to batch: a plan for each would be kept.
            options.enable_mem_pattern = False
            # Threads that wait for work in a loop take the time of those that have some: of the tokenizer,
            # of the heads, of other programs.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            self._session = onnxruntime.InferenceSession(
                self.model, options, providers=["CPUExecutionProvider"]
            )
            self._process = os.getpid()
        return self._session

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_session": None, "_inherited": []}

    def batches(
        self, rows: Sequence[Encoding]
    ) -> Iterator[tuple[list[tuple[int, slice]], dict[str, numpy.ndarray]]]:
        """Yield the model's inputs, in batches of similar length, with the index of each row and the
        place of its pieces. A row with more pieces than the model accepts is cut."""
        limit, settings = self.settings["max_length"], self.settings
        lengths = [min(len(row.ids), limit) for row in rows]
        for batch in group(lengths, settings["batch_pieces"]):
            longest = lengths[batch[-1]]
            feed = {
                name: numpy.full((len(batch), longest), settings["pad"][name], "int64")
                for name in settings["inputs"]
            }
            places = []
            for number, index in enumerate(batch):
                first = longest - lengths[index] if settings["pad_left"] else 0
                place = slice(first, first + lengths[index])
                for name, values in feed.items():
                    values[number, place] = getattr(rows[index], INPUTS[name])[:limit]
                places.append((index, place))
            yield places, feed

    def run(self, rows: Sequence[Encoding]) -> list[numpy.ndarray]:
        """Return the output of each row: of its pieces, (pieces, width), or of the whole row, (width,)."""
        found: list[Any] = [None] * len(rows)
        session = self.session()
        for places, feed in self.batches(rows):
            (output,) = session.run(None, feed)
            for (index, place), values in zip(places, output):
                found[index] = values[place] if output.ndim == 3 else values
        return found

    def with_model(self, model: bytes, precision: str) -> "OnnxModel":
        """Return the same in another precision."""
        settings = {**self.settings, "precision": precision}
        return OnnxModel(model, self.tokenizer.backend.to_str(), settings)

    def to_disk(self, path: Path) -> None:
        path.mkdir(exist_ok=True)
        (path / MODEL).write_bytes(self.model)
        (path / TOKENIZER).write_text(self.tokenizer.backend.to_str(), encoding="utf8")
        srsly.write_json(path / SETTINGS, self.settings)

    @classmethod
    def from_disk(cls, path: Path) -> "OnnxModel":
        return cls(
            (path / MODEL).read_bytes(),
            (path / TOKENIZER).read_text("utf8"),
            srsly.read_json(path / SETTINGS),
        )


def group(lengths: Sequence[int], limit: int) -> Iterator[list[int]]:
    """Yield indices of rows of similar length, shortest first: as many as have `limit` pieces together
    if all are padded to the longest, which is the last."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and lengths[index] * (len(batch) + 1) > limit:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
