"""Components that set entities or categories from a model with its head, whatever runs the model."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.pipeline.textcat import textcat_score
from spacy.pipeline.textcat_multilabel import textcat_multilabel_score
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc, Span
from spacy.util import filter_spans, minibatch
from tokenizers import Encoding

from .tags import decode, entity_types, log_softmax, token_places

# The Span extension with the probability that an entity is right, None where nothing states it.
CONFIDENCE = "confidence"


class Head(Pipe, ABC):
    """A component that runs a model with its head.

    counts: what happened to the texts annotated so far (texts, entities, skipped, ...).
    """

    def __init__(self, name: str, source: str) -> None:
        self.name, self.source = name, source
        self.counts: Counter = Counter()

    @property
    @abstractmethod
    def model_labels(self) -> list[str]:
        """The labels of the model, in the order of its outputs."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that the component can set."""
        return tuple(sorted(set(self.model_labels)))

    @abstractmethod
    def predictions(self, docs: list[Doc]) -> Iterable[Any]:
        """Return what the model predicts for each document."""

    @abstractmethod
    def annotate(self, doc: Doc, predictions: Any) -> None:
        """Set the model's predictions for a document on it."""

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


class Entities(Head):
    """Set doc.ents from a token classification head made elsewhere.

    An entity that starts or ends inside a token is widened to the whole token. Of entities that
    then overlap, the longest is kept and the others are skipped. Both cases are counted. Its
    `confidence` is the score of transformers: the mean probability of its tags, uncalibrated.
    """

    scorer = staticmethod(get_ner_prf)

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types that the component can set: PER for B-PER and I-PER."""
        return entity_types(self.model_labels)

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


class TokenEntities(Head):
    """Set doc.ents from a token classification head trained by this project: a tag for each spaCy
    token, predicted at its first piece.

    The most probable sequence of tags in which no I- follows O or another type is set. An entity's
    `confidence` is the probability of exactly this span with this label among all such sequences,
    given that tags are otherwise independent. Counted: tags that are not the most probable one of
    their token, and tokens that share their pieces with those before them, which get no tag.
    """

    scorer = staticmethod(get_ner_prf)

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types that the component can set: PER for B-PER and I-PER."""
        return entity_types(self.model_labels)

    @abstractmethod
    def windows(self, docs: list[Doc]) -> tuple[list[Encoding], list[int]]:
        """Return the pieces of the documents' windows, and which document each is of."""

    @abstractmethod
    def logits(self, rows: list[Encoding]) -> list[numpy.ndarray]:
        """Return the logits of the tags at each piece of some rows: (pieces, tags)."""

    def predictions(self, docs: list[Doc]) -> Iterator[tuple[list[int], numpy.ndarray]]:
        """Yield, for each document, the indices of the tokens that have a tag, and the logarithms of
        the tags' probabilities: (tokens, tags)."""
        rows, owners = self.windows(docs)
        found = [log_softmax(logits) for logits in self.logits(rows)]
        for tokens in token_places(docs, rows, owners):
            values = [found[row][column] for _, row, column in tokens]
            yield [token for token, _, _ in tokens], numpy.array(values)

    def annotate(self, doc: Doc, predictions: tuple[list[int], numpy.ndarray]) -> None:
        tokens, log_probabilities = predictions
        path, entities = decode(log_probabilities, self.model_labels)
        doc.ents = [Span(doc, tokens[a], tokens[b] + 1, label) for a, b, label, _ in entities]
        for span, (*_, confidence) in zip(doc.ents, entities):
            span._.set(CONFIDENCE, confidence)
        self.counts["entities"] += len(entities)
        self.counts["tags changed by constraints"] += int(
            (log_probabilities.argmax(axis=1) != path).sum() if path else 0
        )
        written = sum(not token.text.isspace() for token in doc)
        self.counts["tokens without a piece"] += written - len(tokens)


class Categories(Head):
    """Set doc.cats, the probability of each label, from a sequence classification head.

    If several of the model's labels have the same name, their probabilities are summed if the
    labels are mutually exclusive; otherwise the highest is used. A text that is too long for the
    model is truncated, and counted.
    """

    @property
    @abstractmethod
    def multilabel(self) -> bool:
        """Whether a text can have any number of labels: each has its own sigmoid."""

    @property
    def scorer(self) -> Callable:
        return textcat_multilabel_score if self.multilabel else textcat_score

    @abstractmethod
    def is_truncated(self, text: str) -> bool:
        """Return whether a text has more pieces than the model reads."""

    def annotate(self, doc: Doc, predictions: list[dict[str, Any]]) -> None:
        self.counts["truncated"] += self.is_truncated(doc.text)
        combine = max if self.multilabel else sum
        doc.cats = dict.fromkeys(self.labels, 0.0)
        for item in predictions:
            doc.cats[item["label"]] = combine((doc.cats[item["label"]], item["score"]))


def factory_of(kind: type[Head]) -> Callable[[Language, str, str], Head]:
    """Return the function by which spaCy makes a head of a kind."""

    def make(nlp: Language, name: str, source: str) -> Head:
        return kind(name, source)

    return make


def register(
    prefix: str,
    entities: type[Entities],
    token_entities: type[TokenEntities],
    categories: type[Categories],
) -> None:
    """Register the factories of heads. Several installed wheels may each have a copy of this file:
    each name is registered only once, as a wheel made by an earlier version lacks some of them."""
    if not Span.has_extension(CONFIDENCE):
        Span.set_extension(CONFIDENCE, default=None)
    entity_scores = {"ents_f": 1.0, "ents_p": 0.0, "ents_r": 0.0, "ents_per_type": None}
    assigns = ["doc.ents", "token.ent_iob", "token.ent_type", f"span._.{CONFIDENCE}"]
    for name, kind, sets, scores in (
        (f"{prefix}_head_ner", entities, assigns, entity_scores),
        (f"{prefix}_token_ner", token_entities, assigns, entity_scores),
        (f"{prefix}_head_textcat", categories, ["doc.cats"], {"cats_score": 1.0}),
    ):
        if not Language.has_factory(name):
            Language.factory(
                name, func=factory_of(kind), assigns=sets, default_config={"source": ""},
                default_score_weights=scores,
            )  # fmt: skip
