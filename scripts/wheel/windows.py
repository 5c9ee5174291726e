"""Windows of long texts that are bounded by the encoder's pieces, so that no text is cut."""

import unicodedata
from collections.abc import Sequence
from typing import Any

from spacy.tokens import Doc, Span


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


def strided_spans(docs: Sequence[Doc], window: int, stride: int) -> list[list[Span]]:
    """Return windows of `window` tokens, each beginning `stride` tokens after the one before it, as
    spacy-transformers' function of this name does."""
    return [
        [
            doc[start : start + window]
            for start in range(0, max(len(doc) - window + stride, min(len(doc), 1)), stride)
        ]
        for doc in docs
    ]


def piece_spans(docs: Sequence[Doc], model: Any, window: int, stride: int) -> list[list[Span]]:
    """Return each document's windows. model: has the tokenizer.

    They are the strided spans unless one of these has more pieces than the encoder accepts and would
    be truncated; that document gets bounded spans, of which only a single token can still be too long.
    """
    nested = strided_spans(docs, window, stride)
    texts = [(index, span.text) for index, spans in enumerate(nested) for span in spans]
    overlong = too_long([text for _, text in texts], model.tokenizer)
    for index in {texts[number][0] for number in overlong}:
        nested[index] = bounded_spans(docs[index], model.tokenizer, window, stride)
    return nested
