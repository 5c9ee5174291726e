"""brat's standoff format: a text in each .txt file, and its entities in the .ann file beside it.

`T1<tab>PER 0 5<tab>Marie`: offsets count the characters of the file from 0, the end is exclusive, and
the text of the entity is repeated, with spaces for line ends (Stenetorp et al. 2012).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...common.errors import UserError
from ...common.rawfile import RawFile
from ...common.rawfolder import RawFolder
from ..examples import Example, Format, Log, Notes, SpannedText
from ..options import Options
from ..sample import Sample
from ..spans import Claim, Marked, spanned, squeeze
from ..split_folders import files_of_splits

TEXT_BOUND = re.compile(r"(T\S*)\t(\S+) +(\d+ +\d+(?: *; *\d+ +\d+)*) *\t(.*)")
TRIGGER = re.compile(r"E\S*\t([^\s:]+):(T\S+)")
# What other lines hold, by their first character.
OTHERS = {
    "R": "relations", "*": "relations", "E": "events", "A": "attributes", "M": "attributes",
    "N": "normalizations", "#": "notes",
}  # fmt: skip
TEXT, ANNOTATION = ".txt", ".ann"
WITHOUT_ANNOTATION = "text without .ann file"
WITHOUT_TEXT = ".ann file without text"
JOINED = "entity over a line end, joined"
PARTS = "entity in several parts, left out"
EVENT = "trigger of an event, left out"
MARK_COUNTED = "offsets that count the byte order mark, converted"
RETURNS_NOT_COUNTED = "offsets that do not count carriage returns, converted"
WITH_MARK = ("utf-8-sig", "utf-16", "utf-32")


class Entity(NamedTuple):
    """An entity as a line states it: in one or more fragments. text: as the line repeats it."""

    label: str
    fragments: list[tuple[int, int]]
    text: str
    location: str

    def fits(self, text: str, shift: int) -> bool:
        """Return whether its fragments are in a text. shift: what is subtracted from its offsets."""
        parts = [text[max(0, start - shift) : max(0, end - shift)] for start, end in self.fragments]
        return squeeze("".join(parts)) == squeeze(self.text)

    def claim(self, text: str, shift: int, log: Log) -> Claim | None:
        """Return what it claims to be; None if there are words between its fragments."""
        ends = [end - shift for _, end in self.fragments]
        starts = [start - shift for start, _ in self.fragments]
        if any(text[end:start].strip() for end, start in zip(ends, starts[1:])):
            log.repair(PARTS, self.location)
            return None
        if len(starts) > 1:
            log.repair(JOINED, self.location)
        return Claim(starts[0], ends[-1], self.label, self.text)


def entities_of(file: RawFile, log: Log) -> list[Entity]:
    """Return the entities in an .ann file; other lines are counted.

    Raises UserError for a line that is not one of brat's.
    """
    entities = []
    lines = list(file.lines())
    # An event has the label of its trigger, and is no name.
    triggers = {match.group(2, 1) for _, line in lines if (match := TRIGGER.match(line))}
    for number, line in lines:
        location = file.location(number)
        if not line.strip():
            log.lines["blank"] += 1
        elif line[0] in OTHERS and "\t" in line:
            log.lines[OTHERS[line[0]]] += 1
        elif match := TEXT_BOUND.fullmatch(line):
            name, label, offsets, text = match.groups()
            log.lines["entities"] += 1
            if (name, label) in triggers:
                log.repair(EVENT, location)
                continue
            fragments = sorted(tuple(map(int, part.split())) for part in offsets.split(";"))
            entities.append(Entity(label, fragments, text, location))
        else:
            raise UserError(
                f"{location}: {line[:40]!r} is no annotation of brat; an entity has three fields, "
                "separated by tabs: its number, its label with offsets, and its text."
            )
    return entities


def with_newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def marked(number: int, texts: RawFile, annotations: RawFile, log: Log) -> Marked:
    """Return a text with its entities.

    brat counts the carriage return of a line end, and a byte order mark; other programs that write
    its format may or may not. What fits all entities is assumed.
    """
    text = texts.exact_text()
    entities = entities_of(annotations, log)
    ways = [(text, 0, "")]
    if texts.encoding in WITH_MARK:
        ways.append((text, 1, MARK_COUNTED))
    if "\r\n" in text:
        ways.append((with_newlines(text), 0, RETURNS_NOT_COUNTED))
    fitting = (way for way in ways if all(entity.fits(*way[:2]) for entity in entities))
    text, shift, repair = next(fitting, ways[0])
    if repair:
        log.repair(repair, texts.name)
    claims = [entity.claim(text, shift, log) for entity in entities]
    return Marked(text, [claim for claim in claims if claim], number)


def with_plain_line_ends(example: Example) -> Example:
    """Return a text with its line ends as \\n, and without whitespace at its end."""
    if not isinstance(example, SpannedText):
        return example
    text, spans = example.text, example.spans
    if "\r\n" in text:
        spans = [
            (start - text.count("\r\n", 0, start), end - text.count("\r\n", 0, end), label)
            for start, end, label in spans
        ]
    return example._replace(text=with_newlines(text).rstrip(), spans=spans)


def read_folder(folder: RawFolder, log: Log) -> Iterator[Marked]:
    """Yield the annotated texts of a folder, in the order of their paths."""
    indices = {path: index for index, path in enumerate(folder.paths)}
    stems = {path.with_suffix("") for path in indices if path.suffix == TEXT}
    encodings = set()
    for path, index in indices.items():
        number = folder.number(index)
        if path.suffix == ANNOTATION and path.with_suffix("") not in stems:
            log.skip(WITHOUT_TEXT, folder.location(number))
        if path.suffix != TEXT:
            continue
        other = indices.get(path.with_suffix(ANNOTATION))
        if other is None:
            log.skip(WITHOUT_ANNOTATION, folder.location(number))
            continue
        annotations, texts = folder.file(other), folder.file(index)
        yield marked(number, texts, annotations, log)
        encodings.add(texts.encoding)
    log.layout["encoding"] = ", ".join(sorted(encodings))
    unused = (name for name in dict.fromkeys(OTHERS.values()) if log.lines[name])
    log.layout["not used"] = ", ".join(f"{log.lines[name]:,} {name}" for name in unused)


def read(file: RawFile, options: Options, log: Log) -> Iterator[Example]:
    """Yield the annotated texts of a folder.

    Raises UserError for a single file, and for a line that is not one of brat's.
    """
    if not isinstance(file, RawFolder):
        raise UserError(f"{file}: brat's texts and annotations are two files; give their folder.")
    return map(
        with_plain_line_ends, spanned(lambda log: read_folder(file, log), file, options, log)
    )


def is_corpus_file(path: Path) -> bool:
    return path.suffix in (TEXT, ANNOTATION)


def find(folder: Path, language: str, options: Options, ignored: Notes) -> dict[str, list[Path]]:
    """Return the folder of each split: those named after one, or else all is train."""
    return files_of_splits(folder, is_corpus_file, "text (.txt) and .ann file", ignored)


def recognises(sample: Sample) -> bool:
    """Return whether there is a text with an .ann file beside it, or this is one of the two."""
    if sample.source.is_dir():
        paths = (path for path in sample.files_below if path.suffix == ANNOTATION)
        return any(path.with_suffix(TEXT).is_file() for path in paths)
    lines = sample.lines[:5] if sample.suffix == ANNOTATION else []
    return any(TEXT_BOUND.fullmatch(line) for line in lines)


FORMAT = Format(
    "brat: a folder of texts (.txt) with their annotations (.ann)",
    read,
    options=("encoding", "overlaps"),
    find=find,
    recognises=recognises,
)
