"""One token a line, blank lines between sentences: CoNLL-2003 and its relatives.

`token POS chunk tag` (Tjong Kim Sang and De Meulder 2003), `token tag`, `index token tag`,
`fr:token tag` (WikiANN, Pan et al. 2017), separated by TABs or spaces. The columns are found in the
first lines: the tag in the last column that holds nothing but tags, the token in the first that is
neither an index, nor the tag, nor poor in values.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from ..errors import UserError
from .examples import Format, Log, Options, TaggedSentence
from .raw import ZERO_WIDTH, RawFile
from .tags import INVISIBLE, TAG, TagDecoder

DOCUMENT = "-DOCSTART-"
# A file without any blank line is one sentence of 200,000 words: cut it at the next word outside
# an entity after this many.
MAX_WORDS = 250
SAMPLE_LINES = 1000
INDEX = re.compile(r"(\d+)(?:[-.]\d+)?")
BLANK = re.compile(rf"[\s{ZERO_WIDTH}]*")
PREFIX = re.compile(r"([a-z]{2,3}:).+", re.DOTALL)
# How a line may begin that is no token line, or an empty token's.
UNUSUAL = frozenset("#- \t" + ZERO_WIDTH)
# The other column of CoNLL-2003 that looks like tags: syntactic chunks.
CHUNKS = frozenset(
    [
        "NP",
        "VP",
        "PP",
        "ADJP",
        "ADVP",
        "SBAR",
        "PRT",
        "CONJP",
        "INTJ",
        "LST",
        "UCP",
        "PNP",
    ]
)


def columns(line: str, separator: str) -> list[str]:
    """Split a line. Runs of spaces separate once, but for one at the start: an empty token."""
    row = line.split(separator)
    if separator == " " and "" in row:
        row = row[:1] + [value for value in row[1:] if value]
    return row


def is_blank(line: str) -> bool:
    return not line or BLANK.fullmatch(line) is not None


def is_document(row: Sequence[str]) -> bool:
    return any(value.lstrip(ZERO_WIDTH).startswith(DOCUMENT) for value in row[:2])


class Layout(NamedTuple):
    """Where things are in a line. A width of None: lines may have any number of columns."""

    separator: str
    token: int
    tag: int
    width: int | None = None
    prefix: str = ""
    index: bool = False
    # Spaces before the first column are layout, not an empty token.
    indented: bool = False

    def row(self, line: str) -> list[str] | None:
        """Return the columns of a line; None where there are not as many as there should be."""
        if self.indented:
            line = line.lstrip(" ")
        needed = max(c + 1 if c >= 0 else -c for c in (self.token, self.tag))
        for separator in (self.separator, "\t" if self.separator == " " else " "):
            row = columns(line, separator)
            if self.width is None and len(row) >= max(needed, 2):
                return row
            if len(row) == self.width:
                return row
            # A separator at the end of the line, or several.
            if self.width and len(row) > self.width and not any(row[self.width :]):
                return row[: self.width]
        return None


def counts_up(rows: Sequence[list[str]]) -> bool:
    """Tell whether the first column numbers the words, from 0 or 1 on, of each sentence or of all."""
    # A slice of a larger file, or one with gaps.
    if len(rows) > 50 and all(INDEX.fullmatch(row[0]) for row in rows):
        return True
    last = -1
    for row in rows:
        match = INDEX.fullmatch(row[0])
        if not match or int(match[1]) not in (0, 1, last, last + 1):
            return False
        last = int(match[1])
    return True


def tag_columns(rows: Sequence[list[str]], width: int, place: str) -> list[int]:
    """Return the columns of nothing but tags, the best last: chunks only if there is no other."""
    candidates = []
    for column in range(width):
        values = Counter(row[column] for row in rows)
        tags = [
            (match, n)
            for value, n in values.items()
            if (match := TAG.fullmatch(value.strip(INVISIBLE)))
        ]
        labels = {match[2] for match, _ in tags if match[2]}
        share = sum(n for _, n in tags) / len(rows)
        # A few defective ones do not hide the column: they are told, each with its line.
        if share > 0.5:
            chunks = bool(labels) and labels <= CHUNKS
            candidates.append((share > 0.9, not chunks, bool(labels), share == 1, column))
    if not candidates:
        line = " ".join(rows[0])[:40]
        raise UserError(
            f"{place}: no column of tags (O, B-PER…) in the first lines, such as {line!r}; name "
            "one with --tag-column, or is this another format?"
        )
    return [candidate[-1] for candidate in sorted(candidates)]


def token_column(rows: Sequence[list[str]], free: Sequence[int]) -> int:
    """Return the first free column that is not poor in values, as parts of speech and sentence
    numbers are: of the richest one's different values it has a fifth."""
    different = {column: len({row[column] for row in rows}) for column in free}
    return next(c for c in free if different[c] >= max(different.values()) / 5)


def layout_of(file: RawFile, options: Options, log: Log) -> Layout:
    """Find the columns in the first lines, or take those that the user names (from 1; -1: last).

    Raises UserError where no column holds tags, or none is left for the tokens.
    """
    lines = islice(file.lines(), SAMPLE_LINES)
    filled = [
        (n, x) for n, x in lines if not is_blank(x) and not is_document(re.split(r"[\t ]", x))
    ]
    # Most likely comments; if all lines begin so, the token is #.
    filled = [(n, x) for n, x in filled if not x.startswith("# ")] or filled
    tabs = sum("\t" in line for _, line in filled)
    separator = "\t" if 2 * tabs > len(filled) else " "
    for option, column in (("token", options.token_column), ("tag", options.tag_column)):
        if column == 0:
            raise UserError(f"--{option}-column 0: columns count from 1, or from -1 backwards.")
    named = [c if c is None or c < 0 else c - 1 for c in (options.token_column, options.tag_column)]
    if not filled:
        return Layout(separator, 0, 1)
    bare = {len(columns(line.lstrip(" "), separator)) for _, line in filled}
    spaced = any(line.startswith(" ") for _, line in filled)
    indented = separator == " " and spaced and len(bare) == 1 and bare != {1}
    rows = [columns(line.lstrip(" ") if indented else line, separator) for _, line in filled]
    widths = Counter(map(len, rows))
    width = max(widths, key=lambda w: (widths[w], w))
    rows = [row for row in rows if len(row) == width]
    place = file.place(filled[0][0])
    if width < 2:
        raise UserError(
            f"{place}: {filled[0][1][:40]!r} is one column; a token and a tag are needed."
        )
    token, tag = named
    for option, column in (("token", token), ("tag", tag)):
        if column is not None and not -width <= column < width:
            raise UserError(f"{place}: {width} columns; --{option}-column names none of them.")
    if tag is None:
        *others, tag = tag_columns(rows, width, place)
        if others:
            log.layout["tags also in columns"] = [column + 1 for column in others]
    index = width > 2 and tag % width != 0 and counts_up(rows)
    if token is None:
        token = token_column(rows, [c for c in range(int(index), width) if c != tag % width])
    prefixes = {m and m[1] for m in (PREFIX.fullmatch(row[token]) for row in rows)}
    prefix = next(iter(prefixes)) if len(prefixes) == 1 and len(rows) > 1 else None
    strict_width = width if options.token_column is options.tag_column is None else None
    return Layout(separator, token, tag, strict_width, prefix or "", index, indented)


def unusual(line: str, layout: Layout, first: bool, log: Log, place: str) -> list[str] | None:
    """Return the columns of a line that is not as the plain ones; None where it ends a sentence:
    blank, -DOCSTART- in any form, a comment.

    Comments are the lines that begin with `# ` where words are numbered, and elsewhere those before
    a sentence that are no token line: a literal # is data.
    """
    row = layout.row(line)
    if is_blank(line):
        log.lines["blank"] += 1
    elif is_document(columns(line, layout.separator)):
        log.lines["documents"] += 1
    elif line.startswith("# ") and (
        layout.index or (first and not (row and TAG.fullmatch(row[layout.tag])))
    ):
        log.lines["comments"] += 1
    elif row:
        return row
    else:
        raise UserError(
            f"{place}: {len(columns(line, layout.separator))} columns, {line[:40]!r}, where "
            f"{layout.width or 'more'} are expected; mend the line, or name the columns with "
            "--token-column and --tag-column."
        )
    return None


def read(file: RawFile, options: Options, log: Log) -> Iterator[TaggedSentence]:
    """Yield the sentences of a file. Lines that hold only white space separate them.

    Raises UserError for a line with other columns than the rest, or with a tag that is none.
    """
    layout = layout_of(file, options, log)
    log.layout.update(token_column=layout.token + 1, tag_column=layout.tag + 1)
    if layout.prefix:
        log.layout["prefix taken off the tokens"] = layout.prefix
    separator, token, tag, width, prefix, *_ = layout
    limit = options.max_words or MAX_WORDS
    decoder = TagDecoder(file, log, lines_per_word=1)
    rows: list[list[str]] = []
    start = 0

    def sentence() -> TaggedSentence:
        log.lines["tokens"] += len(rows)
        words = [row[token] for row in rows]
        if prefix:
            words = [word.removeprefix(prefix) for word in words]
        tags = [row[tag] for row in rows]
        entities = decoder.bare(words, decoder.decode(tags, start), start)
        return TaggedSentence(words, entities, start)

    for number, line in file.lines():
        row = line.split(separator)
        if len(row) != width or line[0] in UNUSUAL or (token and DOCUMENT in line):
            row = unusual(line, layout, not rows, log, file.place(number))
            if row is None:
                if rows:
                    yield sentence()
                    rows = []
                continue
        if not rows:
            start = number
        elif len(rows) >= limit and row[tag][:1] not in ("I", "M", "E", "L"):
            log.repair(f"sentence of over {limit} words, cut", file.place(start))
            yield sentence()
            rows = []
            start = number
        rows.append(row)
    if rows:
        yield sentence()
    decoder.close()


FORMAT = Format(read, options=("encoding", "token_column", "tag_column", "max_words"))
