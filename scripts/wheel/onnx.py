"""Components that run an encoder, or a Hugging Face model with its head, through ONNX Runtime.

They replace those of components.py where torch and transformers are not wanted: a wheel with them
depends on spaCy, onnxruntime, tokenizers and numpy alone. This file and those of its folder that it
imports must not import anything else from the project.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy
import srsly
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc, Span
from spacy.util import minibatch
from thinc.api import get_current_ops
from tokenizers import Encoding

from .heads import Categories, Entities, Head, TokenEntities, register
from .session import OnnxModel, PieceTokenizer
from .tags import entity_type, log_softmax
from .windows import piece_spans

# Documents that are read before the first is returned, whatever batch size is asked for: windows of
# similar length among them share a batch.
BUFFER = 1000


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
        outputs = self.onnx.run(rows)
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
        return self.onnx.run(rows)


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
            found[owner].append(self.entities(row, probabilities))
        for windows in found:
            entities = [entity for window in windows for entity in window]
            yield longest_first(entities) if len(windows) > 1 else entities

    def entities(self, row: Encoding, probabilities: numpy.ndarray) -> list[dict]:
        """Return the entities of a window: start, end, entity_group and score."""
        words: list[list[int]] = []
        for piece, special in enumerate(row.special_tokens_mask):
            if not special:
                if words and self.continues(row, piece):
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

    def continues(self, row: Encoding, piece: int) -> bool:
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


ENCODER = "onnx_encoder"
# Several installed wheels may each have a copy of this file; register each name only once.
if not Language.has_factory(ENCODER):
    Language.factory(
        ENCODER, func=make_encoder, assigns=["doc.tensor"],
        default_config={"source": "", "window": 128, "stride": 96},
    )  # fmt: skip
register("onnx", OnnxEntities, OnnxTokenEntities, OnnxCategories)
