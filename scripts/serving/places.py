"""Places in the text for the pieces of tokenizers that tell none: those without tokenizer.json.

spacy-transformers aligns such pieces with tokens by their letters. FlauBERT's `</w>`, which ends a
word, then takes the w of the next one, and quotes and dashes, which it replaces by plain ones, get
no piece: their vectors are 0.

A package of such a pipeline carries this file beside the weights, and needs spacy-transformers and
the tokenizer's own package alone: nothing else of the project may be imported here.
"""

from collections import defaultdict
from typing import Any

import numpy
from spacy.language import Language
from spacy.util import registry
from spacy_alignments import get_alignments
from transformers import AutoTokenizer, PreTrainedTokenizerBase

# What pieces have before or after them inside a word.
MARKS = ("##", "@@", "▁")
CALLBACK = "project.tell_places.v1"


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
        return with_places(AutoTokenizer.from_pretrained(*arguments, **settings))


def with_places(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """Make a tokenizer tell places in a text, unless it does; return it."""
    if not tokenizer.is_fast and not isinstance(tokenizer, Placed):
        kind = type(tokenizer)
        # The name goes into tokenizer_config.json, and is the library's.
        tokenizer.__class__ = type(kind.__name__, (Placed, kind), {})
    return tokenizer


def tell_places(nlp: Language) -> None:
    """Make a pipeline whose tokenizer tells no places tell them, and again when it is loaded."""
    tokenizer = nlp.get_pipe("transformer").model.tokenizer
    if not tokenizer.is_fast:
        with_places(tokenizer)
        nlp.config["nlp"]["after_pipeline_creation"] = {"@callbacks": CALLBACK}


def are_told(nlp: Language) -> bool:
    """Tell whether a pipeline needs this file to be loaded."""
    return (nlp.config["nlp"]["after_pipeline_creation"] or {}).get("@callbacks") == CALLBACK


@registry.callbacks(CALLBACK)
def make_placed():
    """Return a callback for [nlp.after_pipeline_creation]: the tokenizer will tell places from when
    it is loaded on."""

    def placed(nlp: Language) -> Language:
        shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
        shim.tokenizer_cls = PlacedTokenizer
        return nlp

    return placed
