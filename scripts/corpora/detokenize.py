"""Detokenization: joining tokens to text with the spacing conventions of the language."""

import re
from collections.abc import Sequence

# Languages written without spaces between words.
UNSPACED = frozenset(["ja", "th", "zh"])
LATIN = re.compile(r"[!-~À-ɏ]")
APOSTROPHES = frozenset("'’")
CLOSING = frozenset([",", ".", "…", "...", ")", "]", "}", "’’", "''", "”"])
OPENING = frozenset(["(", "[", "{", "``", "“", "#", "$", "£", "¿", "¡"])
# French puts a (narrow) space before high punctuation and inside guillemets.
CLOSING_EN = CLOSING | frozenset([":", ";", "!", "?", "%", "»"])
OPENING_EN = OPENING | {"«"}
ENGLISH_CLITIC = re.compile(r"(?:n['’]t|['’](?:s|re|ve|ll|d|m))$", re.IGNORECASE)
FRENCH_CLITIC = re.compile(
    r"-(?:t-)?(?:je|tu|il|elle|on|nous|vous|ils|elles|ce|moi|toi|le|la|les|lui|leur|y|en|ci|là)$",
    re.IGNORECASE,
)
FRENCH_ELISION = re.compile(r".*[a-zà-ÿ]['’]$", re.IGNORECASE)
# O ' Neill, Tom Clancy ' s: a separate apostrophe within a word.
BEFORE_INNER = re.compile(r"^(?:[DLOMN]|Mc|Ma?c)$")
AFTER_INNER = re.compile(r"^(?:s|n|t|re|ve|ll|d|m)$")


LEFT, RIGHT, QUOTE, APOSTROPHE = 1, 2, 4, 8


class Attachments(dict):
    """Maps each word to the sides on which it is written without a space: LEFT, RIGHT, or QUOTE and
    APOSTROPHE, which depend on the sentence.

    A cache, as it is used for every word of a corpus.
    """

    MAX_SIZE = 100_000

    def __init__(self, french: bool) -> None:
        self.closing, self.opening = (CLOSING, OPENING) if french else (CLOSING_EN, OPENING_EN)
        self.clitic = FRENCH_CLITIC if french else ENGLISH_CLITIC
        self.elision = FRENCH_ELISION if french else None

    def __missing__(self, word: str) -> int:
        if len(self) == self.MAX_SIZE:
            self.clear()
        left = word in self.closing or self.clitic.match(word)
        right = word in self.opening or (self.elision and self.elision.match(word))
        sides = (LEFT if left else 0) | (RIGHT if right else 0)
        self[word] = sides = {'"': QUOTE}.get(word, APOSTROPHE if word in APOSTROPHES else sides)
        return sides


FRENCH, OTHER = Attachments(french=True), Attachments(french=False)


def inner_apostrophe(words: Sequence[str], index: int) -> bool:
    """Return whether the apostrophe words[index] is between two parts of one word."""
    if not 0 < index < len(words) - 1:
        return False
    before, after = words[index - 1], words[index + 1]
    return bool(BEFORE_INNER.match(before) or AFTER_INNER.match(after))


def infer_spaces(words: Sequence[str], language: str) -> list[bool]:
    """Return, for each word, whether a space follows it: the `spaces` of `spacy.tokens.Doc`.

    French: elisions (l', qu'), inverted pronouns (-t-il) and low punctuation are attached; the
    space before : ; ! ? » and % is kept. Chinese, Japanese and Thai: spaces only between two words
    in Latin script. Other languages: English clitics (n't, 's) and all closing punctuation are
    attached. Straight double quotes alternately open and close.
    """
    if language in UNSPACED:
        latin = [bool(LATIN.match(word[-1:]) and LATIN.match(word[:1])) for word in words]
        return [here and after for here, after in zip(latin, [*latin[1:], False])]
    attachments = FRENCH if language == "fr" else OTHER
    spaces = [True] * len(words)
    quote_is_open = False
    for index, sides in enumerate([attachments[word] for word in words]):
        if not sides:
            continue
        if sides == QUOTE:
            sides = LEFT if quote_is_open else RIGHT
            quote_is_open = not quote_is_open
        elif sides == APOSTROPHE:
            sides = LEFT | RIGHT if inner_apostrophe(words, index) else 0
        if sides & LEFT and index:
            spaces[index - 1] = False
        if sides & RIGHT:
            spaces[index] = False
    if spaces:
        spaces[-1] = False
    return spaces
