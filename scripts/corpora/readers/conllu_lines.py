"""The lines of CoNLL-U: sentences of nodes, and the words of their texts."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from ...common.errors import UserError
from ...common.rawfile import RawFile
from ..examples import Document, Log
from .iob import document_name
from .mentions import DEFAULT_FIELDS, Place
from .spaces import spaces_in

WIDTH = 10
ID = re.compile(r"(\d+)(?:([-.])(\d+))?")
FIELDS = re.compile(r"#\s*global\.Entity\s*=\s*(\S+)\s*")
COLUMNS = re.compile(r"#\s*global\.columns\s*=\s*(.*?)\s*")
TEXT = re.compile(r"# text = (.*)")
EMPTY_NODES = "empty node, passed over"


class Node(NamedTuple):
    """A line of a sentence. kind: "" of a word, "-" of a range, "." of an empty node."""

    number: int
    first: int
    kind: str
    last: int
    form: str
    misc: dict[str, str]


class Sentence(NamedTuple):
    number: int
    nodes: list[Node]
    text: str | None
    document: Document


def pairs(misc: str) -> dict[str, str]:
    """Return the values in MISC by their keys, in lower case."""
    found = (pair.partition("=") for pair in misc.split("|") if "=" in pair)
    return {key.strip().casefold(): value.strip() for key, _, value in found}


class CoNLLU:
    """Reads the lines of one file."""

    def __init__(self, file: RawFile, log: Log) -> None:
        self.file = file
        self.log = log
        self.fields: list[str] = DEFAULT_FIELDS
        # Where ID, FORM and MISC are: CoNLL-U Plus names its columns.
        self.width = WIDTH
        self.columns = 0, 1, 9

    def comment(self, line: str, number: int) -> None:
        if match := FIELDS.fullmatch(line):
            self.fields = match[1].split("-")
        elif match := COLUMNS.fullmatch(line):
            names = match[1].split()
            if not {"ID", "FORM", "MISC"} <= set(names):
                raise UserError(
                    f"{self.file.location(number)}: no columns ID, FORM and MISC; convert it as `iob`, "
                    "with --token-column and --tag-column."
                )
            self.width = len(names)
            self.columns = names.index("ID"), names.index("FORM"), names.index("MISC")

    def node(self, line: str, number: int) -> Node:
        row = line.split("\t")
        match = ID.fullmatch(row[self.columns[0]]) if len(row) == self.width else None
        if not match:
            raise UserError(
                f"{self.file.location(number)}: not {self.width} columns separated by tabs, the first "
                f"with the number of a word: {line[:40]!r}; fix the line, or check the format."
            )
        first, kind = int(match[1]), match[2] or ""
        last = int(match[3]) if kind == "-" else first
        return Node(number, first, kind, last, row[self.columns[1]], pairs(row[self.columns[2]]))

    def sentences(self) -> Iterator[Sentence]:
        """Yield the sentences of the file. Raises UserError for a line that is not CoNLL-U."""
        nodes: list[Node] = []
        text: str | None = None
        documents = 0
        document: Document = None
        for number, line in self.file.lines():
            if line.startswith("#") and not nodes:
                self.log.lines["comments"] += 1
                self.comment(line, number)
                if match := TEXT.fullmatch(line):
                    text = match[1]
                if (name := document_name(line)) is not None:
                    documents += 1
                    document = name or documents
            elif line.strip():
                nodes.append(self.node(line, number))
            else:
                self.log.lines["blank"] += 1
                if nodes:
                    yield Sentence(nodes[0].number, nodes, text, document)
                nodes, text = [], None
        if nodes:
            yield Sentence(nodes[0].number, nodes, text, document)


class Words:
    """The words of a sentence's text, and the syntactic words that they consist of."""

    def __init__(self, sentence: Sentence, log: Log) -> None:
        self.words: list[str] = []
        self.spaces: list[bool] = []
        # For each node, empty ones too, the number of its word; of an empty one, that of the next word.
        self.index: list[int] = []
        self.places: list[Place] = []
        first = last = 0
        for node in sentence.nodes:
            if node.kind == ".":
                log.lines[EMPTY_NODES] += 1
                self.index.append(len(self.words))
                self.places.append(Place(empty=True))
                continue
            inside = not node.kind and first <= node.first <= last
            self.places.append(
                Place(node.first == first, node.first == last) if inside else Place()
            )
            if not inside:
                self.words.append(node.form)
                self.spaces.append(node.misc.get("spaceafter", "").casefold() != "no")
                first, last = node.first, node.last
            self.index.append(len(self.words) - 1)
        if self.spaces:
            self.spaces[-1] = False

    def known_spaces(self, text: str | None) -> list[bool] | None:
        """Return whether a space follows each word; None if neither the text nor SpaceAfter tells."""
        found = spaces_in(text, self.words) if text is not None else None
        return found or (None if all(self.spaces[:-1]) else self.spaces)
