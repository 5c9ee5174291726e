"""Components that run an encoder, or a Hugging Face model with its head, through ONNX Runtime.

They replace those of components.py where torch and transformers are not wanted: a wheel with them
depends on spaCy, onnxruntime, tokenizers and numpy alone. This file and those of its folder that it
imports must not import anything else from the project.
"""

import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy
import onnxruntime
import srsly
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc, Span
from spacy.util import minibatch
from thinc.api import get_current_ops
from tokenizers import Encoding, Tokenizer

from .windows import piece_spans

# Documents that are read before the first is returned, whatever batch size is asked for: windows of
# similar length among them share a batch.
BUFFER = 1000
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

    def __call__(self, texts: list[str], **settings: Any) -> dict[str, list[list[int]]]:
        """Return the ids of the texts' pieces, without special tokens."""
        return {"input_ids": [encoding.ids for encoding in self.encode(texts, special=False)]}


class OnnxModel:
    """An ONNX model with its tokenizer.

    settings: `max_length`, pieces that it accepts; `inputs`, the names of its inputs; `pad`, for each
    of them the value of padding; `pad_left`, whether padding precedes the pieces; `batch_pieces`, the
    most pieces in a batch, padding included.
    """

    def __init__(self, model: bytes, tokenizer: str, settings: dict[str, Any]) -> None:
        self.model, self.settings = model, settings
        self.tokenizer = PieceTokenizer(Tokenizer.from_str(tokenizer), settings["max_length"])
        self._session: onnxruntime.InferenceSession | None = None
        self._process = 0
        # Sessions of the process that this one was forked from: their threads are not here, so that
        # deleting one would wait for ever.
        self._inherited: list[onnxruntime.InferenceSession] = []

    @property
    def session(self) -> onnxruntime.InferenceSession:
        """The session of this process, opened when it is first needed: none survives a fork."""
        if self._session is None or self._process != os.getpid():
            if self._session is not None:
                self._inherited.append(self._session)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = thread_count()
            # Shapes differ from batch to batch: a plan for each would be kept.
            options.enable_mem_pattern = False
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

    def run(self, rows: Sequence[Encoding]) -> Iterator[tuple[int, numpy.ndarray]]:
        """Yield the index of each row with its output, (pieces, width)."""
        for places, feed in self.batches(rows):
            (output,) = self.session.run(None, feed)
            for (index, place), values in zip(places, output):
                yield index, values[place]

    def with_model(self, model: bytes) -> "OnnxModel":
        """Return the same with another model."""
        return OnnxModel(model, self.tokenizer.backend.to_str(), self.settings)

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


class OnnxComponent(Pipe):
    """A component with an OnnxModel, which it saves and loads."""

    onnx: OnnxModel

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        self.onnx.to_disk(Path(path))

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "OnnxComponent":
        self.onnx = OnnxModel.from_disk(Path(path))
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        parts = (self.onnx.model, self.onnx.tokenizer.backend.to_str(), self.onnx.settings)
        return srsly.msgpack_dumps(parts)

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "OnnxComponent":
        self.onnx = OnnxModel(*srsly.msgpack_loads(data))
        return self

    def annotate(self, docs: list[Doc]) -> None:
        """Set on documents what the model predicts."""
        raise NotImplementedError

    def __call__(self, doc: Doc) -> Doc:
        self.annotate([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = BUFFER) -> Iterator[Doc]:
        """Annotate documents in batches of similar length; yield them in their original order."""
        for docs in minibatch(stream, BUFFER):
            self.annotate(docs)
            yield from docs


class OnnxEncoder(OnnxComponent):
    """Set `doc.tensor`, a vector for each token: the mean of those of its pieces, in all windows that
    have it. Components read it with spaCy's Tok2VecListener.

    window, stride: of the windows, in tokens, as in the transformer that this replaces.
    """

    def __init__(self, name: str, window: int, stride: int) -> None:
        self.name, self.window, self.stride = name, window, stride

    @property
    def tokenizer(self) -> PieceTokenizer:
        return self.onnx.tokenizer

    def annotate(self, docs: list[Doc]) -> None:
        nested = piece_spans(docs, self, self.window, self.stride)
        spans = [span for spans in nested for span in spans]
        rows = self.tokenizer.encode([span.text for span in spans])
        outputs: list[Any] = [None] * len(rows)
        for index, output in self.onnx.run(rows):
            outputs[index] = output
        ops, width, first = get_current_ops(), self.onnx.settings["width"], 0
        for doc, own in zip(docs, nested):
            last = first + len(own)
            vectors = token_vectors(doc, own, rows[first:last], outputs[first:last], width)
            doc.tensor = ops.asarray(vectors)
            first = last


def token_vectors(
    doc: Doc,
    spans: Sequence[Span],
    rows: Sequence[Encoding],
    outputs: Sequence[numpy.ndarray],
    width: int,
) -> numpy.ndarray:
    """Return a vector for each token, (tokens, width): the mean of those of the pieces that share a
    character with it, in all windows; zeros if there are none.

    As spacy-transformers aligns them: the space after a token is the token's.
    """
    tokens, pieces, first = [], [], 0
    for span, row, output in zip(spans, rows, outputs):
        starts = numpy.array([token.idx for token in span]) - span.start_char
        offsets = numpy.array(row.offsets[: len(output)])
        real = numpy.flatnonzero(offsets[:, 1] > offsets[:, 0])
        low, high = (starts.searchsorted(offsets[real] - [0, 1], side="right") - 1).T
        counts = high - low + 1
        # Of each piece, all tokens from its first to its last.
        steps = numpy.arange(counts.sum()) - numpy.repeat(counts.cumsum() - counts, counts)
        tokens.append(span.start + numpy.repeat(low, counts) + steps)
        pieces.append(first + numpy.repeat(real, counts))
        first += len(output)
    vectors = numpy.zeros((len(doc), width), "float32")
    if not tokens:
        return vectors
    owners, pieces = numpy.concatenate(tokens), numpy.concatenate(pieces)
    order = owners.argsort(kind="stable")
    found, begins, counts = numpy.unique(owners[order], return_index=True, return_counts=True)
    if len(found):
        values = numpy.concatenate(outputs)[pieces[order]]
        vectors[found] = numpy.add.reduceat(values, begins) / counts[:, None]
    return vectors


def make_encoder(nlp: Language, name: str, window: int, stride: int) -> Pipe:
    return OnnxEncoder(name, window, stride)


ENCODER = "onnx_encoder"
# Several installed wheels may each have a copy of this file; register each name only once.
if not Language.has_factory(ENCODER):
    Language.factory(
        ENCODER, func=make_encoder, assigns=["doc.tensor"],
        default_config={"window": 128, "stride": 96},
    )  # fmt: skip
