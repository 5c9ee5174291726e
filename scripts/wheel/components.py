"""Components that this project's pipelines need and spaCy lacks; wheels include them.

- A transformer with windows bounded by the encoder's pieces, so that no text is truncated, and with
  character offsets even for tokenizers that do not provide them.
- Components that run Hugging Face heads, ready-made or trained by this project, and save their
  weights. spacy-huggingface-pipelines wraps the same transformers.pipeline, but saves no weights
  and silently skips spans, or whole texts, that it cannot align.

This file and those of its folder that it imports must not import anything else from the project: a
wheel depends only on spaCy, spacy-transformers, transformers and torch.
"""

import tempfile
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import srsly
import torch
import transformers
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.pipeline.textcat import textcat_score
from spacy.pipeline.textcat_multilabel import textcat_multilabel_score
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc, Span
from spacy.util import filter_spans, minibatch, registry
from spacy_transformers.layers import TransformerModel, split_trf_batch, trfs2arrays
from thinc.api import Model, chain, get_torch_default_device
from thinc.types import Floats2d, Ragged

from .offsets import AutoTokenizerWithOffsets
from .tags import OVERLAP, decode, entity_types, to_iob, token_windows
from .windows import piece_spans, strided_spans

# Texts per batch.
BATCH_SIZE = 32
# The Span extension with the probability that an entity is right, None where nothing states it.
CONFIDENCE = "confidence"


class HFHead(Pipe, ABC):
    """A component that runs a Hugging Face model with its head, and the model's own tokenizer.

    The labels come from the model's config.

    auto_class: the transformers auto class that loads the model.
    counts: what happened to the texts annotated so far (texts, entities, skipped, ...).
    """

    auto_class: type

    def __init__(self, name: str, source: str) -> None:
        self.name, self.source = name, source
        self.counts: Counter = Counter()
        self.model: Any = None
        self.tokenizer: Any = None

    def wrap(self, tokenizer: Any, model: Any) -> None:
        """Set the model with its head, and the tokenizer; its model_max_length must be correct."""
        self.tokenizer = tokenizer
        self.model = model.eval().to(get_torch_default_device())
        self.model.config._name_or_path = self.tokenizer.name_or_path = self.source

    @abstractmethod
    def predictions(self, docs: list[Doc]) -> Iterable[Any]:
        """Return what the model predicts for each document."""

    @abstractmethod
    def annotate(self, doc: Doc, predictions: Any) -> None:
        """Set the model's predictions for a document on it."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that the component can set."""
        return tuple(sorted(set(self.model.config.id2label.values())))

    def __call__(self, doc: Doc) -> Doc:
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 1000) -> Iterator[Doc]:
        """Annotate documents in batches of similar length; yield them in their original order."""
        for docs in minibatch(stream, batch_size):
            order = sorted(docs, key=lambda doc: len(doc.text))
            for doc, predictions in zip(order, self.predictions(order)):
                self.counts["texts"] += 1
                self.annotate(doc, predictions)
            yield from docs

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Save the model and its tokenizer as a standard Hugging Face folder."""
        self.model.save_pretrained(path)
        self.tokenizer.save_pretrained(path)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "HFHead":
        """Load what `to_disk` wrote, without access to the hub and without running code from it."""
        settings = {"local_files_only": True, "trust_remote_code": False}
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(path), **settings)
        self.wrap(tokenizer, self.auto_class.from_pretrained(str(path), **settings))
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            self.to_disk(folder)
            files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
        return srsly.msgpack_dumps(files)

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "HFHead":
        with tempfile.TemporaryDirectory() as folder:
            for name, content in srsly.msgpack_loads(data).items():
                (Path(folder) / Path(name).name).write_bytes(content)
            return self.from_disk(folder)


class HFPipelineHead(HFHead):
    """A head that transformers.pipeline runs. task: that pipeline's."""

    task: str

    def wrap(self, tokenizer: Any, model: Any) -> None:
        super().wrap(tokenizer, model)
        self.predict = transformers.pipeline(
            self.task, model=self.model, tokenizer=tokenizer, device=self.model.device,
            **self.pipeline_settings(),
        )  # fmt: skip

    @abstractmethod
    def pipeline_settings(self) -> dict[str, Any]:
        """Return further arguments for transformers.pipeline."""

    def predictions(self, docs: list[Doc]) -> Iterable[list[dict[str, Any]]]:
        return self.predict([doc.text for doc in docs], batch_size=BATCH_SIZE)


class HFEntities(HFPipelineHead):
    """Set doc.ents from a token classification head made elsewhere.

    An entity that starts or ends inside a token is widened to the whole token. Of entities that
    then overlap, the longest is kept and the others are skipped. Both cases are counted. Its
    `confidence` is the score of transformers: the mean probability of its tags, uncalibrated.
    """

    auto_class = transformers.AutoModelForTokenClassification
    task = "token-classification"
    scorer = staticmethod(get_ner_prf)

    def wrap(self, tokenizer: Any, model: Any) -> None:
        names = model.config.id2label
        model.config.id2label = {index: to_iob(names[index]) for index in names}
        super().wrap(tokenizer, model)

    def pipeline_settings(self) -> dict[str, Any]:
        # WordPiece marks where words begin, so the tags of a word's pieces can be averaged. With
        # other vocabularies transformers splits words at white space, and L'Express would be one.
        prefix = getattr(self.tokenizer.backend_tokenizer.model, "continuing_subword_prefix", None)
        return {
            "aggregation_strategy": "average" if prefix else "simple",
            "stride": min(OVERLAP, self.tokenizer.model_max_length // 4),
        }

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types that the component can set: PER for B-PER and I-PER."""
        return entity_types(super().labels)

    def annotate(self, doc: Doc, predictions: list[dict[str, Any]]) -> None:
        spans: list[Span] = []
        found: dict[Span, tuple[int, int, float]] = {}
        for entity in predictions:
            # Some tokenizers include the space before a word.
            text = doc.text[entity["start"] : entity["end"]]
            start = entity["start"] + len(text) - len(text.lstrip())
            end = start + len(text.strip())
            span = doc.char_span(start, end, label=entity["entity_group"], alignment_mode="expand")
            if start < end and span is not None:
                spans.append(span)
                found[span] = start, end, float(entity["score"])
        doc.ents = filter_spans(spans)
        self.counts["entities"] += len(predictions)
        self.counts["skipped"] += len(predictions) - len(doc.ents)
        for span in doc.ents:
            start, end, score = found[span]
            self.counts["widened"] += (span.start_char, span.end_char) != (start, end)
            span._.set(CONFIDENCE, score)


class HFTokenEntities(HFHead):
    """Set doc.ents from a token classification head trained by this project: a tag for each spaCy
    token, predicted at its first piece.

    The most probable sequence of tags in which no I- follows O or another type is set. An entity's
    `confidence` is the probability of exactly this span with this label among all such sequences,
    given that tags are otherwise independent. Counted: tags that are not the most probable one of
    their token, and tokens that share their pieces with those before them, which get no tag.
    """

    auto_class = transformers.AutoModelForTokenClassification
    scorer = staticmethod(get_ner_prf)

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types that the component can set: PER for B-PER and I-PER."""
        return entity_types(super().labels)

    def predictions(self, docs: list[Doc]) -> Iterator[tuple[list[int], numpy.ndarray]]:
        """Yield, for each document, the indices of the tokens that have a tag, and the logarithms of
        the tags' probabilities: (tokens, tags)."""
        rows, places = token_windows(docs, self.tokenizer)
        found: list[numpy.ndarray] = [numpy.empty(0)] * len(rows)
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        for batch in minibatch(order, BATCH_SIZE):
            for index, values in zip(batch, self.tag_probabilities([rows[i] for i in batch])):
                found[index] = values
        for tokens in places:
            values = [found[row][column] for _, row, column in tokens]
            yield [token for token, _, _ in tokens], numpy.array(values)

    def tag_probabilities(self, rows: list[list[int]]) -> numpy.ndarray:
        """Return the logarithms of the tags' probabilities at each piece: (rows, pieces, tags)."""
        pad = self.tokenizer.pad_token_id or 0
        longest = max(map(len, rows))
        ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
        lengths = torch.tensor([[len(row)] for row in rows])
        mask = (torch.arange(longest) < lengths).long()
        device = self.model.device
        with torch.inference_mode():
            logits = self.model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
        return logits.float().log_softmax(-1).cpu().numpy()

    def annotate(self, doc: Doc, predictions: tuple[list[int], numpy.ndarray]) -> None:
        tokens, log_probabilities = predictions
        names = self.model.config.id2label
        tags = [names[index] for index in range(len(names))]
        path, entities = decode(log_probabilities, tags)
        doc.ents = [Span(doc, tokens[a], tokens[b] + 1, label) for a, b, label, _ in entities]
        for span, (*_, confidence) in zip(doc.ents, entities):
            span._.set(CONFIDENCE, confidence)
        self.counts["entities"] += len(entities)
        self.counts["tags changed by constraints"] += int(
            (log_probabilities.argmax(axis=1) != path).sum() if path else 0
        )
        written = sum(not token.text.isspace() for token in doc)
        self.counts["tokens without a piece"] += written - len(tokens)


class HFCategories(HFPipelineHead):
    """Set doc.cats, the probability of each label, from a sequence classification head.

    If several of the model's labels have the same name, their probabilities are summed if the
    labels are mutually exclusive; otherwise the highest is used. A text that is too long for the
    model is truncated, and counted.
    """

    auto_class = transformers.AutoModelForSequenceClassification
    task = "text-classification"

    @property
    def multilabel(self) -> bool:
        """Whether a text can have any number of labels: each has its own sigmoid."""
        return self.model.config.problem_type == "multi_label_classification"

    @property
    def scorer(self) -> Callable:
        return textcat_multilabel_score if self.multilabel else textcat_score

    def pipeline_settings(self) -> dict[str, Any]:
        return {"top_k": None, "truncation": True}

    def annotate(self, doc: Doc, predictions: list[dict[str, Any]]) -> None:
        limit = self.tokenizer.model_max_length
        # A piece covers at least one character, so most texts need not be tokenized again.
        if len(doc.text) > limit:
            pieces = self.tokenizer(doc.text, verbose=False)["input_ids"]
            self.counts["truncated"] += len(pieces) > limit
        combine = max if self.multilabel else sum
        doc.cats = dict.fromkeys(self.labels, 0.0)
        for item in predictions:
            doc.cats[item["label"]] = combine((doc.cats[item["label"]], item["score"]))


def make_entities(nlp: Language, name: str, source: str) -> Pipe:
    return HFEntities(name, source)


def make_token_entities(nlp: Language, name: str, source: str) -> Pipe:
    return HFTokenEntities(name, source)


def make_categories(nlp: Language, name: str, source: str) -> Pipe:
    return HFCategories(name, source)


# Several installed wheels may each have a copy of this file; register each name only once, as a
# wheel made by an earlier version lacks some of them.
if not Span.has_extension(CONFIDENCE):
    Span.set_extension(CONFIDENCE, default=None)
for factory, make in (("hf_head_ner", make_entities), ("hf_token_ner", make_token_entities)):
    if not Language.has_factory(factory):
        Language.factory(
            factory,
            func=make,
            assigns=["doc.ents", "token.ent_iob", "token.ent_type", f"span._.{CONFIDENCE}"],
            default_config={"source": ""},
            default_score_weights={
                "ents_f": 1.0, "ents_p": 0.0, "ents_r": 0.0, "ents_per_type": None
            },
        )  # fmt: skip
if not Language.has_factory("hf_head_textcat"):
    Language.factory(
        "hf_head_textcat",
        func=make_categories,
        assigns=["doc.cats"],
        default_config={"source": ""},
        default_score_weights={"cats_score": 1.0},
    )


class BoundedTransformer(TransformerModel):
    """The model of spacy-transformers, with windows that are bounded by the encoder's pieces.

    window: the maximum number of tokens in a window.
    stride: the number of tokens from the start of one window to the start of the next.

    The other settings are those of spacy-transformers.TransformerModel.v3.
    """

    def __init__(
        self,
        name: str,
        window: int,
        stride: int,
        tokenizer_config: dict[str, Any] = {},
        transformer_config: dict[str, Any] = {},
        mixed_precision: bool = False,
        grad_scaler_config: dict[str, Any] = {},
    ) -> None:
        # spacy-transformers modifies these dicts; pass copies.
        super().__init__(
            name, strided_spans, dict(tokenizer_config), dict(transformer_config),
            mixed_precision, dict(grad_scaler_config),
        )  # fmt: skip
        self.attrs["replace_listener_cfg"] = replace_listener_cfg
        # Loads the tokenizer of a saved pipeline.
        self.layers[0].shims[0].tokenizer_cls = AutoTokenizerWithOffsets
        self.attrs["get_spans"] = partial(piece_spans, model=self, window=window, stride=stride)

    def copy(self) -> TransformerModel:
        copied = super().copy()
        # A keyword given to partial again overrides the earlier one.
        copied.attrs["get_spans"] = partial(self.attrs["get_spans"], model=copied)
        return copied


def replace_listener_cfg(model: dict[str, Any], listener: dict[str, Any]) -> dict[str, Any]:
    """Return the config of a component's private copy of the transformer, for replace_listeners."""
    pooling = {key: listener[key] for key in ("pooling", "grad_factor")}
    return {**model, **pooling, "@architectures": TOK2VEC}


def make_tok2vec(
    name: str,
    window: int,
    stride: int,
    pooling: Model[Ragged, Floats2d],
    grad_factor: float = 1.0,
    tokenizer_config: dict[str, Any] = {},
    transformer_config: dict[str, Any] = {},
    mixed_precision: bool = False,
    grad_scaler_config: dict[str, Any] = {},
) -> Model[list[Doc], list[Floats2d]]:
    """Return a transformer that belongs to one component, as in Tok2VecTransformer.v3."""
    transformer = BoundedTransformer(
        name, window, stride, tokenizer_config, transformer_config, mixed_precision,
        grad_scaler_config,
    )  # fmt: skip
    # Nested as in replace_listeners, so that saved weights fit.
    return chain(chain(transformer, split_trf_batch()), trfs2arrays(pooling, grad_factor))


TRANSFORMER = "piece_windows.TransformerModel.v1"
TOK2VEC = "piece_windows.Tok2VecTransformer.v1"
# As above: the copy that is loaded first registers the architectures.
if not registry.has("architectures", TRANSFORMER):
    registry.architectures(TRANSFORMER, func=BoundedTransformer)
    registry.architectures(TOK2VEC, func=make_tok2vec)
