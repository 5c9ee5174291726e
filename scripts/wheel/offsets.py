"""Character offsets for slow tokenizers.

Tokenizers without tokenizer.json return no offsets, so spacy-transformers aligns their pieces with
tokens by their characters, and goes wrong: the w of FlauBERT's `</w>`, which ends a word, is aligned
with the w of the next word, and quotes and dashes, which FlauBERT normalises, get no piece and so a
vector of zeros.
"""

from collections import defaultdict
from typing import Any

import numpy
import transformers
from spacy_alignments import get_alignments
from transformers import PreTrainedTokenizerBase

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
