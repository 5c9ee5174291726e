"""How well marks and capitals are restored: precision, recall and F of them, and chrF of the text."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sacrebleu.metrics import CHRF

from .marks import MARKS

# Words as they are written, each with the mark after it.
Written = Sequence[tuple[str, str]]
# Names of what is counted, besides the marks one by one.
ALL_MARKS, CAPITALS = "marks", "capitals"


def counts_of(found: Iterable[Written], gold: Iterable[Written]) -> dict[str, Counter[str]]:
    """Return how many marks, and words with a capital, are right, found and gold. A word with a capital is
    right if it is written as in gold. found, gold: the same words, in the same order."""
    counts = {name: Counter() for name in (ALL_MARKS, *MARKS, CAPITALS)}
    for words, right_words in zip(found, gold, strict=True):
        for (word, mark), (right_word, right_mark) in zip(words, right_words, strict=True):
            for name in (ALL_MARKS, mark) if mark else ():
                counts[name].update(found=1, right=int(mark == right_mark))
            for name in (ALL_MARKS, right_mark) if right_mark else ():
                counts[name].update(gold=1)
            if word != word.lower():
                counts[CAPITALS].update(found=1, right=int(word == right_word))
            if right_word != right_word.lower():
                counts[CAPITALS].update(gold=1)
    return counts


def scores(count: Counter[str]) -> dict[str, float]:
    """Return precision, recall and F; nothing found or nothing gold counts as 0."""
    right, found, gold = count["right"], count["found"], count["gold"]
    return {
        "precision": right / max(found, 1),
        "recall": right / max(gold, 1),
        "f": 2 * right / max(found + gold, 1),
        "gold": gold,
        "found": found,
    }


def text_of(words: Written, spaced: str = "") -> str:
    """Return words with their marks; spaced: the marks that have a space before them."""
    return " ".join(f"{word}{' ' if mark and mark in spaced else ''}{mark}" for word, mark in words)


def evaluate(found: Sequence[Written], gold: Sequence[Written]) -> dict[str, Any]:
    """Return the scores of texts: of marks and capitals, and chrF (Popović 2015)."""
    references = [text_of(words) for words in gold]
    chrf = CHRF().corpus_score([text_of(words) for words in found], [references])
    counts = counts_of(found, gold)
    return {"chrf": chrf.score, **{name: scores(count) for name, count in counts.items() if count}}
