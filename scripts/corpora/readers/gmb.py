"""A word a row, with a header: the CSV of the Groningen Meaning Bank as it circulates on Kaggle.

`Sentence #,Word,POS,Tag`, with the number of the sentence at its first word only; also `sentence_idx` in
every row, `word,tag` with empty rows between sentences, and a sentence a row with its tags, in a list or
with spaces between them.
"""

import ast
import csv
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ...common.errors import UserError
from ...common.rawfile import RawFile, plain_path
from ..examples import EMPTY_TEXT, Format, Log, TaggedSentence
from ..options import Options
from ..sample import Sample
from .iob import MAX_WORDS
from .tabular import Row, delimited, delimiter_of
from .tags import INVISIBLE, TAG, TagDecoder

# Names of columns, in lower case and without anything but letters and digits.
WORDS = ("word", "words", "token", "tokens", "form", "mot", "text")
TAGS = (
    "nertag",
    "nertags",
    "ner",
    "tag",
    "tags",
    "netag",
    "iob",
    "bio",
    "label",
    "labels",
    "entity",
    "ne",
)
SENTENCES = (
    "sentence", "sentenceidx", "sentenceid", "sentid", "sentidx", "sentenceno", "sent",
    "sentencenumber", "sentencenum", "phrase", "idphrase",
)  # fmt: skip
# "", 12, 12.0, Sentence: 12
ID = re.compile(r"(\S*\s?\S*\d\S*)?")
SUFFIXES = (".csv", ".tsv", ".tab", ".txt")
# A list as Python prints it: ['O', 'B-geo'], or tags with spaces between them.
LISTED = re.compile(r"\s*\[.*\]\s*", re.DOTALL)
ITEM = re.compile(r"'([^']*)'|\"([^\"]*)\"")
SAMPLE_ROWS = 200


def plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def named(columns: Sequence[str], among: Sequence[str]) -> list[str]:
    """Return the columns with one of these names, in the order of the names."""
    return [column for name in dict.fromkeys(among) for column in columns if plain(column) == name]


def is_tag(value: str) -> bool:
    return TAG.fullmatch(value.strip(INVISIBLE)) is not None


def items_in(cell: str) -> list[str]:
    """Return the words or tags in a cell that holds a list, or has spaces between them."""
    if not LISTED.fullmatch(cell):
        return cell.split()
    try:
        # A list of numpy has no commas, and reads as a single string.
        if "," in cell:
            found = ast.literal_eval(cell.strip())
            if isinstance(found, list) and all(isinstance(x, str) for x in found):
                return found
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        pass
    return [one or other for one, other in ITEM.findall(cell)]


def are_tags(cell: str) -> bool:
    """Return whether a cell holds several tags, or a list of tags."""
    found = items_in(cell)
    listed = len(found) > 1 or LISTED.fullmatch(cell) is not None
    return listed and bool(found) and all(map(is_tag, found))


class Columns:
    """Which column holds what. sentence: "" if there is none. listed: a sentence a row."""

    def __init__(
        self, names: Sequence[str], rows: Sequence[dict[str, str]], options: Options
    ) -> None:
        self.tag = self.word = self.sentence = ""
        ids = named(names, SENTENCES)
        words = named(names, WORDS)
        self.listed = any(are_tags(row[x]) for row in rows for x in named(names, TAGS))
        if self.listed and not words:
            # `Sentence #` and `Sentence`.
            words = [name for name in ids if any(" " in row[name].strip() for row in rows)][-1:]
            ids = []
        tags = [x for x in named(names, TAGS) if x not in words]
        filled = {x: [row[x] for row in rows if row[x].strip()] for x in tags}
        sure = [x for x, cells in filled.items() if cells and all(map(is_tag, cells))]
        self.words = [options.text_column.casefold()] if options.text_column else words
        self.tags = [options.label_column.casefold()] if options.label_column else sure or tags
        self.word = self.words[0] if self.words and self.words[0] in names else ""
        self.tag = self.tags[0] if self.tags and self.tags[0] in names else ""
        self.sentence = next((x for x in ids if x not in (self.word, self.tag)), "")


def rows_of(file: RawFile, options: Options, log: Log) -> Iterator[Row]:
    """Yield (line number, row) for each row. Raises UserError as `delimited` does."""
    suffix = plain_path(Path(file.name)).suffix.lower()
    names = options.columns or ""
    delimiter = "\t"
    if suffix not in (".tsv", ".tab"):
        delimiter = delimiter_of(file, header_names(file), names, options.quoting)
    return delimited(file, delimiter, log, columns=names, quoting=options.quoting)


def header_names(file: RawFile) -> list[str]:
    """Return the names in the first line that are known, in lower case as they are written."""
    _, first = next(file.lines(), (1, ""))
    cells = [cell.strip().strip('"').casefold() for cell in re.split(r"[,;\t]", first)]
    return named(cells, (*WORDS, *TAGS, *SENTENCES))


def columns_of(file: RawFile, options: Options) -> Columns:
    """Return which column holds what. Raises UserError if none, or several, may hold words or tags."""
    first = [row for _, row in islice(rows_of(file, options, Log()), SAMPLE_ROWS)]
    names = list(first[0]) if first else header_names(file)
    found = Columns(names, first, options)
    for what, column, candidates, option in (
        ("words", found.word, found.words, "--text-column"),
        ("tags", found.tag, found.tags, "--label-column"),
    ):
        if not column:
            raise UserError(
                f"{file.location(1)}: no column of {what} in {', '.join(names)[:200]}; name one with "
                f"{option}, or all columns with --columns if the file has no header."
            )
        if len(candidates) > 1:
            raise UserError(
                f"{file.location(1)}: several columns may hold {what}: {', '.join(candidates)}; choose "
                f"one with {option}."
            )
    return found


def listed(
    file: RawFile, options: Options, columns: Columns, decoder: TagDecoder, log: Log
) -> Iterator[TaggedSentence]:
    """Yield the sentences of a file with a sentence a row. Those with another number of words than of
    tags are skipped."""
    for number, row in rows_of(file, options, log):
        words, tags = items_in(row[columns.word]), items_in(row[columns.tag])
        if not words:
            log.skip(EMPTY_TEXT, file.location(number))
        elif len(words) != len(tags):
            log.skip("another number of words than of tags", file.location(number))
        else:
            entities = decoder.trim(words, decoder.decode(tags, number), number)
            yield TaggedSentence(words, entities, number)


def sentences(
    file: RawFile, options: Options, columns: Columns, log: Log
) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """Yield (line number, (word, tag) of each word) for each sentence."""
    limit = options.max_words or MAX_WORDS
    rows: list[tuple[str, str]] = []
    start, previous, last = 1, 0, ""
    for number, row in rows_of(file, options, log):
        word, tag = row[columns.word], row[columns.tag]
        current = row[columns.sentence].strip() if columns.sentence else ""
        empty = not (word.strip() or tag.strip())
        begins = bool(current) and current != last
        # A blank line separates sentences where they have no numbers.
        gap = not columns.sentence and number > previous + 1
        full = len(rows) >= limit and tag[:1] not in ("I", "M", "E", "L")
        previous, last = number, current or last
        if rows and (begins or empty or gap or full):
            if full and not (begins or empty or gap):
                log.repair(f"sentence of more than {limit} words, split", file.location(start))
            yield start, rows
            rows = []
        if empty:
            log.lines["blank"] += 1
            continue
        if not rows:
            start = number
        rows.append((word, tag))
    if rows:
        yield start, rows


def read(file: RawFile, options: Options, log: Log) -> Iterator[TaggedSentence]:
    """Yield the sentences of a file.

    Raises UserError for a missing column, and a value that is not a tag.
    """
    columns = columns_of(file, options)
    log.layout.update(
        words=columns.word, tag_column=columns.tag, sentences=columns.sentence or "in blank lines"
    )
    decoder = TagDecoder(
        file, log, lines_per_word=1, advice="fix it, or name the column with --label-column"
    )
    if columns.listed:
        log.layout["sentences"] = "one a row"
        decoder.lines_per_word = 0
        yield from listed(file, options, columns, decoder, log)
    else:
        for number, rows in sentences(file, options, columns, log):
            words = [word.strip() for word, _ in rows]
            log.lines["tokens"] += len(rows)
            entities = decoder.decode([tag.strip() for _, tag in rows], number)
            yield TaggedSentence(words, decoder.trim(words, entities, number), number)
    decoder.close()


def sampled(sample: Sample) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the names of columns, and the first rows that have as many cells."""
    if sample.suffix not in SUFFIXES:
        return [], []
    best: list[list[str]] = []
    for delimiter in ",;\t":
        try:
            # The last line may be cut.
            rows = list(csv.reader(sample.lines[:-1] or sample.lines, delimiter=delimiter))
        except csv.Error:
            continue
        if rows and len(rows[0]) > (len(best[0]) if best else 1):
            best = rows
    names = [name.strip().strip('"').casefold() for name in best[0]] if best else []
    return names, [dict(zip(names, row)) for row in best[1:] if len(row) == len(names)]


def recognises(sample: Sample) -> bool:
    """Return whether a table has a column of words and one of tags, by its header and first rows."""
    names, rows = sampled(sample)
    columns = Columns(names, rows, Options())
    if not columns.word or not columns.tag:
        return False
    if columns.listed:
        lists = [(items_in(row[columns.word]), items_in(row[columns.tag])) for row in rows]
        fit = sum(len(words) == len(tags) and all(map(is_tag, tags)) for words, tags in lists)
        return fit > len(lists) / 2
    # A text of several words is not a token.
    spaced = sum(" " in row[columns.word].strip() for row in rows)
    if not rows or spaced > len(rows) / 10:
        return False
    cells = [row[columns.tag] for row in rows if row[columns.tag].strip()]
    if sum(map(is_tag, cells)) > len(cells) / 2:
        return True
    # Tags in another notation, which the reader refuses.
    numbered = all(ID.fullmatch(row[columns.sentence].strip()) for row in rows if columns.sentence)
    return bool(columns.sentence) and numbered and plain(columns.word) in WORDS[:-1]


FORMAT = Format(
    "A word a row with a header (Groningen Meaning Bank): CSV or TSV",
    read,
    options=("encoding", "columns", "text_column", "label_column", "max_words", "quoting"),
    recognises=recognises,
)
