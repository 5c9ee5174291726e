"""Pairs to learn restoring from: words as they are spoken, and as they are written."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import numpy

from .marks import ENDS, NONE, words_of
from .pieces import Pieces

# The least number of pieces that a chunk may be limited to: a quarter of it holds most words.
LEAST = 32


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
        elif words[0][0].lstrip("'-")[:1].islower():
            counts["lines that begin with a small letter"] += 1
        elif not words[-1][1]:
            counts["lines that end without a mark"] += 1
        else:
            counts["lines used"] += 1
            yield words


def cut(
    words: Iterable[tuple[str, str]], pieces: Pieces, limit: int, counts: Counter[str]
) -> Iterator[Chunk]:
    """Yield chunks of words, of at most `limit` pieces as written without the end, cut after a sentence
    where there is one.

    So that texts of all lengths are learnt, the limit of each is drawn between a quarter of it and all
    of it. A word of more pieces than a quarter is left out, and counted.
    """
    random = numpy.random.default_rng(0)
    least = limit // 4
    bound = random.integers(least, limit, endpoint=True)
    held: list[tuple[str, str, int]] = []
    total = 0
    for word, mark in words:
        size = len(pieces.of(word)) + bool(mark)
        if size > least:
            counts["words that are too long"] += 1
            continue
        held.append((word, mark, size))
        total += size
        while total > bound:
            ends = (n for n in range(len(held) - 1, 0, -1) if held[n - 1][1] in ENDS)
            end = next(ends, len(held) - 1)
            total -= sum(size for *_, size in held[:end])
            yield Chunk(*map(list, list(zip(*held[:end]))[:2]))
            del held[:end]
            bound = random.integers(least, limit, endpoint=True)
    if held:
        yield Chunk(*map(list, list(zip(*held))[:2]))
