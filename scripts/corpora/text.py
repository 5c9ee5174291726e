"""Tokens back to text, as a reader of the language would write it."""

import re
from typing import List, Sequence

APOSTROPHES = "'’"
CLOSING = frozenset([",", ".", "…", "...", ")", "]", "}", "’’", "''", "”"])
OPENING = frozenset(["(", "[", "{", "``", "“", "#", "$", "£", "¿", "¡"])
# French writes a (narrow) space before the high punctuation and inside the guillemets.
CLOSING_EN = CLOSING | frozenset([":", ";", "!", "?", "%", "»"])
OPENING_EN = OPENING | {"«"}
ENGLISH_CLITIC = re.compile(r"(?:n['’]t|['’](?:s|re|ve|ll|d|m))$", re.I)
FRENCH_CLITIC = re.compile(
    r"-(?:t-)?(?:je|tu|il|elle|on|nous|vous|ils|elles|ce|moi|toi|le|la|les|lui|leur|y|en|ci|là)$",
    re.I,
)
FRENCH_ELISION = re.compile(r".*[a-zà-ÿ]['’]$", re.I)
# O ' Neill, Tom Clancy ' s: an apostrophe that stands alone inside a name.
BEFORE_INNER = re.compile(r"^(?:[DLOMN]|Mc|Ma?c)$")
AFTER_INNER = re.compile(r"^(?:s|n|t|re|ve|ll|d|m)$")


def inner_apostrophe(words: Sequence[str], index: int) -> bool:
    """Tell whether words[index] is an apostrophe between two halves of a word."""
    if words[index] not in tuple(APOSTROPHES) or not 0 < index < len(words) - 1:
        return False
    before, after = words[index - 1], words[index + 1]
    return bool(BEFORE_INNER.match(before) or AFTER_INNER.match(after))


def spaces(words: Sequence[str], language: str) -> List[bool]:
    """Return for each word whether a space follows it, as `spacy.tokens.Doc` takes it.

    French: elisions (l', qu'), inverted pronouns (-t-il) and low punctuation are attached, a
    space stays before : ; ! ? » and %. Other languages: English clitics (n't, 's) and all
    closing punctuation are attached. Straight double quotes open and close in turn.
    """
    french = language == "fr"
    closing, opening = (CLOSING, OPENING) if french else (CLOSING_EN, OPENING_EN)
    clitic = FRENCH_CLITIC if french else ENGLISH_CLITIC
    followed = [True] * len(words)
    quote_is_open = False
    for index, word in enumerate(words):
        attached_left = word in closing or bool(clitic.match(word))
        attached_right = word in opening or (french and bool(FRENCH_ELISION.match(word)))
        if word == '"':
            attached_left, attached_right = quote_is_open, not quote_is_open
            quote_is_open = not quote_is_open
        elif inner_apostrophe(words, index):
            attached_left = attached_right = True
        if attached_left and index:
            followed[index - 1] = False
        if attached_right:
            followed[index] = False
    if followed:
        followed[-1] = False
    return followed
