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

from .heads import Categories, Entities, Head, TokenEntities, register
from .tags import OVERLAP, entity_type, log_softmax
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

    settings: `precision`; `parameters`, their number; `max_length`, pieces that it accepts; `inputs`, the names of its inputs; `pad`, for each
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

    def run(self, rows: Sequence[Encoding]) -> Iterator[tuple[int, numpy.ndarray]]:
        """Yield the index of each row with its output: (pieces, width), or that of the whole row."""
        for places, feed in self.batches(rows):
            (output,) = self.session.run(None, feed)
            for (index, place), values in zip(places, output):
                yield index, values[place] if output.ndim == 3 else values

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


class OnnxEncoder(OnnxComponent):
    """Set `doc.tensor`, a vector for each token: the mean of those of its pieces, in all windows that
    have it. Components read it with spaCy's Tok2VecListener.

    source: the encoder's name. window, stride: of the windows, in tokens, as in the transformer that
    this replaces.
    """

    def __init__(self, name: str, source: str, window: int, stride: int) -> None:
        self.name, self.source, self.window, self.stride = name, source, window, stride

    @property
    def tokenizer(self) -> PieceTokenizer:
        return self.onnx.tokenizer

    def __call__(self, doc: Doc) -> Doc:
        self.set_vectors([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = BUFFER) -> Iterator[Doc]:
        """Set the vectors of documents; yield them in their original order."""
        for docs in minibatch(stream, BUFFER):
            self.set_vectors(docs)
            yield from docs

    def spans(self, docs: Sequence[Doc]) -> list[list[Span]]:
        """Return each document's windows."""
        return piece_spans(docs, self, self.window, self.stride)

    def set_vectors(self, docs: list[Doc]) -> None:
        nested = self.spans(docs)
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


class OnnxHead(OnnxComponent, Head):
    """A model with its head. settings of its OnnxModel: `labels`, in the order of its outputs."""

    @property
    def model_labels(self) -> list[str]:
        return self.onnx.settings["labels"]

    def encode(self, docs: Sequence[Doc]) -> list[Encoding]:
        """Return the first window of each document; those that follow are its `overflowing`."""
        return self.onnx.tokenizer.truncate([doc.text for doc in docs])

    def logits(self, rows: list[Encoding]) -> list[numpy.ndarray]:
        found: list[Any] = [None] * len(rows)
        for index, output in self.onnx.run(rows):
            found[index] = output
        return found


class OnnxTokenEntities(OnnxHead, TokenEntities):
    """Entities from a token classification head trained by this project."""

    def windows(self, docs: list[Doc]) -> tuple[list[Encoding], list[int]]:
        return all_windows(self.encode(docs))


class OnnxEntities(OnnxHead, Entities):
    """Entities from a token classification head made elsewhere, put together as
    transformers.TokenClassificationPipeline does: tags averaged over a word's pieces where the
    vocabulary marks them (setting `words`), otherwise one for each piece."""

    def predictions(self, docs: list[Doc]) -> Iterator[list[dict[str, Any]]]:
        rows, owners = all_windows(self.encode(docs))
        found: list[list[list[dict[str, Any]]]] = [[] for _ in docs]
        for row, owner, logits in zip(rows, owners, self.logits(rows)):
            probabilities = numpy.exp(log_softmax(logits))
            found[owner].append(self.entities(docs[owner].text, row, probabilities))
        for windows in found:
            entities = [entity for window in windows for entity in window]
            yield longest_first(entities) if len(windows) > 1 else entities

    def entities(self, text: str, row: Encoding, probabilities: numpy.ndarray) -> list[dict]:
        """Return the entities of a window: start, end, entity_group and score."""
        words: list[list[int]] = []
        for piece, special in enumerate(row.special_tokens_mask):
            if not special:
                if words and self.continues(text, row, piece):
                    words[-1].append(piece)
                else:
                    words.append([piece])
        tagged = []
        for pieces in words:
            mean = probabilities[pieces].mean(axis=0)
            start, end = row.offsets[pieces[0]][0], row.offsets[pieces[-1]][1]
            tagged.append((self.model_labels[mean.argmax()], mean.max(), start, end))
        groups: list[list[tuple]] = []
        for word in tagged:
            kind = entity_type(word[0])
            same = groups and entity_type(groups[-1][-1][0]) == kind
            if same and not word[0].startswith("B-"):
                groups[-1].append(word)
            else:
                groups.append([word])
        return [
            {
                "entity_group": entity_type(group[0][0]), "start": group[0][2],
                "end": group[-1][3], "score": float(numpy.mean([score for _, score, *_ in group])),
            }
            for group in groups
            if group[0][0] != "O"
        ]  # fmt: skip

    def continues(self, text: str, row: Encoding, piece: int) -> bool:
        """Return whether a piece continues the word of the one before it: it is shorter in the text
        than in the vocabulary, where it has a prefix."""
        if not self.onnx.settings["words"] or row.ids[piece] == self.onnx.settings["unknown"]:
            return False
        start, end = row.offsets[piece]
        return len(row.tokens[piece]) != end - start


def longest_first(entities: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entities of overlapping windows: of those that overlap, the longest one, and of
    several the most probable."""
    kept: list[dict[str, Any]] = []
    for entity in sorted(entities, key=lambda entity: entity["start"]):
        if not kept or not kept[-1]["start"] <= entity["start"] < kept[-1]["end"]:
            kept.append(entity)
            continue
        size, score = ((one["end"] - one["start"], one["score"]) for one in (entity, kept[-1]))
        if size > score:
            kept[-1] = entity
    return kept


class OnnxCategories(OnnxHead, Categories):
    """Categories from a sequence classification head. setting `multilabel`: labels do not exclude
    each other."""

    @property
    def multilabel(self) -> bool:
        return self.onnx.settings["multilabel"]

    def is_truncated(self, text: str) -> bool:
        limit = self.onnx.settings["max_length"]
        # A piece covers at least one character, so most texts need not be tokenized again.
        return len(text) > limit and len(self.onnx.tokenizer.encode([text])[0].ids) > limit

    def predictions(self, docs: list[Doc]) -> Iterator[list[dict[str, Any]]]:
        for logits in self.logits(self.encode(docs)):
            if self.multilabel:
                probabilities = 1 / (1 + numpy.exp(-logits))
            else:
                probabilities = numpy.exp(log_softmax(logits))
            yield [
                {"label": label, "score": float(value)}
                for label, value in zip(self.model_labels, probabilities)
            ]


def all_windows(firsts: list[Encoding]) -> tuple[list[Encoding], list[int]]:
    """Return the windows of each document, and which document each is of."""
    rows = [(row, owner) for owner, one in enumerate(firsts) for row in (one, *one.overflowing)]
    return [row for row, _ in rows], [owner for _, owner in rows]


def make_encoder(nlp: Language, name: str, source: str, window: int, stride: int) -> Pipe:
    return OnnxEncoder(name, source, window, stride)


def make_entities(nlp: Language, name: str, source: str) -> Pipe:
    return OnnxEntities(name, source)


def make_token_entities(nlp: Language, name: str, source: str) -> Pipe:
    return OnnxTokenEntities(name, source)


def make_categories(nlp: Language, name: str, source: str) -> Pipe:
    return OnnxCategories(name, source)


ENCODER = "onnx_encoder"
# Several installed wheels may each have a copy of this file; register each name only once.
if not Language.has_factory(ENCODER):
    Language.factory(
        ENCODER, func=make_encoder, assigns=["doc.tensor"],
        default_config={"source": "", "window": 128, "stride": 96},
    )  # fmt: skip
register("onnx", make_entities, make_token_entities, make_categories)
