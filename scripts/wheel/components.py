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
from abc import abstractmethod
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import srsly
import torch
import transformers
from spacy.tokens import Doc
from spacy.util import minibatch, registry
from spacy_transformers.layers import TransformerModel, split_trf_batch, trfs2arrays
from thinc.api import Model, chain, get_torch_default_device
from thinc.types import Floats2d, Ragged
from tokenizers import Encoding

from .heads import Categories, Entities, Head, TokenEntities, register
from .offsets import AutoTokenizerWithOffsets
from .tags import OVERLAP, encoded_windows, to_iob
from .windows import piece_spans, strided_spans

# Texts per batch.
BATCH_SIZE = 32


class HFHead(Head):
    """A head that transformers runs, with the model's own tokenizer.

    The labels come from the model's config. auto_class: the transformers auto class that loads it.
    """

    auto_class: type

    def __init__(self, name: str, source: str) -> None:
        super().__init__(name, source)
        self.model: Any = None
        self.tokenizer: Any = None

    def wrap(self, tokenizer: Any, model: Any) -> None:
        """Set the model with its head, and the tokenizer; its model_max_length must be correct."""
        self.tokenizer = tokenizer
        self.model = model.eval().to(get_torch_default_device())
        self.model.config._name_or_path = self.tokenizer.name_or_path = self.source

    @property
    def model_labels(self) -> list[str]:
        names = self.model.config.id2label
        return [names[index] for index in range(len(names))]

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


class HFEntities(HFPipelineHead, Entities):
    """Entities from a token classification head made elsewhere."""

    auto_class = transformers.AutoModelForTokenClassification
    task = "token-classification"

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


class HFTokenEntities(HFHead, TokenEntities):
    """Entities from a token classification head trained by this project."""

    auto_class = transformers.AutoModelForTokenClassification

    def windows(self, docs: list[Doc]) -> tuple[list[Encoding], list[int]]:
        return encoded_windows(docs, self.tokenizer)

    def logits(self, rows: list[Encoding]) -> list[numpy.ndarray]:
        found: list[numpy.ndarray] = [numpy.empty(0)] * len(rows)
        order = sorted(range(len(rows)), key=lambda index: len(rows[index].ids))
        for batch in minibatch(order, BATCH_SIZE):
            for index, values in zip(batch, self.batch_logits([rows[i].ids for i in batch])):
                found[index] = values
        return found

    def batch_logits(self, rows: list[list[int]]) -> numpy.ndarray:
        """Return the logits of the tags at each piece: (rows, pieces, tags)."""
        pad = self.tokenizer.pad_token_id or 0
        longest = max(map(len, rows))
        ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
        lengths = torch.tensor([[len(row)] for row in rows])
        mask = (torch.arange(longest) < lengths).long()
        device = self.model.device
        with torch.inference_mode():
            logits = self.model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
        return logits.float().cpu().numpy()


class HFCategories(HFPipelineHead, Categories):
    """Categories from a sequence classification head."""

    auto_class = transformers.AutoModelForSequenceClassification
    task = "text-classification"

    @property
    def multilabel(self) -> bool:
        return self.model.config.problem_type == "multi_label_classification"

    def pipeline_settings(self) -> dict[str, Any]:
        return {"top_k": None, "truncation": True}

    def is_truncated(self, text: str) -> bool:
        limit = self.tokenizer.model_max_length
        # A piece covers at least one character, so most texts need not be tokenized again.
        return len(text) > limit and len(self.tokenizer(text, verbose=False)["input_ids"]) > limit


register("hf", HFEntities, HFTokenEntities, HFCategories)


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
