"""Entities by character offsets, as annotation tools write them: checked, converted and counted.

Offsets count characters (code points) from 0 and the end is exclusive, as in spaCy. Tools that count
UTF-16 units (editors in a browser) or bytes are recognised by what their offsets select.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from ..common.errors import UserError
from ..common.rawfile import RawFile
from .examples import EMPTY_TEXT, Document, Example, Log, SpannedText
from .options import Options

# spaCy's `ner` can learn neither entities with whitespace at an edge nor entities of whitespace
# only (E024).
EDGE_WHITESPACE = "entity with leading or trailing whitespace, trimmed"
ONLY_WHITESPACE = "entity of whitespace only, dropped"
OVERLAP = "entity that overlaps a longer one, dropped"
TWICE = "entity marked twice, read once"
ELSEWHERE = "text with an entity that is not at its offsets"
CHARACTERS = "characters"
# Units that offsets may count, with an encoding in which a character has as many code units.
UNITS = {"UTF-16 units": ("utf-16-le", 2), "bytes": ("utf-8", 1)}


class Claim(NamedTuple):
    """An entity as a file states it. text: its text as far as the file repeats it."""

    start: int
    end: int
    label: str
    text: str | None = None


class Marked(NamedTuple):
    """A text as a file marks its entities, in the file's order."""

    text: str
    claims: list[Claim]
    number: int
    document: Document = None


# What a reader of spans yields, given a log: marked texts, or examples that are complete.
Reader = Callable[[Log], Iterator[Marked | Example]]


def squeeze(text: str) -> str:
    """Return a text without its whitespace, which tools may change."""
    return "".join(text.split())


@lru_cache(maxsize=4)
def positions(text: str, unit: str) -> Sequence[int]:
    """Return, for each offset in the unit from 0 to the end of the text, the offset in characters;
    -1 within a character."""
    if unit == "UTF-16 units" and max(text, default="") <= "\uffff":
        return range(len(text) + 1)
    encoding, size = UNITS[unit]
    found: list[int] = []
    for index, character in enumerate(text):
        found += [index] + [-1] * (len(character.encode(encoding)) // size - 1)
    return [*found, len(text)]


def converted(text: str, claim: Claim, unit: str) -> Claim | None:
    """Return a claim with offsets in characters; None if its own are outside the text, or within a
    character."""
    start, end = claim.start, claim.end
    if unit != CHARACTERS:
        found = positions(text, unit)
        if not 0 <= start < end < len(found):
            return None
        start, end = found[start], found[end]
    if not 0 <= start < end <= len(text):
        return None
    return claim._replace(start=start, end=end)


def fits(text: str, claim: Claim, unit: str) -> bool:
    """Return whether the offsets of a claim select its own text or, where the file does not repeat it,
    whole words."""
    found = converted(text, claim, unit)
    if found is None:
        return False
    selected = text[found.start : found.end]
    if claim.text is not None:
        return squeeze(selected) == squeeze(claim.text)
    before, after = text[: found.start][-1:], text[found.end :][:1]
    inside = (
        (before + selected[0]).isalnum() and before or (selected[-1] + after).isalnum() and after
    )
    return selected == selected.strip() and not inside


def unit_of(marked: Iterator[Marked | Example]) -> str:
    """Return the unit that the offsets of a file count.

    Another one than characters is only assumed if all offsets that it changes fit in it, and some of
    them do not in characters.
    """
    # Of each unit that fits so far, whether characters do not.
    possible = dict.fromkeys(UNITS, False)
    for item in marked:
        if not isinstance(item, Marked) or item.text.isascii():
            continue
        for claim in item.claims:
            for unit in list(possible):
                if converted(item.text, claim, unit) == claim:
                    continue
                if not fits(item.text, claim, unit):
                    del possible[unit]
                elif not fits(item.text, claim, CHARACTERS):
                    possible[unit] = True
        if not possible:
            break
    return next((unit for unit, needed in possible.items() if needed), CHARACTERS)


def checked(
    text: str,
    claims: list[Claim],
    location: str,
    options: Options,
    log: Log,
    unit: str = CHARACTERS,
) -> list[tuple[int, int, str]] | None:
    """Return the entities of a text in order, trimmed of whitespace and without overlaps; None if the
    text of one is not at its offsets.

    Raises UserError for offsets outside the text, and overlapping entities. With --overlaps longest,
    overlaps are resolved by `spacy.util.filter_spans`: the longest entity is kept and, of equally
    long ones, the first in the text, then the first in the file.
    """
    spans: list[Claim] = []
    for claim in claims:
        found = converted(text, claim, unit)
        if found is None:
            raise UserError(
                f"{location}: entity {claim.start}–{claim.end} is empty or outside its text of "
                f"{len(text)} characters; offsets count characters from 0, and the end is exclusive."
            )
        if found[:2] != claim[:2]:
            log.repair(f"offsets in {unit}, converted", location)
        content = text[found.start : found.end]
        if claim.text is not None and squeeze(content) != squeeze(claim.text):
            return None
        if content.isspace():
            log.repair(ONLY_WHITESPACE, location)
            continue
        start = found.end - len(content.lstrip())
        end = found.start + len(content.rstrip())
        trimmed = Claim(start, end, claim.label)
        if trimmed[:2] != found[:2]:
            log.repair(EDGE_WHITESPACE, location)
        if trimmed in spans:
            log.repair(TWICE, location)
        else:
            spans.append(trimmed)
    return without_overlaps(spans, location, options, log)


def without_overlaps(
    spans: list[Claim], location: str, options: Options, log: Log, of: str = "entities"
) -> list[tuple[int, int, str]]:
    """Return distinct entities in order, without overlaps; see `checked`. of: what their numbers
    count, in messages."""
    ordered = sorted(spans, key=lambda span: span[:2])
    for before, after in zip(ordered, ordered[1:]):
        if after.start < before.end and options.overlaps != "longest":
            raise UserError(
                f"{location}: {of} {before.start}–{before.end} and {after.start}–{after.end} "
                "overlap; fix them, or pass --overlaps longest."
            )
    # spaCy takes seconds to import, and every command imports this module.
    from spacy.util import filter_spans

    kept = filter_spans(spans)
    for _ in range(len(spans) - len(kept)):
        log.repair(OVERLAP, location)
    return sorted(span[:3] for span in kept)


def spanned(read: Reader, file: RawFile, options: Options, log: Log) -> Iterator[Example]:
    """Yield the examples of a file of marked texts, which is first read to recognise the unit of its
    offsets; another one than characters is noted in the log.

    Raises UserError as `checked` does.
    """
    if file.offsets is None:
        marked = isinstance(next(read(Log()), None), Marked)
        file.offsets = unit_of(read(Log())) if marked else CHARACTERS
    unit = file.offsets
    if unit != CHARACTERS:
        log.layout["offsets in"] = unit
    for item in read(log):
        if not isinstance(item, Marked):
            yield item
            continue
        location = file.location(item.number)
        if not item.text.strip():
            log.skip(EMPTY_TEXT, location)
            continue
        spans = checked(item.text, item.claims, location, options, log, unit)
        if spans is None:
            log.skip(ELSEWHERE, location)
        else:
            yield SpannedText(item.text, spans, item.number, item.document)
