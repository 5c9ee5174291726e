"""TEI P5: the paragraphs, headings and verse lines of a text, with the names that are marked in them.

An example is a block (p, head, l, ab) within `text`; one within another belongs to the outer one.
persName is PER, placeName and geogName LOC, orgName ORG, as are name and rs of such a type. Of
alternatives in `choice` the corrected, expanded or regularised one is read, and of `app` the first.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from defusedxml import ElementTree

from ...common.errors import UserError
from ...common.rawfile import HEAD_BYTES, RawFile, plain_path
from ..examples import Example, Format, Log, Notes
from ..options import Options
from ..sample import Sample
from ..spans import CHARACTERS, Claim, Marked, spanned
from ..split_folders import documents_of_splits, in_documents
from .markup import xml_errors

ROOT = re.compile(r"<(?:[\w.-]+:)?(TEI|teiCorpus|TEI\.2)[\s>]")
ROOTS = ("TEI", "teiCorpus", "TEI.2")
BLOCKS = {"p", "head", "l", "ab"}
NAMES = {"persName": "PER", "placeName": "LOC", "geogName": "LOC", "orgName": "ORG"}
# Parts of a placeName; names of places themselves elsewhere.
PLACES = {"settlement", "region", "country", "district", "bloc"}
# What `name` and `rs` are, by their type in lower case.
TYPED = {"name", "rs"}
TYPES = {
    "person": "PER", "pers": "PER", "per": "PER", "persname": "PER", "personne": "PER",
    "place": "LOC", "loc": "LOC", "location": "LOC", "placename": "LOC", "lieu": "LOC",
    "geog": "LOC", "geogname": "LOC", "org": "ORG", "organisation": "ORG", "organization": "ORG",
    "orgname": "ORG",
}  # fmt: skip
OTHER_NAMES = {*TYPED, "objectName", "eventName", "title"}
# What is not part of the running text.
LEFT_OUT = {"teiHeader", "note", "fw", "figure", "del", "surplus"}
ALTERNATIVES = {"choice", "app"}
NOT_READ = {"sic", "orig", "abbr", "am"}
# Elements that hold others alone: whitespace in them is layout.
HOLDERS = {*ALTERNATIVES, "subst"}
BREAKS = {"lb", "pb", "cb", "gb"}
# Elements in a block that do not continue the line they are in.
SEPARATE = {
    *BLOCKS, "lg", "list", "item", "label", "table", "row", "cell", "sp", "speaker", "stage",
    "div", "floatingText", "opener", "closer", "salute", "signed", "dateline", "u",
}  # fmt: skip
SPACES = re.compile(r"[ \t\r\n]+")
SOFT_HYPHENS = "\u00ad\u00ac"
OUTSIDE = "text outside p, head, l and ab"
EMPTY = "entity without text, left out"
NO_READING = "choice without a corrected, expanded or regular form, left out"
HYPHEN = "hyphen at a line end within a word, removed"


class Block:
    """The text of a block as it is read, with runs of whitespace as one space, and its entities."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.parts: list[str] = []
        self.length = 0
        # [start, end, label]
        self.entities: list[list] = []
        # Whether a break within a word comes before what follows.
        self.joins = False

    @property
    def last(self) -> str:
        return self.parts[-1][-1] if self.parts else " "

    def add(self, text: str) -> None:
        text = SPACES.sub(" ", text)
        if self.joins or self.last == " ":
            text = text.removeprefix(" ")
        if text:
            self.joins = False
            self.parts.append(text)
            self.length += len(text)

    def remove_last(self) -> None:
        self.parts[-1] = self.parts[-1][:-1]
        if not self.parts[-1]:
            self.parts.pop()
        self.length -= 1
        for entity in self.entities:
            entity[:2] = [x and min(x, self.length) for x in entity[:2]]

    def space(self) -> None:
        if not self.joins:
            self.add(" ")

    def join(self) -> None:
        """Let what follows continue the word before it."""
        if self.parts and self.last == " ":
            self.remove_last()
        if self.parts and self.last in SOFT_HYPHENS:
            self.remove_last()
        self.joins = True

    def claims(self, text: str, location: str, log: Log) -> list[Claim]:
        """Return the entities, without whitespace at their edges, which is layout."""
        claims = []
        for start, end, label in self.entities:
            content = text[start:end]
            start, end = end - len(content.lstrip(" ")), start + len(content.rstrip(" "))
            if start < end:
                claims.append(Claim(start, end, label))
            else:
                log.repair(EMPTY, location)
        return claims


@dataclass
class Element:
    """An open element, and what is inherited by those in it: whether they are left out, in a text, in
    a name. entity: its index in the block. taken: whether an alternative in it was read."""

    name: str = ""
    left_out: bool = False
    in_text: bool = False
    in_name: bool = False
    is_block: bool = False
    entity: int | None = None
    taken: bool = False
    reported: bool = False


class Target:
    """Receives the events of an XML parser, and collects the blocks that are complete."""

    def __init__(self, file: RawFile, log: Log) -> None:
        self.file = file
        self.log = log
        self.stack = [Element()]
        self.block: Block | None = None
        self.found: list[Marked] = []
        self.unused: Counter[str] = Counter()
        self.document: int | None = None
        # Set once there is a parser.
        self.line = lambda: 1

    def take(self) -> list[Marked]:
        """Return the blocks that were completed since the last call."""
        found, self.found = self.found, []
        return found

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition("}")[2]
        above = self.stack[-1]
        if len(self.stack) == 1:
            if name not in ROOTS:
                raise UserError(
                    f"{self.file}:{self.line()}: the root element is {name[:40]}, not TEI; give a "
                    "file of TEI P5."
                )
            self.document = 0 if name == "teiCorpus" else None
        elif name == "TEI" and self.document is not None:
            self.document += 1
        in_text = above.in_text or name == "text"
        element = Element(name, above.left_out, in_text, above.in_name)
        self.stack.append(element)
        if element.in_text and not element.left_out:
            self.open(element, above, attributes)

    def open(self, element: Element, above: Element, attributes: dict[str, str]) -> None:
        """Note what an element in a text means for it."""
        name = element.name
        if name in LEFT_OUT:
            self.unused[name] += 1
            element.left_out = True
        elif above.name in ALTERNATIVES:
            element.left_out = above.taken or name in NOT_READ
            above.taken = above.taken or not element.left_out
        if element.left_out:
            return
        if self.block is None:
            if name in BLOCKS:
                self.block = Block(self.line())
                element.is_block = True
            return
        if name in BREAKS and attributes.get("break") == "no":
            self.block.join()
        elif name in BREAKS or name in SEPARATE:
            self.block.space()
        kind = attributes.get("type", "")
        label = TYPES.get(kind.strip().casefold()) if name in TYPED else NAMES.get(name)
        if name in PLACES and not element.in_name:
            label = "LOC"
        if label:
            element.in_name = True
            element.entity = len(self.block.entities)
            self.block.entities.append([self.block.length, None, label])
        elif name in OTHER_NAMES:
            self.unused[f"{name} {kind[:20]}".strip()] += 1

    def end(self, tag: str) -> None:
        element = self.stack.pop()
        if element.left_out or self.block is None:
            return
        if element.name in ALTERNATIVES and not element.taken:
            self.log.repair(NO_READING, self.file.location(self.line()))
        if element.entity is not None:
            self.block.entities[element.entity][1] = self.block.length
        if element.is_block:
            self.complete()
        elif element.name in SEPARATE:
            self.block.space()

    def complete(self) -> None:
        block, self.block = self.block, None
        text = "".join(block.parts).rstrip(" ")
        location = self.file.location(block.number)
        claims = block.claims(text, location, self.log)
        self.log.lines["blocks" if text else "empty blocks"] += 1
        if text:
            self.found.append(Marked(text, claims, block.number, self.document))

    def data(self, text: str) -> None:
        element = self.stack[-1]
        if element.left_out or not element.in_text or element.name in HOLDERS:
            return
        if self.block is None:
            if text.strip() and not element.reported:
                element.reported = True
                self.log.skip(OUTSIDE, self.file.location(self.line()))
            return
        if self.block.joins and self.block.last == "-" and text.lstrip()[:1].islower():
            self.block.remove_last()
            self.log.repair(HYPHEN, self.file.location(self.line()))
        self.block.add(text)


def read_file(file: RawFile, log: Log) -> Iterator[Marked]:
    """Yield the blocks of a file, holding one in memory at a time.

    Raises UserError for malformed XML, a DTD, and another root element than TEI's.
    """
    target = Target(file, log)
    with xml_errors(file, "TEI texts"), file.open() as stream:
        parser = ElementTree.DefusedXMLParser(
            target=target, encoding=file.encoding, forbid_dtd=True
        )
        target.line = lambda: parser.parser.CurrentLineNumber
        for data in iter(partial(stream.read, HEAD_BYTES), b""):
            parser.feed(data)
            yield from target.take()
        parser.close()
    yield from target.take()
    if target.unused:
        log.layout["not used"] = ", ".join(
            f"{count:,} {name}" for name, count in sorted(target.unused.items())
        )


def is_xml(path: Path) -> bool:
    return plain_path(path).suffix.lower() in (".xml", ".tei")


def read(file: RawFile, options: Options, log: Log) -> Iterator[Example]:
    """Yield the blocks of a file, or of the files of a folder, each of which is a document."""
    file.offsets = CHARACTERS

    def blocks(log: Log) -> Iterator[Marked]:
        return in_documents(file, is_xml, lambda one: read_file(one, log))

    return spanned(blocks, file, options, log)


def find(folder: Path, language: str, options: Options, ignored: Notes) -> dict[str, list[Path]]:
    """Return the file or folder of each split."""
    return documents_of_splits(folder, is_xml, ".xml file", ignored)


def recognises(sample: Sample) -> bool:
    """Return whether the root element of the file, or of the first one in a folder, is TEI's."""
    lines = sample.lines_of_first(is_xml)
    return bool(lines) and lines[0].lstrip().startswith("<") and bool(ROOT.search("\n".join(lines)))


FORMAT = Format(
    "TEI P5: blocks of text with persName, placeName and orgName; a file, or a folder of them",
    read,
    options=("encoding", "overlaps"),
    find=find,
    recognises=recognises,
)
