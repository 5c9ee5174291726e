"""Pairs to learn restoring from: words as they are spoken, and as they are written."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import numpy

from .marks import ENDS, NONE, words_of
from .pieces import Pieces

# The least number of pieces that a chunk may be limited to: a quarter of it holds most words.
LEAST = 32


def begins_small(word: str) -> bool:
    """Return whether a word begins with a small letter."""
    return word.lstrip("'’-")[:1].islower()


class Chunk(NamedTuple):
    """Words as they are written, and the mark after each."""

    words: list[str]
    marks: list[str]

    @property
    def spoken(self) -> str:
        return " ".join(self.words).lower()


def written_lines(
    lines: Iterable[str], marks: Collection[str], counts: Counter[str]
) -> Iterator[list[tuple[str, str]]]:
    """Yield the words of the lines that are written language, each with its mark: those that begin with no
    small letter and end with a mark. Others are headings, verses or transcripts. All are counted."""
    for line in lines:
        words = [(word, mark if mark in marks else NONE) for word, mark in words_of(line)]
        if not words:
            counts["lines without a word"] += 1
        elif begins_small(words[0][0]):
            counts["lines that begin with a small letter"] += 1
        elif not words[-1][1]:
            counts["lines that end without a mark"] += 1
        else:
            counts["lines used"] += 1
            yield words


def sentences(words: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Yield the words of each sentence. One goes on after a mark if the next word begins with a small letter,
    as in `Non ! dit-elle`."""
    held: list[tuple[str, str]] = []
    for word, mark in words:
        if held and held[-1][1] in ENDS and not begins_small(word):
            yield held
            held = []
        held.append((word, mark))
    if held:
        yield held


def within(
    sentence: list[tuple[str, str]], pieces: Pieces, limit: int, counts: Counter[str]
) -> tuple[list[tuple[str, str]], int]:
    """Return what a sentence has within a number of pieces, and how many these are; count the words that
    are left out."""
    kept, total = [], 0
    for number, (word, mark) in enumerate(sentence):
        size = len(pieces.of(word)) + bool(mark)
        if size > limit // 4:
            counts["words that are too long"] += 1
        elif total + size > limit:
            counts["words at the end of sentences that are too long"] += len(sentence) - number
            break
        else:
            kept.append((word, mark))
            total += size
    return kept, total


def cut(
    words: Iterable[tuple[str, str]], pieces: Pieces, limit: int, counts: Counter[str]
) -> Iterator[Chunk]:
    """Yield chunks of at most `limit` pieces as written without the end, each of whole sentences.

    So that texts of all lengths are learnt, sentences are joined up to a bound that is drawn for each
    chunk between a quarter of the limit and all of it. Left out, and counted, are words of more pieces
    than a quarter, and what a sentence has beyond the limit.
    """
    random = numpy.random.default_rng(0)
    held: list[tuple[str, str]] = []
    total, bound = 0, random.integers(limit // 4, limit, endpoint=True)
    for sentence in sentences(words):
        kept, size = within(sentence, pieces, limit, counts)
        if held and total + size > bound:
            yield Chunk(*map(list, zip(*held)))
            held, total, bound = [], 0, random.integers(limit // 4, limit, endpoint=True)
        held += kept
        total += size
    if held:
        yield Chunk(*map(list, zip(*held)))
