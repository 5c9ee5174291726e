"""Lengths of texts in words and, with an encoder's tokenizer, in pieces; unknown pieces."""

import re
from array import array
from collections.abc import Iterator
from typing import Any

import numpy

from ...wheel.windows import max_pieces
from .findings import NOTE, WARNING, Finding, Notes, Places, Text

CHECK = "lengths"
# Of configs/base.cfg: longer texts are read in overlapping windows of so many words.
WINDOW = 128
# Texts that are given to the tokenizer at once.
BATCH = 1000
LETTER = re.compile(r"[^\W\d_]")


def spread(values: array) -> str:
    """Return median, 95th percentile and maximum of lengths in words."""
    median, high, most = numpy.quantile(numpy.frombuffer(values, "i4"), (0.5, 0.95, 1))
    return f"median {median:,.0f}, 95 % up to {high:,.0f}, longest {most:,.0f}"


class Lengths:
    """Counts words (tokens): 4 bytes a text."""

    def __init__(self) -> None:
        self.words = array("i")
        self.notes = Notes()

    def add(self, text: Text) -> None:
        self.words.append(len(text.doc))
        if len(text.doc) > WINDOW:
            self.notes.add("long", text.place)
        if not LETTER.search(text.string):
            self.notes.add("text without a letter", text.place, text.string.strip()[:40])

    def findings(self, places: Places) -> Iterator[Finding]:
        longest = numpy.frombuffer(self.words, "i4").argmax()
        what = f"word; of a text: {spread(self.words)}"
        yield Finding(NOTE, CHECK, what, sum(self.words), places.of([longest]))
        if self.notes.counts["long"]:
            what = f"text of over {WINDOW} words, read in overlapping windows"
            yield self.notes.finding(NOTE, CHECK, "long", what)
        if self.notes.counts["text without a letter"]:
            yield self.notes.finding(NOTE, CHECK, "text without a letter")


class Pieces:
    """Counts an encoder's pieces: 4 bytes a text.

    tokenizer: one of transformers, with the encoder's limit as `model_max_length`. name: the encoder's.
    """

    def __init__(self, tokenizer: Any, name: str) -> None:
        self.tokenizer, self.name = tokenizer, name
        self.limit = tokenizer.max_len_single_sentence
        self.batch: list[Text] = []
        self.counts = array("i")
        self.words = self.unknown = 0
        self.notes = Notes()

    def add(self, text: Text) -> None:
        self.batch.append(text)
        if len(self.batch) == BATCH:
            self.flush()

    def encode(self, strings: list[str], **settings: Any) -> Any:
        return self.tokenizer(strings, add_special_tokens=False, verbose=False, **settings)

    def flush(self) -> None:
        if not self.batch:
            return
        encoded = self.encode(
            [text.string for text in self.batch], return_attention_mask=False,
            return_token_type_ids=False,
        )  # fmt: skip
        for text, ids in zip(self.batch, encoded["input_ids"]):
            self.counts.append(len(ids))
            self.words += len(text.doc)
            if len(ids) > self.limit:
                self.notes.add("long", text.place)
                self.find_long_words(text)
            if self.tokenizer.unk_token_id is not None and self.tokenizer.unk_token_id in ids:
                self.find_unknown(text, ids)
        self.batch.clear()

    def find_long_words(self, text: Text) -> None:
        words = [token.text for token in text.doc if max_pieces(token.text) > self.limit]
        for word, ids in zip(words, self.encode(words)["input_ids"] if words else ()):
            if len(ids) > self.limit:
                self.notes.add("long word", text.place, f"{word[:30]}…")

    def find_unknown(self, text: Text, ids: list[int]) -> None:
        """Note the unknown pieces of a text and, if the tokenizer tells, what they were."""
        unknown = [index for index, piece in enumerate(ids) if piece == self.tokenizer.unk_token_id]
        self.unknown += len(unknown)
        spans = [(0, 0)] * len(ids)
        if self.tokenizer.is_fast:
            spans = self.encode([text.string], return_offsets_mapping=True)["offset_mapping"][0]
        for index in unknown:
            start, end = spans[index]
            self.notes.add("unknown", text.place, text.string[start:end].strip()[:20])

    def findings(self, places: Places) -> Iterator[Finding]:
        self.flush()
        pieces = sum(self.counts)
        what = f"piece of {self.name}: {pieces / max(self.words, 1):.2f} a word; of a text: "
        longest = numpy.frombuffer(self.counts, "i4").argmax()
        yield Finding(NOTE, "pieces", what + spread(self.counts), pieces, places.of([longest]))
        for kind, severity, what in (
            ("long", NOTE, f"text of over {self.limit} pieces, which `train` reads in windows and "
             "`train-hf textcat` cuts"),
            ("long word", WARNING, f"word of over {self.limit} pieces: the rest is not read"),
            ("unknown", WARNING if self.unknown > pieces / 1000 else NOTE,
             f"unknown piece, {self.unknown / max(pieces, 1):.3%} of all"),
        ):  # fmt: skip
            if self.notes.counts[kind]:
                yield self.notes.finding(severity, "pieces", kind, what)
