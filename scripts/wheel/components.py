"""Components that this project's pipelines need and spaCy lacks; every wheel includes a copy.

- A transformer with windows bounded by the encoder's pieces, so that no text is truncated, and with
  character offsets even for tokenizers that do not provide them.
- Components that run Hugging Face heads, ready-made or trained by this project, and save their
  weights. spacy-huggingface-pipelines wraps the same transformers.pipeline, but saves no weights
  and silently skips spans, or whole texts, that it cannot align.

This file must not import anything else from the project: a wheel depends only on spaCy,
spacy-transformers, transformers and torch. It is one file, if a long one, because `spacy package` and
`--code` run each file on its own, where imports of its neighbours fail.
"""

import tempfile
import unicodedata
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from spacy_alignments import get_alignments
from spacy_transformers.layers import TransformerModel, split_trf_batch, trfs2arrays
from spacy_transformers.span_getters import get_strided_spans
from thinc.api import Model, chain, get_torch_default_device
from thinc.types import Floats2d, Ragged
from transformers import PreTrainedTokenizerBase

# Texts per batch, and pieces shared by neighbouring windows of a long text.
BATCH_SIZE, OVERLAP = 32, 96
# The Span extension with the probability that an entity is right, None where nothing states it.
CONFIDENCE = "confidence"
# Prefixes of BIOES and BILOU that IOB does not have.
IOB_PREFIXES = {"E": "I", "L": "I", "S": "B", "U": "B"}


def to_iob(tag: str) -> str:
    """Convert a BIOES or BILOU tag to IOB, the scheme that transformers decodes."""
    prefix, hyphen, label = tag.partition("-")
    if not hyphen or prefix in ("B", "I"):
        return tag
    # "work-of-art" is a type without a prefix; transformers would strip the "work-".
    return f"{IOB_PREFIXES[prefix]}-{label}" if prefix in IOB_PREFIXES else f"I-{tag}"


def entity_type(tag: str) -> str:
    """Return the entity type of an IOB tag: PER for B-PER."""
    return tag[2:] if tag.startswith(("B-", "I-")) else tag


def entity_types(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the entity types of IOB tags, sorted."""
    return tuple(sorted({entity_type(tag) for tag in tags} - {"O"}))


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


# Tags of spaCy tokens ----------------------------------------------------------------------------

# Per document: token, row of pieces, column in that row.
Places = list[tuple[int, int, int]]


def first_pieces(
    pieces: Sequence[tuple[int, int]], tokens: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Yield the indices of tokens, each with that of the first piece that overlaps it and is not the
    first of a token before it; a token without such a piece is passed over.

    pieces, tokens: their character offsets in the text, in order.
    """
    piece = 0
    first = bisect_right([end for _, end in tokens], pieces[0][0]) if pieces else len(tokens)
    for token in range(first, len(tokens)):
        start, end = tokens[token]
        while piece < len(pieces) and pieces[piece][1] <= start:
            piece += 1
        if piece == len(pieces):
            return
        if pieces[piece][0] < end:
            yield token, piece
            piece += 1


def token_windows(docs: Sequence[Doc], tokenizer: Any) -> tuple[list[list[int]], list[Places]]:
    """Return piece ids, a row for each window of each document, and the places of the tokens' first
    pieces. White space has none.

    A document with more pieces than the encoder accepts has several windows, which overlap. Of the
    windows with a token, the one in which it is farthest from the edge is used.
    """
    encoded = tokenizer(
        [doc.text for doc in docs], truncation=True, return_overflowing_tokens=True,
        stride=min(OVERLAP, tokenizer.model_max_length // 4), return_offsets_mapping=True,
        return_special_tokens_mask=True, verbose=False,
    ) if docs else {"overflow_to_sample_mapping": [], "input_ids": []}  # fmt: skip
    # Per document: token -> distance from the edge, row, column.
    best: list[dict[int, tuple[int, int, int]]] = [{} for _ in docs]
    tokens = [[token for token in doc if not token.text.isspace()] for doc in docs]
    spans = [[(token.idx, token.idx + len(token)) for token in written] for written in tokens]
    for row, number in enumerate(encoded["overflow_to_sample_mapping"]):
        mask, offsets = encoded["special_tokens_mask"][row], encoded["offset_mapping"][row]
        columns = [column for column, special in enumerate(mask) if not special]
        pieces = [offsets[column] for column in columns]
        for index, piece in first_pieces(pieces, spans[number]):
            token = tokens[number][index].i
            margin = min(piece, len(pieces) - 1 - piece)
            if margin > best[number].get(token, (-1,))[0]:
                best[number][token] = margin, row, columns[piece]
    places = [
        [(token, row, column) for token, (_, row, column) in sorted(found.items())]
        for found in best
    ]
    return encoded["input_ids"], places


def forbidden(tags: Sequence[str]) -> numpy.ndarray:
    """Return what to add to the score of a tag (column) after another (row): minus infinity for an I-
    after O or another type, otherwise 0."""
    before = numpy.array([entity_type(tag) for tag in tags])
    inside = numpy.array([tag.startswith("I-") for tag in tags])
    return numpy.where(inside[None, :] & (before[:, None] != before[None, :]), -numpy.inf, 0.0)


def viterbi(scores: numpy.ndarray, transitions: numpy.ndarray, start: int) -> list[int]:
    """Return the tags with the highest sum of scores, (tokens, tags), and transitions; the text
    begins as after the tag `start`."""
    best, arrows = scores[0] + transitions[start], []
    for row in scores[1:]:
        paths = best[:, None] + transitions
        arrows.append(paths.argmax(axis=0))
        best = paths.max(axis=0) + row
    path = [int(best.argmax())]
    for arrow in reversed(arrows):
        path.append(int(arrow[path[-1]]))
    return path[::-1]


def decode(
    log_probabilities: numpy.ndarray, tags: Sequence[str]
) -> tuple[list[int], list[tuple[int, int, str, float]]]:
    """Return the most probable valid sequence of IOB tags, and its entities: first and last token,
    type, probability.

    log_probabilities: those of each token's tags, independent of each other, (tokens, tags). The
    probability of an entity is that of all valid sequences with exactly this span and type, by the
    forward-backward algorithm (Culotta and McCallum 2004).
    """
    scores = numpy.asarray(log_probabilities, "f8")
    if not len(scores):
        return [], []
    transitions, outside = forbidden(tags), list(tags).index("O")
    path = viterbi(scores, transitions, outside)
    # Of all valid sequences up to a tag, and from it on, itself in the first only.
    forward, backward = scores.copy(), numpy.zeros_like(scores)
    forward[0] += transitions[outside]
    for i in range(1, len(scores)):
        forward[i] += numpy.logaddexp.reduce(forward[i - 1][:, None] + transitions, axis=0)
        following = scores[-i] + backward[-i]
        backward[-i - 1] = numpy.logaddexp.reduce(transitions + following, axis=1)
    total = numpy.logaddexp.reduce(forward[-1])
    # An entity ends where no I- follows.
    ends = [index for index, tag in enumerate(tags) if not tag.startswith("I-")]
    names = [tags[index] for index in path]
    entities = []
    for first in (i for i, name in enumerate(names) if name.startswith("B-")):
        last = first
        while last + 1 < len(names) and names[last + 1].startswith("I-"):
            last += 1
        inside = sum(scores[i, path[i]] for i in range(first + 1, last + 1))
        after = 0.0
        if last + 1 < len(scores):
            after = numpy.logaddexp.reduce((scores + backward)[last + 1, ends])
        logarithm = forward[first, path[first]] + inside + after - total
        entities.append((first, last, names[first][2:], min(1.0, float(numpy.exp(logarithm)))))
    return path, entities


# Character offsets for slow tokenizers -----------------------------------------------------------
#
# Tokenizers without tokenizer.json return no offsets, so spacy-transformers aligns their pieces
# with tokens by their characters, and goes wrong: the w of FlauBERT's `</w>`, which ends a word, is
# aligned with the w of the next word, and quotes and dashes, which FlauBERT normalises, get no
# piece and so a vector of zeros.

# Markers before or after a piece that is part of a word.
SUBWORD_MARKERS = ("##", "@@", "▁")


def surface_form(piece: str, tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the characters that a piece stands for in a text; "" for the unknown token."""
    if piece == tokenizer.unk_token:
        return ""
    text = tokenizer.convert_tokens_to_string([piece]).strip()
    for marker in SUBWORD_MARKERS:
        # A piece that is nothing but a marker stands for itself.
        text = text.removeprefix(marker).removesuffix(marker) or text
    return text


def piece_offsets(text: str, pieces: list[str | None]) -> list[tuple[int, int]]:
    """Return the character offsets of each piece in a text; (0, 0) for a piece that is not in it.

    pieces: their surface forms; None for special tokens. Case does not matter.

    Pieces that occur in the text are aligned first, by the shortest edit script. The others share
    the characters left between their neighbours; if there are none, those left on the far side of a
    neighbour, because Moses moves a quote before the full stop that precedes it.
    """
    _, aligned = get_alignments(list(text), [piece or "" for piece in pieces])
    spans = [(min(chars), max(chars) + 1) if chars else (0, 0) for chars in aligned]
    placed = [span for span in spans if span[1]]
    # Unaligned pieces and characters, keyed by the number of aligned pieces before them.
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
        nearby = [before, *(key for key in (before + 1, before - 1) if key not in left_pieces)]
        characters = next(
            (left_characters.pop(key) for key in nearby if key in left_characters), ()
        )
        for rank, index in enumerate(indices):
            start = rank * len(characters) // len(indices)
            end = max((rank + 1) * len(characters) // len(indices), start + 1)
            share = characters[start:end]
            spans[index] = (share[0], share[-1] + 1) if share else (0, 0)
    return spans


class OffsetsMixin:
    """Mixin for slow tokenizers that makes them return an offset_mapping, as fast ones do."""

    def __call__(self, texts: str | list[str], **settings) -> Any:
        # spacy-transformers passes False for a slow tokenizer, but uses the offsets if present.
        if "return_offsets_mapping" not in settings:
            return super().__call__(texts, **settings)
        settings |= {"return_offsets_mapping": False, "return_special_tokens_mask": True}
        encoding = super().__call__(texts, **settings)
        rows = [texts], [encoding["input_ids"]], [encoding["special_tokens_mask"]]
        if not isinstance(texts, str):
            rows = texts, encoding["input_ids"], encoding["special_tokens_mask"]
        offsets = [
            piece_offsets(
                text,
                [
                    None if special else surface_form(piece, self)
                    for piece, special in zip(self.convert_ids_to_tokens(ids), mask)
                ],
            )
            for text, ids, mask in zip(*rows)
        ]
        encoding["offset_mapping"] = offsets[0] if isinstance(texts, str) else numpy.array(offsets)
        return encoding


class AutoTokenizerWithOffsets:
    """Replaces AutoTokenizer where spacy-transformers loads a saved pipeline."""

    @staticmethod
    def from_pretrained(*arguments, **settings) -> PreTrainedTokenizerBase:
        return with_offsets(transformers.AutoTokenizer.from_pretrained(*arguments, **settings))


def with_offsets(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """Return a tokenizer that returns offsets: a slow one is changed in place."""
    if not tokenizer.is_fast and not isinstance(tokenizer, OffsetsMixin):
        slow_class = type(tokenizer)
        # Keep the library's class name: it is saved in tokenizer_config.json.
        tokenizer.__class__ = type(slow_class.__name__, (OffsetsMixin, slow_class), {})
    return tokenizer


# Windows that are bounded by pieces --------------------------------------------------------------


def count_pieces(texts: Sequence[str], tokenizer: Any) -> list[int]:
    """Return the number of pieces in each text, without special tokens."""
    if not texts:
        return []
    encoded = tokenizer(list(texts), add_special_tokens=False, verbose=False)
    return list(map(len, encoded["input_ids"]))


def max_pieces(text: str) -> int:
    """Return an upper bound for the number of pieces of a text, whatever the tokenizer.

    A piece covers at least one byte of the text, or of its normal form, or the space before a word.
    """
    normalized = unicodedata.normalize("NFKD", text).casefold()
    return max(len(x.encode(errors="replace")) for x in (text, normalized)) + text.count(" ") + 1


def too_long(texts: Sequence[str], tokenizer: Any) -> list[int]:
    """Return the indices of the texts that have more pieces than the encoder accepts."""
    limit = tokenizer.max_len_single_sentence
    # Most texts are so short that there is no need to tokenize them.
    candidates = [index for index, text in enumerate(texts) if max_pieces(text) > limit]
    counts = count_pieces([texts[index] for index in candidates], tokenizer)
    return [index for index, count in zip(candidates, counts) if count > limit]


def bounded_spans(doc: Doc, tokenizer: Any, window: int, stride: int) -> list[Span]:
    """Return windows of at most `window` tokens, and of no more pieces than the encoder accepts.

    A single token that has more pieces is a window of its own. Shorter windows overlap in the same
    proportion as full ones.
    """
    limit = tokenizer.max_len_single_sentence
    pieces = count_pieces([token.text for token in doc], tokenizer)
    spans = []
    start = end = 0
    while end < len(doc):
        total, end = pieces[start], start + 1
        while end < min(start + window, len(doc)) and total + pieces[end] <= limit:
            total += pieces[end]
            end += 1
        # In context, words can have more pieces than on their own.
        while end > start + 1 and too_long([doc[start:end].text], tokenizer):
            end -= 1
        spans.append(doc[start:end])
        start += max(1, (end - start) * stride // window)
    return spans


def piece_spans(
    docs: list[Doc], model: TransformerModel, window: int, stride: int
) -> list[list[Span]]:
    """Return each document's windows.

    They are spacy-transformers' strided spans unless one of these has more pieces than the encoder
    accepts and would be truncated; that document gets bounded spans, of which only a single token
    can still be too long.
    """
    nested = get_strided_spans(docs, window, stride)
    texts = [(index, span.text) for index, spans in enumerate(nested) for span in spans]
    overlong = too_long([text for _, text in texts], model.tokenizer)
    for index in {texts[number][0] for number in overlong}:
        nested[index] = bounded_spans(docs[index], model.tokenizer, window, stride)
    return nested


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
            name, get_strided_spans, dict(tokenizer_config), dict(transformer_config),
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
