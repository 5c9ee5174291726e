"""What pipelines of this project have and spaCy has not; a copy of this file is in each wheel.

- a transformer whose windows are bounded by the encoder's pieces, so that no text is cut, and whose
  tokenizer tells where its pieces are in the text even where the library's does not;
- components on ready-made Hugging Face heads, which keep their weights when they are saved.
  spacy-huggingface-pipelines wraps the same transformers.pipeline; it saves no weights, and passes
  over spans, and whole texts, that it cannot use.

Nothing else of the project may be imported here: a wheel has spaCy, spacy-transformers, transformers
and torch alone.
"""

import tempfile
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import srsly
import transformers
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.pipeline.textcat import textcat_score
from spacy.pipeline.textcat_multilabel import textcat_multilabel_score
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc, Span
from spacy.util import filter_spans, minibatch, registry
from spacy_alignments import get_alignments
from spacy_transformers.layers import TransformerModel, split_trf_batch, trfs2arrays
from spacy_transformers.span_getters import get_strided_spans
from thinc.api import Model, chain, get_torch_default_device
from thinc.types import Floats2d, Ragged
from transformers import PreTrainedTokenizerBase

# Texts that the model gets at a time, and pieces that the windows of a longer text share.
BATCH, OVERLAP = 32, 96
IOB = {"E": "I", "L": "I", "S": "B", "U": "B"}


def in_iob(tag: str) -> str:
    """Return a tag of BIOES or BILOU as one of IOB, which transformers makes entities of."""
    prefix, mark, label = tag.partition("-")
    if not mark or prefix in ("B", "I"):
        return tag
    # Of a type with a hyphen, but no prefix, transformers would take off what is before it.
    return f"{IOB[prefix]}-{label}" if prefix in IOB else f"I-{tag}"


def type_of(tag: str) -> str:
    """Return the type of a tag, PER of B-PER."""
    return tag[2:] if tag.startswith(("B-", "I-")) else tag


class HFHead(Pipe, ABC):
    """A Hugging Face model with its head, and the tokenizer that belongs to it.

    The labels are those of the model's configuration. counts: what happened to the texts since it
    was loaded.
    """

    auto: type
    task: str

    def __init__(self, name: str, source: str) -> None:
        self.name, self.source = name, source
        self.counts: Counter = Counter()
        self.model: Any = None
        self.tokenizer: Any = None

    def wrap(self, tokenizer: Any, model: Any) -> None:
        """Take a tokenizer, whose model_max_length is right, and a model with its head."""
        self.tokenizer = tokenizer
        self.model = model.eval().to(get_torch_default_device())
        self.model.config._name_or_path = self.tokenizer.name_or_path = self.source
        self.predict = transformers.pipeline(
            self.task, model=self.model, tokenizer=tokenizer, device=self.model.device,
            **self.settings(),
        )  # fmt: skip

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return what transformers.pipeline takes beside the model and the tokenizer."""

    @abstractmethod
    def annotate(self, doc: Doc, found: list[dict[str, Any]]) -> None:
        """Put what transformers.pipeline found in a text into the document."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that it can set."""
        return tuple(sorted(set(self.model.config.id2label.values())))

    def __call__(self, doc: Doc) -> Doc:
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 1000) -> Iterator[Doc]:
        """Annotate documents, those of like length together; they come in their order."""
        for docs in minibatch(stream, batch_size):
            order = sorted(docs, key=lambda doc: len(doc.text))
            found_in = self.predict([doc.text for doc in order], batch_size=BATCH)
            for doc, found in zip(order, found_in):
                self.counts["texts"] += 1
                self.annotate(doc, found)
            yield from docs

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write an ordinary Hugging Face folder."""
        self.model.save_pretrained(path)
        self.tokenizer.save_pretrained(path)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "HFHead":
        """Read what `to_disk` wrote; no hub is asked, and no code of a checkpoint run."""
        settings = {"local_files_only": True, "trust_remote_code": False}
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(path), **settings)
        self.wrap(tokenizer, self.auto.from_pretrained(str(path), **settings))
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


class HFEntities(HFHead):
    """Sets doc.ents. An entity that begins or ends within a token is widened to all of it; of those
    that then share a token the longest stays, the others are skipped. Both are counted."""

    auto = transformers.AutoModelForTokenClassification
    task = "token-classification"
    scorer = staticmethod(get_ner_prf)

    def wrap(self, tokenizer: Any, model: Any) -> None:
        names = model.config.id2label
        model.config.id2label = {index: in_iob(names[index]) for index in names}
        super().wrap(tokenizer, model)

    def settings(self) -> dict[str, Any]:
        # WordPiece tells where words begin, so that their pieces can agree on a tag. In other
        # vocabularies transformers takes white space for it, which makes one word of L'Express.
        prefix = getattr(self.tokenizer.backend_tokenizer.model, "continuing_subword_prefix", None)
        return {
            "aggregation_strategy": "average" if prefix else "simple",
            "stride": min(OVERLAP, self.tokenizer.model_max_length // 4),
        }

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that it can set; B-PER and I-PER are one."""
        return tuple(sorted({type_of(tag) for tag in super().labels} - {"O"}))

    def annotate(self, doc: Doc, found: list[dict[str, Any]]) -> None:
        spans: list[Span] = []
        places: dict[Span, tuple[int, int]] = {}
        for entity in found:
            # Some tokenizers count the space before a word in.
            text = doc.text[entity["start"] : entity["end"]]
            start = entity["start"] + len(text) - len(text.lstrip())
            end = start + len(text.strip())
            span = doc.char_span(start, end, label=entity["entity_group"], alignment_mode="expand")
            if start < end and span is not None:
                spans.append(span)
                places[span] = start, end
        doc.ents = filter_spans(spans)
        self.counts["entities"] += len(found)
        self.counts["skipped"] += len(found) - len(doc.ents)
        for span in doc.ents:
            self.counts["widened"] += (span.start_char, span.end_char) != places[span]


class HFCategories(HFHead):
    """Sets doc.cats, the probability of each label. Where several of the model's labels have one
    name it is their sum, or the highest where labels do not exclude each other.

    A text that is too long for the model is read up to its limit, and counted.
    """

    auto = transformers.AutoModelForSequenceClassification
    task = "text-classification"

    @property
    def several(self) -> bool:
        """Whether a text may have several labels, or none: each has a sigmoid of its own."""
        return self.model.config.problem_type == "multi_label_classification"

    @property
    def scorer(self) -> Callable:
        return textcat_multilabel_score if self.several else textcat_score

    def settings(self) -> dict[str, Any]:
        return {"top_k": None, "truncation": True}

    def annotate(self, doc: Doc, found: list[dict[str, Any]]) -> None:
        limit = self.tokenizer.model_max_length
        # No piece is shorter than a character.
        if len(doc.text) > limit:
            pieces = self.tokenizer(doc.text, verbose=False)["input_ids"]
            self.counts["truncated"] += len(pieces) > limit
        combine = max if self.several else sum
        doc.cats = dict.fromkeys(self.labels, 0.0)
        for item in found:
            doc.cats[item["label"]] = combine((doc.cats[item["label"]], item["score"]))


def make_entities(nlp: Language, name: str, source: str) -> Pipe:
    return HFEntities(name, source)


def make_categories(nlp: Language, name: str, source: str) -> Pipe:
    return HFCategories(name, source)


# Each package has a copy of this file; spaCy takes a name once.
if not Language.has_factory("hf_head_ner"):
    Language.factory(
        "hf_head_ner",
        func=make_entities,
        assigns=["doc.ents", "token.ent_iob", "token.ent_type"],
        default_config={"source": ""},
        default_score_weights={"ents_f": 1.0, "ents_p": 0.0, "ents_r": 0.0, "ents_per_type": None},
    )
    Language.factory(
        "hf_head_textcat",
        func=make_categories,
        assigns=["doc.cats"],
        default_config={"source": ""},
        default_score_weights={"cats_score": 1.0},
    )


# Places in the text for the pieces of tokenizers that tell none -----------------------------------
#
# Those without tokenizer.json. spacy-transformers aligns their pieces with tokens by their letters:
# FlauBERT's `</w>`, which ends a word, then takes the w of the next one, and quotes and dashes, which
# it replaces by plain ones, get no piece: their vectors are 0.

# What pieces have before or after them inside a word.
MARKS = ("##", "@@", "▁")


def letters(piece: str, tokenizer: PreTrainedTokenizerBase) -> str:
    """Return what a piece stands for in a text: its letters, nothing where it is the unknown one."""
    if piece == tokenizer.unk_token:
        return ""
    text = tokenizer.convert_tokens_to_string([piece]).strip()
    for mark in MARKS:
        # A piece that is the mark and no more stands in the text as it is.
        text = text.removeprefix(mark).removesuffix(mark) or text
    return text


def places(text: str, pieces: list[str | None]) -> list[tuple[int, int]]:
    """Return start and end of each piece in a text, in characters; (0, 0) for one without a place.

    pieces: their letters, in any case; None for those that were added to the text. Those that are in the text come first, by the shortest edit
    script. The others get what is left between their neighbours, shares of it where the numbers
    differ; if nothing is, what is left beyond the next one: Moses puts quotes before a full stop.
    """
    _, found = get_alignments(list(text), [piece or "" for piece in pieces])
    spans = [(min(place), max(place) + 1) if place else (0, 0) for place in found]
    placed = [span for span in spans if span[1]]
    # The pieces and the characters that are left, by the number of placed pieces before them.
    left_pieces, left_characters = defaultdict(list), defaultdict(list)
    before = 0
    for index, (_, end) in enumerate(spans):
        if end:
            before += 1
        elif pieces[index] is not None:
            left_pieces[before].append(index)
    before = 0
    for index, character in enumerate(text):
        while before < len(placed) and placed[before][1] <= index:
            before += 1
        covered = before < len(placed) and placed[before][0] <= index
        if not covered and not character.isspace():
            left_characters[before].append(index)
    for before, indices in left_pieces.items():
        near = [before, *(gap for gap in (before + 1, before - 1) if gap not in left_pieces)]
        characters = next((left_characters.pop(gap) for gap in near if gap in left_characters), ())
        for rank, index in enumerate(indices):
            start = rank * len(characters) // len(indices)
            end = max((rank + 1) * len(characters) // len(indices), start + 1)
            share = characters[start:end]
            spans[index] = (share[0], share[-1] + 1) if share else (0, 0)
    return spans


class Placed:
    """Goes before a tokenizer's class: asked about offsets, as fast ones are, it tells them."""

    def __call__(self, texts: str | list[str], **settings) -> Any:
        # spacy-transformers says False here, and takes those that are there.
        if "return_offsets_mapping" not in settings:
            return super().__call__(texts, **settings)
        settings |= {"return_offsets_mapping": False, "return_special_tokens_mask": True}
        encoding = super().__call__(texts, **settings)
        rows = [texts], [encoding["input_ids"]], [encoding["special_tokens_mask"]]
        if not isinstance(texts, str):
            rows = texts, encoding["input_ids"], encoding["special_tokens_mask"]
        found = [
            places(
                text,
                [
                    None if added else letters(piece, self)
                    for piece, added in zip(self.convert_ids_to_tokens(ids), mask)
                ],
            )
            for text, ids, mask in zip(*rows)
        ]
        encoding["offset_mapping"] = found[0] if isinstance(texts, str) else numpy.array(found)
        return encoding


class PlacedTokenizer:
    """Stands for AutoTokenizer where spacy-transformers loads a pipeline."""

    @staticmethod
    def from_pretrained(*arguments, **settings) -> PreTrainedTokenizerBase:
        return with_places(transformers.AutoTokenizer.from_pretrained(*arguments, **settings))


def with_places(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """Make a tokenizer tell places in a text, unless it does; return it."""
    if not tokenizer.is_fast and not isinstance(tokenizer, Placed):
        kind = type(tokenizer)
        # The name goes into tokenizer_config.json, and is the library's.
        tokenizer.__class__ = type(kind.__name__, (Placed, kind), {})
    return tokenizer


# Windows of texts that are longer than the encoder takes ------------------------------------------


def count_pieces(texts: Sequence[str], tokenizer: Any) -> list[int]:
    """Return how many pieces each text has, special ones left out."""
    if not texts:
        return []
    encoded = tokenizer(list(texts), add_special_tokens=False, verbose=False)
    return list(map(len, encoded["input_ids"]))


def most_pieces(text: str) -> int:
    """Return a number of pieces that no tokenizer exceeds, special ones left out: what a piece
    stands for is at least a byte of the text, spelled out, or the space before a word."""
    spelled = unicodedata.normalize("NFKD", text).casefold()
    return max(len(x.encode(errors="replace")) for x in (text, spelled)) + text.count(" ") + 1


def room_of(tokenizer: Any) -> int:
    """Return how many pieces the encoder takes at a time, special ones left out."""
    return tokenizer.model_max_length - tokenizer.num_special_tokens_to_add()


def too_long(texts: Sequence[str], tokenizer: Any) -> list[int]:
    """Return the indices of the texts that have more pieces than the encoder takes."""
    room = room_of(tokenizer)
    # Most texts are so short that their pieces need not be counted.
    doubtful = [index for index, text in enumerate(texts) if most_pieces(text) > room]
    counts = count_pieces([texts[index] for index in doubtful], tokenizer)
    return [index for index, count in zip(doubtful, counts) if count > room]


def bounded_spans(doc: Doc, tokenizer: Any, window: int, stride: int) -> list[Span]:
    """Return windows of `window` tokens at most and, where they have more than one token, of no more
    pieces than the encoder takes. Shorter windows overlap in the same proportion as whole ones."""
    room = room_of(tokenizer)
    pieces = count_pieces([token.text for token in doc], tokenizer)
    spans = []
    start = end = 0
    while end < len(doc):
        total, end = pieces[start], start + 1
        while end < min(start + window, len(doc)) and total + pieces[end] <= room:
            total += pieces[end]
            end += 1
        # Words may have more pieces beside each other than one by one.
        while end > start + 1 and too_long([doc[start:end].text], tokenizer):
            end -= 1
        spans.append(doc[start:end])
        start += max(1, (end - start) * stride // window)
    return spans


def piece_spans(
    docs: list[Doc], model: TransformerModel, window: int, stride: int
) -> list[list[Span]]:
    """Return the windows of each document: spacy-transformers' strided spans, unless one of them has
    more pieces than the encoder takes; what is beyond would be cut off there.

    Only a single token can still be too long.
    """
    nested = get_strided_spans(docs, window, stride)
    texts = [(index, span.text) for index, spans in enumerate(nested) for span in spans]
    long = too_long([text for _, text in texts], model.tokenizer)
    for index in {texts[number][0] for number in long}:
        nested[index] = bounded_spans(docs[index], model.tokenizer, window, stride)
    return nested


class BoundedTransformer(TransformerModel):
    """spacy-transformers' model, with windows that its tokenizer bounds.

    window: tokens of a window at most. stride: of them the next window begins so many later. The
    other settings are those of spacy-transformers.TransformerModel.v3.
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
        # Copies, as spacy-transformers writes into them.
        super().__init__(
            name, get_strided_spans, dict(tokenizer_config), dict(transformer_config),
            mixed_precision, dict(grad_scaler_config),
        )  # fmt: skip
        self.attrs["replace_listener_cfg"] = replace_listener_cfg
        # What a saved pipeline's tokenizer is loaded with.
        self.layers[0].shims[0].tokenizer_cls = PlacedTokenizer
        self.attrs["get_spans"] = partial(piece_spans, model=self, window=window, stride=stride)

    def copy(self) -> TransformerModel:
        copied = super().copy()
        # The last name given to a partial counts.
        copied.attrs["get_spans"] = partial(self.attrs["get_spans"], model=copied)
        return copied


def replace_listener_cfg(model: dict[str, Any], listener: dict[str, Any]) -> dict[str, Any]:
    """Return the config of a component's own copy of the transformer (nlp.replace_listeners)."""
    own = {key: listener[key] for key in ("pooling", "grad_factor")}
    return {**model, **own, "@architectures": TOK2VEC}


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
    """Return a transformer inside of a component, as spacy-transformers.Tok2VecTransformer.v3."""
    transformer = BoundedTransformer(
        name, window, stride, tokenizer_config, transformer_config, mixed_precision,
        grad_scaler_config,
    )  # fmt: skip
    # Nested as replace_listeners does it, so that its weights fit.
    return chain(chain(transformer, split_trf_batch()), trfs2arrays(pooling, grad_factor))


TRANSFORMER = "piece_windows.TransformerModel.v1"
TOK2VEC = "piece_windows.Tok2VecTransformer.v1"
# As above: of several copies of this file, the first one that is loaded is used.
if not registry.has("architectures", TRANSFORMER):
    registry.architectures(TRANSFORMER, func=BoundedTransformer)
    registry.architectures(TOK2VEC, func=make_tok2vec)
