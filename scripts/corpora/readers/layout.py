"""Detection of the token column and the tag column in the first lines of a file.

Tags are in the last column that holds only tags; tokens in the first one that is neither an index,
nor the tag column, nor one with few distinct values.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from ...common.errors import UserError
from ...common.rawfile import ZERO_WIDTH, RawFile
from ..options import Options
from .tags import INVISIBLE, TAG, are_types
from .titles import COARSE, TAG_TITLES, is_header, notes_column

DOCUMENT = "-DOCSTART-"
SAMPLE_LINES = 1000
INDEX = re.compile(r"(\d+)(?:[-.]\d+)?")
BLANK = re.compile(rf"[\s{ZERO_WIDTH}]*")
PREFIX = re.compile(r"([a-z]{2,3}:).+", re.DOTALL)
# Comments begin so, but token lines can as well.
COMMENTS = ("# ", "#\t")
# The other column of CoNLL-2003 that looks like tags: syntactic chunks.
CHUNKS = {"NP", "VP", "PP", "ADJP", "ADVP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP", "PNP"}


def columns(line: str, separator: str) -> list[str]:
    """Split a line into columns. Runs of spaces count as one; a leading space means an empty
    token."""
    row = line.split(separator)
    if separator == " " and "" in row:
        row = row[:1] + [value for value in row[1:] if value]
    return row


def is_blank(line: str) -> bool:
    return not line or BLANK.fullmatch(line) is not None


def is_document(row: Sequence[str]) -> bool:
    return any(value.lstrip(ZERO_WIDTH).startswith(DOCUMENT) for value in row[:2])


class Layout(NamedTuple):
    """Which column holds what; `width` is None if lines may have any number of columns."""

    separator: str
    token: int
    tag: int
    width: int | None = None
    prefix: str = ""
    index: bool = False
    # Leading spaces are indentation, not an empty token.
    indented: bool = False
    # The header of the tag column.
    title: str = ""
    # Whether the tags may be entities rather than syntactic chunks.
    plausible: bool = True
    # The line that names the columns, 0 if there is none.
    header: int = 0
    # The column with HIPE's notes, if there is one, and whether they tell spaces.
    notes: int | None = None
    spaced: bool = False
    # Whether the address of its source precedes each sentence, as in GermEval, which has outer
    # entities in its first column of tags and inner ones in the second.
    sourced: bool = False
    # Whether tags are types of entities without B- and I-.
    plain: bool = False

    def notes_of(self, row: Sequence[str]) -> list[str]:
        """Return HIPE's notes on a token."""
        if self.notes is None or self.notes >= len(row):
            return []
        return row[self.notes].split("|")

    def row(self, line: str) -> list[str] | None:
        """Return the columns of a line, or None if their number is wrong."""
        if self.indented:
            line = line.lstrip(" ")
        needed = max(c + 1 if c >= 0 else -c for c in (self.token, self.tag))
        for separator in (self.separator, "\t" if self.separator == " " else " "):
            row = columns(line, separator)
            if self.width is None and len(row) >= max(needed, 2):
                return row
            if len(row) == self.width:
                return row
            # Trailing separators.
            if self.width and len(row) > self.width and not any(row[self.width :]):
                return row[: self.width]
        return None


def is_index(rows: Sequence[list[str]]) -> bool:
    """Return whether the first column numbers tokens from 0 or 1, per sentence or throughout."""
    # Many numbers are an index even with gaps, or in an excerpt of a larger file.
    if len(rows) > 50 and all(INDEX.fullmatch(row[0]) for row in rows):
        return True
    last = -1
    for row in rows:
        match = INDEX.fullmatch(row[0])
        if not match or int(match[1]) not in (0, 1, last, last + 1):
            return False
        last = int(match[1])
    return True


def preferred(layouts: Sequence[Layout]) -> Layout | None:
    """Return the one that holds the entities to learn, by the names of its columns or the order of
    GermEval's; None if that is not clear."""
    for names in ({COARSE}, TAG_TITLES):
        found = [x for x in layouts if x.title.strip().casefold() in names]
        if len(found) == 1:
            return found[0]
    outer, inner, *others = sorted(layouts, key=lambda layout: layout.tag)
    german = outer.sourced and outer.index and inner.tag == outer.tag + 1 and not others
    return outer if german else None


class TagColumn(NamedTuple):
    """A column of tags, as seen in the first lines; sorts from least to most suitable."""

    not_chunks: bool
    nearly_all_tags: bool
    has_labels: bool
    all_tags: bool
    column: int

    @property
    def plausible(self) -> bool:
        """Whether it may hold entities, which may begin after the first lines."""
        return self.not_chunks and (self.has_labels or self.all_tags)


def tag_columns(
    rows: Sequence[list[str]], among: Iterable[int], location: str
) -> tuple[list[TagColumn], list[str]]:
    """Return the columns, out of those in `among`, that hold tags, the most suitable last, and the
    header: the first row, if none of its values is a tag.

    Raises UserError if there is no such column.
    """
    header, *rest = rows
    if not rest or any(TAG.fullmatch(value.strip(INVISIBLE)) for value in header):
        header, rest = [], rows
    candidates = []
    for column in among:
        values = Counter(row[column] for row in rest)
        tags = [
            (match, n)
            for value, n in values.items()
            if (match := TAG.fullmatch(value.strip(INVISIBLE)))
        ]
        labels = {match[2] for match, _ in tags if match[2]}
        share = sum(n for _, n in tags) / len(rest)
        # A few invalid tags do not rule the column out: they are reported, with their lines.
        if share > 0.5:
            chunks = bool(labels) and labels <= CHUNKS
            plain = not labels and are_types([row[column] for row in rest])
            found = TagColumn(
                not chunks, share > 0.9 or plain, bool(labels) or plain, share == 1, column
            )
            candidates.append(found)
    if not candidates:
        line = " ".join(rows[0])[:40]
        raise UserError(
            f"{location}: no column of tags (O, B-PER…) in the first lines, such as {line!r}; name "
            "one with --tag-column, or check the format."
        )
    return sorted(candidates), header


def looks_tagged(lines: Sequence[str]) -> bool:
    """Return whether most lines have a token and a tag among columns of the same number."""
    kept = [x for x in lines if not is_document(re.split(r"[\t ]", x))]
    kept = [x for x in kept if not x.startswith(COMMENTS)] or kept
    separator = "\t" if 2 * sum("\t" in line for line in kept) > len(kept) else " "
    rows = [columns(line.strip(" "), separator) for line in kept]
    width, count = Counter(map(len, rows)).most_common(1)[0] if rows else (0, 0)
    rows = [row for row in rows if len(row) == width]
    if width < 2 or count < 0.9 * len(kept):
        return False
    found, _ = other_tag_columns(rows, range(width), "")
    if not found or not (found[-1].plausible and found[-1].nearly_all_tags):
        return False
    free = [column for column in range(width) if column not in {x.column for x in found}]
    # A text of several words is no token.
    return bool(free) and any(sum(" " in row[x] for row in rows) < len(rows) / 10 for x in free)


def token_column(rows: Sequence[list[str]], free: Sequence[int]) -> int:
    """Return the first free column with at least a fifth as many distinct values as the column with
    most of them. Parts of speech and sentence numbers have fewer."""
    n_distinct = {column: len({row[column] for row in rows}) for column in free}
    return next(c for c in free if n_distinct[c] >= max(n_distinct.values()) / 5)


def layouts_of(file: RawFile, options: Options) -> list[Layout]:
    """Return a layout for each tag column, the most suitable last, or that which the user named.

    The columns are those named by the user (from 1, or from -1 backwards), or are detected in the
    first lines.
    Raises UserError if no column holds tags, or if a named column does not exist.
    """
    lines = list(islice(file.lines(), SAMPLE_LINES))
    filled = [
        (n, x) for n, x in lines if not is_blank(x) and not is_document(re.split(r"[\t ]", x))
    ]
    # Most likely comments; if all lines begin so, # is a token.
    filled = [(n, x) for n, x in filled if not x.startswith(COMMENTS)] or filled
    tabs = sum("\t" in line for _, line in filled)
    separator = "\t" if 2 * tabs > len(filled) else " "
    for option, column in (("token", options.token_column), ("tag", options.tag_column)):
        if column == 0:
            raise UserError(
                f"--{option}-column 0: columns are numbered from 1, or from -1 backwards."
            )
    named = [c if c is None or c < 0 else c - 1 for c in (options.token_column, options.tag_column)]
    if not filled:
        return [Layout(separator, 0, 1)]
    stripped_widths = {len(columns(line.lstrip(" "), separator)) for _, line in filled}
    spaced = any(line.startswith(" ") for _, line in filled)
    indented = separator == " " and spaced and len(stripped_widths) == 1 and stripped_widths != {1}
    rows = [columns(line.lstrip(" ") if indented else line, separator) for _, line in filled]
    widths = Counter(map(len, rows))
    width = max(widths, key=lambda w: (widths[w], w))
    header = filled[0][0] if len(rows[0]) == width and is_header(rows[0]) else 0
    rows = [row for row in rows if len(row) == width]
    data = rows[1:] if header and len(rows) > 1 else rows
    notes, spaced = notes_column(data)
    sourced = any(line.startswith("#\t") for _, line in lines)
    location = file.location(filled[0][0])
    if width < 2:
        raise UserError(
            f"{location}: only one column, {filled[0][1][:40]!r}; expected at least a token and a "
            "tag."
        )
    token, tag = named
    for option, column in (("token", token), ("tag", tag)):
        if column is not None and not -width <= column < width:
            raise UserError(
                f"{location}: --{option}-column is out of range; use a number from 1 to {width}."
            )
    strict_width = width if options.token_column is options.tag_column is None else None

    def layout(tag: int, title: str = "", plausible: bool = True) -> Layout:
        index = width > 2 and tag % width != 0 and is_index(data)
        word = token
        if word is None:
            word = token_column(data, [c for c in range(int(index), width) if c != tag % width])
        prefixes = {m and m[1] for m in (PREFIX.fullmatch(row[word]) for row in data)}
        prefix = next(iter(prefixes)) if len(prefixes) == 1 and len(data) > 1 else None
        return Layout(
            separator, word, tag, strict_width, prefix or "", index, indented, title, plausible,
            header, notes, spaced, sourced, are_types([row[tag] for row in data]),
        )  # fmt: skip

    taken = {column % width for column in named if column is not None}
    among = [column for column in range(width) if column not in taken]
    if tag is not None:
        chosen = layout(tag, rows[0][tag] if header else "")
        found, titles = other_tag_columns(rows, among, location)
    else:
        chosen = None
        found, titles = tag_columns(rows, among, location)
    layouts = [layout(x.column, titles[x.column] if titles else "", x.plausible) for x in found]
    return [*layouts, chosen] if chosen else layouts


def other_tag_columns(
    rows: Sequence[list[str]], among: Iterable[int], location: str
) -> tuple[list[TagColumn], list[str]]:
    """Return what `tag_columns` does, if there are any beside that which the user named."""
    try:
        return tag_columns(rows, among, location)
    except UserError:
        return [], []
