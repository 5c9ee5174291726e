"""Cut a text into what a model takes at a time: sentences, and parts of those that are too long."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from spacy.language import Language

from ..common.errors import UserError
from ..common.languages import blank
from ..common.rawfile import MAX_LINE

Encode = Callable[[str], list[int]]


class Segment(NamedTuple):
    """White space, which has no ids, or a sentence without white space around it.

    ids: pieces, special ones included. cut: it is part of a sentence that was too long.
    """

    text: str
    ids: list[int] = []
    cut: bool = False


def sentencizer(language: str, required: bool) -> Language:
    """Return a pipeline that finds the sentences of a language.

    language: a code with or without a region, such as fr_XX. required: raise UserError for a language
    that spaCy does not have, instead of finding sentences as in any language.
    """
    code = re.split("[_-]", language)[0].lower()
    try:
        nlp = blank(language if required else code or "xx")
    except UserError:
        if required:
            raise
        nlp = blank("xx")
    nlp.add_pipe("sentencizer")
    # A guard for parsers, which need memory; a line is never longer than this.
    nlp.max_length = MAX_LINE + 1
    return nlp


def middle(text: str) -> int:
    """Return where to cut a text in two: at the white space nearest its middle, else in its middle."""
    spaces = [match.start() for match in re.finditer(r"\s", text)]
    half = len(text) // 2
    return min(spaces, key=lambda place: abs(place - half), default=half)


def parts(text: str, encode: Encode, limit: int, cut: bool = False) -> Iterator[Segment]:
    """Yield a text, with its white space apart, in as many segments as it takes for none to have more
    than `limit` ids."""
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    inner = text[start:end]
    if text[:start]:
        yield Segment(text[:start])
    if inner:
        ids = encode(inner)
        if len(ids) <= limit or len(inner) == 1:
            yield Segment(inner, ids, cut)
        else:
            place = middle(inner)
            yield from parts(inner[:place], encode, limit, True)
            yield from parts(inner[place:], encode, limit, True)
    if inner and text[end:]:
        yield Segment(text[end:])


def segments(text: str, nlp: Language, encode: Encode, limit: int) -> Iterator[list[Segment]]:
    """Yield the segments of each sentence of a text; joined, they are the text.

    A line break ends a sentence. encode: returns the ids of a sentence. limit: the ids that a model
    takes at a time.
    """
    for line in text.splitlines(keepends=True):
        for sentence in nlp(line).sents:
            yield list(parts(sentence.text_with_ws, encode, limit))
