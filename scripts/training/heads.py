"""Hugging Face heads on annotated documents: their labels, training rows and predictions."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy
import torch
from spacy.tokens import Doc, Span, Token
from transformers import (
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from ..common.probabilities import Confidences, answers, log_loss
from ..wheel.components import HFCategories, HFHead, HFTokenEntities
from ..wheel.tags import Places, decode, encoded_windows, token_places
from ..wheel.windows import too_long
from .calibrate import MIN_EXAMPLES, Calibrated, evenly_spaced, outcome
from .temperature import fit_temperature, fit_temperature_of_sigmoids, search_temperature

# The label of a piece that the loss passes over.
IGNORED = -100
# Documents with entities that are decoded at some thirty temperatures have about so many tokens at
# most, with a thousand entities or so: that takes seconds with four types, a minute or two with forty.
MAX_TOKENS = 15_000


class Rows(torch.utils.data.Dataset):
    """Piece ids and labels of texts, or of windows of texts, as arrays: these take little memory.

    long: the number of texts with more pieces than the encoder accepts. places: where the tokens of
    each document are in the rows; None if a row is a document.
    """

    def __init__(
        self, ids: list[list[int]], labels: list[Any], long: int, places: list[Places] | None = None
    ) -> None:
        self.ids = [numpy.array(row, "i4") for row in ids]
        self.labels = [numpy.array(row) for row in labels]
        self.long, self.places = long, places

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": self.ids[index].tolist(), "labels": self.labels[index].tolist()}

    def by_document(self, values: numpy.ndarray) -> list[numpy.ndarray]:
        """Return what belongs to each document: a row, or the columns of its tokens."""
        if self.places is None:
            return list(values)
        return [
            values[[row for _, row, _ in places], [column for *_, column in places]]
            for places in self.places
        ]


class Head(ABC):
    """A head that can be trained, with its labels.

    component: the spaCy component that runs it. settings: further fields of the model's config.
    long: what is done with a text of more pieces than the encoder accepts.
    """

    component: type[HFHead]
    collator: type
    settings: dict[str, Any] = {}
    long: str

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = list(labels)
        self.ids = {label: index for index, label in enumerate(self.labels)}

    @abstractmethod
    def rows(self, docs: list[Doc], tokenizer: PreTrainedTokenizerBase) -> Rows:
        """Return the rows of annotated documents."""

    @abstractmethod
    def annotate(self, doc: Doc, logits: numpy.ndarray, tokens: list[int]) -> None:
        """Set on a document what its logits predict. tokens: those that have logits."""

    @abstractmethod
    def calibration(self, docs: list[Doc], rows: Rows, logits: numpy.ndarray) -> Calibrated:
        """Return how the temperature that fits annotated documents best calibrates the logits of
        their rows; nothing is changed."""

    def predicted(self, docs: list[Doc], rows: Rows, logits: numpy.ndarray) -> list[Doc]:
        """Return copies of documents with what the logits of their rows predict."""
        copies = []
        tokens = [[token for token, *_ in places] for places in rows.places or [[]] * len(docs)]
        for doc, own, found in zip(docs, rows.by_document(logits), tokens):
            copy = Doc(doc.vocab, [t.text for t in doc], [bool(t.whitespace_) for t in doc])
            self.annotate(copy, own, found)
            copies.append(copy)
        return copies


class TokenHead(Head):
    """Entities: IOB tags of spaCy's tokens, each at the token's first piece."""

    component, collator = HFTokenEntities, DataCollatorForTokenClassification
    long = "read in overlapping windows"

    def __init__(self, docs: list[Doc]) -> None:
        types = sorted({entity.label_ for doc in docs for entity in doc.ents})
        super().__init__(["O", *(f"{prefix}-{name}" for name in types for prefix in "BI")])

    def tag(self, token: Token) -> int:
        """Return the number of a token's tag; IGNORED if its annotation is missing, or not known."""
        tag = f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else token.ent_iob_
        return self.ids.get(tag, IGNORED)

    def rows(self, docs: list[Doc], tokenizer: PreTrainedTokenizerBase) -> Rows:
        windows, owners = encoded_windows(docs, tokenizer)
        ids = [window.ids for window in windows]
        places = token_places(docs, windows, owners)
        labels = [[IGNORED] * len(row) for row in ids]
        for doc, found in zip(docs, places):
            for token, row, column in found:
                labels[row][column] = self.tag(doc[token])
        long = sum(len({row for _, row, _ in found}) > 1 for found in places)
        return Rows(ids, labels, long, places)

    def annotate(self, doc: Doc, logits: numpy.ndarray, tokens: list[int]) -> None:
        _, entities = decode(logits, self.labels)
        doc.ents = [Span(doc, tokens[a], tokens[b] + 1, label) for a, b, label, _ in entities]

    def confidences(
        self, docs: list[tuple[Doc, numpy.ndarray, list[int]]], temperature: float
    ) -> Confidences:
        """Return the confidences at a temperature of the entities predicted in documents, and whether
        each is in the gold annotation; of those where this is known of all tokens.

        docs: annotated, with the logits of tokens and these tokens.
        """
        values, correct = [], []
        for doc, logits, tokens in docs:
            gold = {(entity.start, entity.end, entity.label_) for entity in doc.ents}
            unknown = {token.i for token in doc if not token.ent_iob}
            for first, last, label, confidence in decode(logits / temperature, self.labels)[1]:
                start, end = tokens[first], tokens[last] + 1
                if unknown.isdisjoint(range(start, end)):
                    values.append(confidence)
                    correct.append((start, end, label) in gold)
        return Confidences(numpy.array(values, "f8"), numpy.array(correct, bool))

    def calibration(self, docs: list[Doc], rows: Rows, logits: numpy.ndarray) -> Calibrated:
        """As in Head: the temperature at which the confidences of predicted entities are the most
        likely, given which of them are right. Which are predicted depends on no temperature."""
        found = [
            (doc, own, [token for token, *_ in places])
            for doc, own, places in zip(docs, rows.by_document(logits), rows.places or [])
        ]
        found = [entry for entry in found if len(self.confidences([entry], 1.0).values)]
        tokens = sum(len(own) for _, own, _ in found)
        used = evenly_spaced(found, max(1, MAX_TOKENS * len(found) // max(1, tokens)))
        before = self.confidences(used, 1.0)
        if len(before.values) < MIN_EXAMPLES:
            left = f"{len(before.values)} predicted entities on dev; {MIN_EXAMPLES} are needed"
            return Calibrated(left=left)
        temperature = search_temperature(lambda t: log_loss(*self.confidences(used, t)))
        after = self.confidences(used, temperature)
        return outcome(temperature, len(before.values), before, after, "entities")


class TextHead(Head):
    """Categories of texts. exclusive: exactly one label is right."""

    component, collator = HFCategories, DataCollatorWithPadding
    long = "truncated"

    def __init__(self, docs: list[Doc], exclusive: bool) -> None:
        super().__init__(sorted({label for doc in docs for label in doc.cats}))
        self.exclusive = exclusive
        kind = "single" if exclusive else "multi"
        self.settings = {"problem_type": f"{kind}_label_classification"}

    def rows(self, docs: list[Doc], tokenizer: PreTrainedTokenizerBase) -> Rows:
        texts = [doc.text for doc in docs]
        ids = tokenizer(texts, truncation=True, verbose=False)["input_ids"]
        labels = [[float(doc.cats.get(label, 0)) for label in self.labels] for doc in docs]
        if self.exclusive:
            labels = [int(numpy.argmax(row)) for row in labels]
        return Rows(ids, labels, len(too_long(texts, tokenizer)))

    def probabilities(self, logits: numpy.ndarray) -> numpy.ndarray:
        values = torch.tensor(logits)
        return (values.softmax(-1) if self.exclusive else values.sigmoid()).numpy()

    def annotate(self, doc: Doc, logits: numpy.ndarray, tokens: list[int]) -> None:
        doc.cats = dict(zip(self.labels, map(float, self.probabilities(logits))))

    def calibration(self, docs: list[Doc], rows: Rows, logits: numpy.ndarray) -> Calibrated:
        if len(docs) < MIN_EXAMPLES:
            return Calibrated(left=f"{len(docs)} annotated texts; {MIN_EXAMPLES} are needed")
        labels = numpy.array(rows.labels)
        fit = fit_temperature if self.exclusive else fit_temperature_of_sigmoids
        temperature = fit(logits, labels)
        gold = numpy.eye(len(self.labels))[labels] if self.exclusive else labels
        before, after = (
            answers(self.probabilities(logits / t), gold, self.exclusive)
            for t in (1.0, temperature)
        )
        return outcome(temperature, len(docs), before, after, "texts")


def new_head(model: PreTrainedModel) -> None:
    """Initialise a model's head at random, whatever the checkpoint had there: its labels were others,
    or in another order."""
    for name, module in model.named_children():
        if name != model.base_model_prefix:
            module.apply(model._init_weights)


def divide_logits(model: PreTrainedModel, temperature: float) -> bool:
    """Divide a model's logits by a temperature, in the weights of its last layer; return whether it
    has one that computes them. If not, it stays as it is."""
    layers = [
        module
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and module.out_features == model.config.num_labels
    ]
    if not layers:
        return False
    *_, last = layers
    tensors = [last.weight.data] if last.bias is None else [last.weight.data, last.bias.data]
    # Any few pieces will do to see whether that is all.
    pieces = torch.arange(4, device=model.device)[None]
    with torch.no_grad():
        before = model(input_ids=pieces).logits
        for tensor in tensors:
            tensor /= temperature
        works = torch.allclose(model(input_ids=pieces).logits * temperature, before, atol=1e-3)
        for tensor in () if works else tensors:
            tensor *= temperature
    return works
