"""The first line of a file with a token a line, if it names the columns, and HIPE's notes on tokens."""

from collections.abc import Sequence

from .tags import TAG

# Names in the first line, in lower case: of tokens, and of tags, one of which is that of the entities.
TOKEN_TITLES = {"token", "tokens", "word", "words", "form", "mot"}
TAG_TITLES = {
    "ner",
    "ner_tag",
    "ner_tags",
    "ner-tag",
    "ne",
    "entity",
    "gold",
    "tag",
    "tags",
    "label",
}
# HIPE: literal sense, coarse types.
COARSE = "ne-coarse-lit"
# What HIPE notes in its column MISC.
SENTENCE_ENDS = {"EndOfSentence", "PySBDSegment"}
NO_SPACE = "NoSpaceAfter"


def is_header(row: Sequence[str]) -> bool:
    """Return whether a row names the columns, by names that are known."""
    names = {value.strip().casefold() for value in row}
    tags = names & TAG_TITLES or any(name.startswith("ne-") for name in names)
    return bool(names & TOKEN_TITLES and tags) and not any(map(TAG.fullmatch, row))


def notes_column(rows: Sequence[list[str]]) -> tuple[int | None, bool]:
    """Return the column with HIPE's notes, if there is one, and whether they tell spaces."""
    known = SENTENCE_ENDS | {NO_SPACE}
    notes = {
        (column, note)
        for row in rows
        for column, value in enumerate(row)
        for note in value.split("|")
        if note in known
    }
    column = max((column for column, _ in notes), default=None)
    return column, (column, NO_SPACE) in notes
