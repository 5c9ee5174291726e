"""Words, their capitals, and the punctuation mark after each.

A word is what white space separates, without what surrounds it: `l'`, `peut-être`, `18` and `3,5` are
words or parts of them. The marks are those that can be heard. Quotation marks, brackets and dashes
cannot, nor can percent signs and their like: nothing is learnt of them.
"""

import re
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

# Of several after a word, the first of these counts.
MARKS = "?!….:;,"
# Those that end a sentence.
ENDS = tuple("?!….")
NONE = ""
# What surrounds a word. A hyphen or an apostrophe is part of it: `dit-`, `'tain`.
AROUND = re.compile(r"([^\w'’-]*)(.*?)([^\w'’-]*)", re.DOTALL)
# Written text puts these between words without white space.
BETWEEN = re.compile(r"([—–«»“”„\"()\[\]{}…!?;*_]|--+)")
POINTS = re.compile(r"\.{2,}")
JOINTS = re.compile(r"(['’-])")
# From this number of parts on, not every combination of capitals is tried.
MANY_PARTS = 5


class Token(NamedTuple):
    """A word, what surrounds it, and the mark after it.

    word: "" if there is no letter or digit in it, when all of it is in `before`. mark: one of MARKS, or
    NONE. The text of a token is `before + word + after`.
    """

    before: str
    word: str
    after: str
    mark: str = NONE


def mark_in(text: str) -> str:
    """Return the mark that counts in what follows a word."""
    text = POINTS.sub("…", text)
    return next((mark for mark in MARKS if mark in text), NONE)


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of a text. A token without a word gives its mark to the word before it, as in
    `bonjour !`, if that has none."""
    found: list[Token] = []
    last = -1
    for piece in text.split():
        before, word, after = AROUND.fullmatch(piece).groups()
        if any(character.isalnum() for character in word):
            last = len(found)
            found.append(Token(before, word, after, mark_in(after)))
            continue
        found.append(Token(piece, "", ""))
        if last >= 0 and not found[last].mark:
            found[last] = found[last]._replace(mark=mark_in(piece))
    return found


def words_of(line: str) -> Iterator[tuple[str, str]]:
    """Yield the words of a written line, each with the mark after it."""
    for token in tokens_of(BETWEEN.sub(r" \1 ", line)):
        if token.word:
            yield token.word.replace("’", "'"), token.mark


def capitalized(part: str) -> str:
    return part[:1].upper() + part[1:]


def forms(word: str) -> list[str]:
    """Return the ways to write a lower-case word, that itself first: with a capital at the beginning of
    each of its parts or of some (`l'Italie`, `Jean-Luc`), and all in capitals."""
    parts = JOINTS.split(word)
    begins = [part != capitalized(part) for part in parts]
    if sum(begins) < MANY_PARTS:
        choices = product(*((False, True) if begin else (False,) for begin in begins))
    else:
        first = begins.index(True)
        choices = iter([[False] * len(parts), [n == first for n in range(len(parts))], begins])
    written = [
        "".join(capitalized(part) if chosen else part for part, chosen in zip(parts, choice))
        for choice in choices
    ]
    # Some letters have no capital of their own: ß becomes SS.
    return [form for form in dict.fromkeys([*written, word.upper()]) if form.lower() == word]
