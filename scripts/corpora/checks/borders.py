"""Entities whose borders look wrong: white space, punctuation, half words."""

import unicodedata

from spacy.tokens import Span

SPACE = "entity with white space or an invisible character at an edge"
HALF_WORD = "entity that begins or ends inside a word"
PUNCTUATION = "entity with a separator, or half a pair of brackets or quotes, at an edge"
SEPARATORS = frozenset(",;:")
BRACKETS = dict(zip("([{", ")]}"))
OPENERS = {closing: opening for opening, closing in BRACKETS.items()}
# Which of these open and which close depends on the language. No single ones: apostrophes.
QUOTES = frozenset('"«»“”„')
# Words of these languages may be parts of other words, or are written without spaces: half words
# are only looked for among characters before Hebrew, and in Latin Extended and Greek.
SPACED = ((0x0000, 0x0590), (0x1E00, 0x2000))


def is_spaced(character: str) -> bool:
    """Return whether a character is a letter or digit of a script that puts spaces between words."""
    code = ord(character)
    return character.isalnum() and any(start <= code < end for start, end in SPACED)


def is_blank(character: str) -> bool:
    """Return whether a character is white space, or an invisible one such as U+200B."""
    return character.isspace() or unicodedata.category(character) in ("Cf", "Cc", "Zs")


def lacks_partner(text: str) -> bool:
    """Return whether a bracket or quote at an edge of a text has no other half in it."""
    first, last = text[0], text[-1]
    if first in OPENERS or last in BRACKETS:
        return True
    if first in BRACKETS and BRACKETS[first] not in text:
        return True
    if last in OPENERS and OPENERS[last] not in text:
        return True
    # The last one can be inches: 27".
    edges = first in QUOTES or (last in QUOTES and not text[-2:-1].isdigit())
    return edges and sum(character in QUOTES for character in text) % 2 == 1


def problems(span: Span, string: str) -> list[str]:
    """Return what looks wrong about the borders of an entity. string: the text of its document."""
    start, end = span.start_char, span.end_char
    text = string[start:end]
    found = []
    if is_blank(text[0]) or is_blank(text[-1]):
        found.append(SPACE)
    before, after = string[:start][-1:], string[end : end + 1]
    if any(
        a and b and is_spaced(a) and is_spaced(b) for a, b in ((before, text[0]), (text[-1], after))
    ):
        found.append(HALF_WORD)
    visible = text.strip()
    if visible and ({visible[0], visible[-1]} & SEPARATORS or lacks_partner(visible)):
        found.append(PUNCTUATION)
    return found
