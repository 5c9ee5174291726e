"""WebAnno TSV 3, as INCEpTION and WebAnno export it: a token a line, with a column a feature.

The layer NamedEntity is read, its feature `value` being the label. An entity of several tokens has a
number in brackets at each, PER[1]; `|` separates stacked entities, `_` stands for none and `*` for one
without a value. Offsets count UTF-16 units of the document (Eckart de Castilho et al. 2016).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...common.errors import UserError
from ...common.rawfile import RawFile, plain_path
from ..examples import Example, Format, Log, Notes
from ..options import Options
from ..sample import Sample
from ..spans import Claim, Marked, spanned, squeeze
from ..split_folders import documents_of_splits, in_documents

FORMAT_LINE = re.compile(r"#FORMAT=WebAnno TSV (\S+)")
# A line of the header of version 2: # de.tudarmstadt…NamedEntity | value #
OLD_HEADER = re.compile(r" ?# [\w.]+\.[\w.]+ \| ")
LAYER = re.compile(r"#T_(SP|RL|CH)=([^|]*)(?:\|(.*))?")
UNIT = re.compile(r"\d+-\d+(\.\d+)?\t(\d+)-(\d+)\t")
ESCAPED = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
WRITTEN = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "b": "\b"}
VALUES = re.compile(r"(?:\\.|[^|\\])+")
VALUE = re.compile(r"((?:\\.|[^\\])*?)(?:\[(\d+)\])?")
NAMED_ENTITY, FEATURE = "NamedEntity", "value"
# Layers of DKPro that hold no entities.
DKPRO = "de.tudarmstadt.ukp.dkpro.core."
NONE, WITHOUT_VALUE = "_", "*"
UNNAMED = "entity without a label, left out"
EMPTY = "entity without text, left out"
WITHOUT_TOKENS = "sentence without tokens"
CROSSING = "entity over the end of a sentence, split there"


def unescape(text: str) -> str:
    """Return a text or a value without its escapes; before 3.2, texts have those of Java."""
    if "\\" not in text:
        return text
    found = ESCAPED.sub(
        lambda match: (
            chr(int(match[1][1:], 16)) if len(match[1]) > 1 else WRITTEN.get(match[1], match[1])
        ),
        text,
    )
    return found.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Column(NamedTuple):
    """A column with the feature of a layer. index: in a line. name: in --label-column."""

    index: int
    layer: str
    feature: str

    @property
    def name(self) -> str:
        return f"{self.layer.rpartition('.')[2]}.{self.feature}"

    @property
    def names(self) -> set[str]:
        return {x.casefold() for x in (self.feature, self.name, f"{self.layer}.{self.feature}")}


class Columns:
    """The columns of a file, as its header declares them."""

    def __init__(self) -> None:
        self.width = 3
        # Those with values of spans: not those of relations, chains and slots.
        self.features: list[Column] = []

    def add(self, kind: str, layer: str, features: str) -> None:
        """Add those of a line of the header."""
        slot = False
        for feature in features.split("|"):
            # The column after a role is that of what fills it.
            value = feature and not slot and not feature.startswith("ROLE_")
            if kind == "SP" and value:
                self.features.append(Column(self.width, layer, feature))
            slot = feature.startswith("ROLE_")
            self.width += 1

    def choose(self, file: RawFile, named: str) -> Column | None:
        """Return the column of labels, None if there is none in this file: a document without
        annotations does not declare their layers.

        named: by --label-column, "" if not. Raises UserError if there are several.
        """
        custom = [column for column in self.features if not column.layer.startswith(DKPRO)]
        entities = [
            column for column in self.features if column.layer.rpartition(".")[2] == NAMED_ENTITY
        ]
        if named:
            found = [column for column in self.features if named.casefold() in column.names]
        elif entities:
            found = [column for column in entities if column.feature == FEATURE] or entities
            if len(found) == 1 and found[0].feature != FEATURE:
                found = []
        else:
            found = custom
        if len(found) == 1:
            return found[0]
        if not found and not named and not entities:
            return None
        names = ", ".join(column.name for column in self.features) or "none"
        why = f"no column {named}" if named and not found else "several columns may be the labels"
        raise UserError(f"{file}: {why}; choose one with --label-column: {names}.")


class Unit(NamedTuple):
    """A token, or a part of one. values: (value, number of the entity or "") of each entity."""

    start: int
    end: int
    form: str
    values: list[tuple[str, str]]


def unit_of(line: str, columns: Columns, column: Column | None, location: str) -> Unit:
    """Return the token in a line. Raises UserError for a line that is none."""
    match = UNIT.match(line)
    fields = line.split("\t")
    if not match or len(fields) < columns.width:
        raise UserError(
            f"{location}: expected a token with {columns.width} columns, found {line[:40]!r} with "
            f"{len(fields)}; export the file again."
        )
    cell = fields[column.index] if column else NONE
    parts = [] if cell in (NONE, "") else VALUES.findall(cell)
    values = [VALUE.fullmatch(part).groups("") for part in parts]
    return Unit(int(match[2]), int(match[3]), fields[2], values)


def claims_of(units: list[Unit], base: int, text: str, location: str, log: Log) -> list[Claim]:
    """Return the entities of a sentence. base: its offset in the document.

    An entity begins with its first unit and ends with its last one: a part of a token follows the token.
    """
    found: dict[object, tuple[list[str], list[Unit]]] = {}
    for place, unit in enumerate(units):
        for index, (value, number) in enumerate(unit.values):
            labels, members = found.setdefault(number or (place, index), ([], []))
            labels.append(value)
            members.append(unit)
    claims = []
    for labels, members in found.values():
        label = next((unescape(x) for x in labels if x != WITHOUT_VALUE), "").strip()
        start, end = members[0].start, members[-1].end
        whole = [
            unit
            for unit, after in zip(members, [*members[1:], None])
            if after is None or unit.end <= after.start
        ]
        forms = "".join(unit.form for unit in whole)
        if squeeze(forms) not in squeeze(text):
            forms = unescape(forms)
        if not label:
            log.repair(UNNAMED, location)
        elif start == end:
            log.repair(EMPTY, location)
        else:
            claims.append(Claim(start - base, end - base, label, forms))
    return claims


class Sentences:
    """Reads the sentences of one file."""

    def __init__(self, file: RawFile, options: Options, log: Log) -> None:
        self.file = file
        self.log = log
        self.named = options.label_column or ""
        self.columns = Columns()
        self.column: Column | None = None
        self.number = 0
        self.texts: list[str] = []
        self.units: list[Unit] = []
        # The numbers of entities in the sentence before.
        self.before: set[str] = set()

    def close(self) -> Marked:
        """Return the sentence that ends here."""
        location = self.file.location(self.number)
        text = "\n".join(map(unescape, self.texts))
        first = self.units[0]
        lead = max(text.find(first.form), 0)
        # Offsets of a text that begins with whitespace are those of its first token.
        base = first.start - (lead if not text[:lead].strip() else 0)
        numbers = {number for unit in self.units for _, number in unit.values} - {""}
        for _ in numbers & self.before:
            self.log.repair(CROSSING, location)
        self.before = numbers
        claims = claims_of(self.units, base, text, location, self.log)
        self.texts, self.units = [], []
        return Marked(text, claims, self.number)

    def read(self) -> Iterator[Marked]:
        """Yield the sentences. Raises UserError for another version, and for an invalid line."""
        chosen = False
        for number, line in self.file.lines():
            location = self.file.location(number)
            if self.units and (not line.strip() or line[0] == "#"):
                yield self.close()
            if match := FORMAT_LINE.fullmatch(line.strip()):
                if match[1].split(".")[0] != "3":
                    raise UserError(
                        f"{location}: WebAnno TSV {match[1]}; export the file as WebAnno TSV 3."
                    )
                # Files may have been joined.
                self.columns, self.before, chosen = Columns(), set(), False
                self.log.layout["version"] = match[1]
            elif OLD_HEADER.match(line):
                raise UserError(f"{location}: WebAnno TSV 2; export the file as WebAnno TSV 3.")
            elif match := LAYER.fullmatch(line):
                self.columns.add(match[1], match[2], match[3] or "")
            elif line.startswith("#Text="):
                if not self.texts:
                    self.number = number
                self.texts.append(line.removeprefix("#Text="))
            elif not line.strip() or line[0] == "#":
                if self.texts and not line.strip():
                    self.log.skip(WITHOUT_TOKENS, self.file.location(self.number))
                    self.texts = []
                self.log.lines["comments" if line.strip() else "blank"] += 1
            else:
                if not chosen:
                    chosen = True
                    self.column = self.columns.choose(self.file, self.named)
                    if self.column:
                        self.log.layout["labels"] = self.column.name
                if not self.texts:
                    raise UserError(
                        f"{location}: a token without a line #Text= before its sentence, so not "
                        "WebAnno TSV 3; check the format, or export the file again."
                    )
                self.log.lines["tokens"] += 1
                self.units.append(unit_of(line, self.columns, self.column, location))
        if self.units:
            yield self.close()


def is_table(path: Path) -> bool:
    return plain_path(path).suffix.lower() == ".tsv"


def read(file: RawFile, options: Options, log: Log) -> Iterator[Example]:
    """Yield the sentences of a file, or of the files of a folder, each of which is a document."""

    def sentences(log: Log) -> Iterator[Marked]:
        return in_documents(file, is_table, lambda one: Sentences(one, options, log).read())

    return spanned(sentences, file, options, log)


def find(folder: Path, language: str, options: Options, ignored: Notes) -> dict[str, list[Path]]:
    """Return the file or folder of each split."""
    return documents_of_splits(folder, is_table, ".tsv file", ignored)


def recognises(sample: Sample) -> bool:
    """Return whether the first line, of a file or of the first one in a folder, names the format."""
    lines = sample.lines_of_first(is_table)
    return bool(lines) and bool(FORMAT_LINE.match(lines[0]) or OLD_HEADER.match(lines[0]))


FORMAT = Format(
    "WebAnno TSV 3 of INCEpTION and WebAnno: a file, or a folder of them",
    read,
    options=("encoding", "label_column", "overlaps"),
    find=find,
    recognises=recognises,
)
