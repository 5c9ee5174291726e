"""One token per line and blank lines between sentences: CoNLL-2003 and its variants.

`token POS chunk tag` (Tjong Kim Sang and De Meulder 2003), `token tag`, `index token tag`,
`fr:token tag` (WikiANN, Pan et al. 2017), separated by tabs or spaces.
"""

import re
from collections.abc import Iterator, Sequence

from ...common.errors import UserError
from ...common.rawfile import ZERO_WIDTH, RawFile
from ..examples import Document, Format, Log, TaggedSentence
from ..options import Options
from ..records import JSON
from ..sample import Sample
from .layout import (
    COMMENTS,
    DOCUMENT,
    Layout,
    columns,
    is_blank,
    is_document,
    layouts_of,
    looks_tagged,
    preferred,
)
from .tags import INVISIBLE, TAG, TagDecoder
from .titles import NO_SPACE, SENTENCE_ENDS

# Begins a document in CoNLL-U and HIPE; in other files -DOCSTART- does.
NEW_DOCUMENT = re.compile(
    r"# (?:newdoc(?:\s+id\s*=\s*(.*?))?|(?:hipe2022:)?document_id\s*=\s*(.*?))\s*"
)
# HIPE notes before each line of print, within sentences, where it is.
PRINTED_LINE = re.compile(r"# (?:hipe2022:)?segment\w* = .*")
# A file without blank lines would be one sentence of, say, 200,000 words. Longer sentences than
# this are split at the next token outside an entity.
MAX_WORDS = 250
# Of files that cannot be anything else, so that their lines are named in messages.
SUFFIXES = (
    ".conll",
    ".conll03",
    ".conllu",
    ".iob",
    ".iob1",
    ".iob2",
    ".bio",
    ".bio2",
    ".bioes",
    ".bilou",
)
# First characters of lines that may not be token lines, or whose token may be empty.
SPECIAL = frozenset("#- \t" + ZERO_WIDTH)


def document_name(line: str) -> str | None:
    """Return the name of the document that a line between sentences begins, "" if it is unnamed;
    None if the line is blank or another comment."""
    if line.startswith(COMMENTS):
        match = NEW_DOCUMENT.fullmatch(line)
        return match and (match[1] or match[2] or "")
    return None if is_blank(line) else ""


def parse_special(
    line: str, layout: Layout, first: bool, log: Log, location: str
) -> list[str] | None:
    """Return the columns of a line that may not be a plain token line; None if it ends a sentence:
    a blank line, -DOCSTART- in any form, or a comment.

    If tokens are numbered, every line that begins with # and a space or tab is a comment. Otherwise
    only such lines before a sentence are, or anywhere if the columns are named, unless they are token
    lines: # can be a token.
    Raises UserError for any other line without the expected columns.
    """
    row = layout.row(line)
    if is_blank(line):
        log.lines["blank"] += 1
    elif is_document(columns(line, layout.separator)):
        log.lines["documents"] += 1
    elif line.startswith(COMMENTS) and (
        layout.index or ((first or layout.header) and not (row and TAG.fullmatch(row[layout.tag])))
    ):
        log.lines["comments"] += 1
    elif row:
        return row
    else:
        raise UserError(
            f"{location}: expected {layout.width or 'more'} columns, found "
            f"{len(columns(line, layout.separator))}: {line[:40]!r}; fix the line, or name the "
            "columns with --token-column and --tag-column."
        )
    return None


def count_entities(file: RawFile, layouts: Sequence[Layout]) -> dict[int, tuple[int, int]]:
    """Return, for each tag column, its number of entities in the file and a hash of their labels
    and positions.

    Values that are not tags, such as those of a header, count as O; comments may be anywhere.
    Streams the file: only runs of rows that are not O in all columns are held in memory.
    """
    counts = [(0, 0)] * len(layouts)
    layout = layouts[-1]
    log = Log()
    decoder = TagDecoder(file, log, lines_per_word=1)
    rows: list[list[str]] = []
    offset = 0
    first = True

    def count_rows() -> None:
        for index, values in enumerate(zip(*rows)):
            tags = [x if TAG.fullmatch(x.strip(INVISIBLE)) else "O" for x in values]
            count, digest = counts[index]
            for start, end, label in decoder.decode(tags, 0):
                count += 1
                digest = hash((digest, offset + start, offset + end, label))
            counts[index] = count, digest

    for number, line in file.lines():
        row = line.split(layout.separator)
        if len(row) != layout.width or line[0] in SPECIAL or DOCUMENT in line:
            row = layout.row(line)
            if row or not line.startswith(COMMENTS):
                row = parse_special(line, layout, first, log, file.location(number))
        first = row is None
        tags = row and [row[x.tag] if x.tag < len(row) else "O" for x in layouts]
        if tags and any(tag != "O" for tag in tags):
            rows.append(tags)
            continue
        count_rows()
        offset += len(rows) + (row is not None)
        rows = []
    count_rows()
    return dict(zip((x.tag for x in layouts), counts))


def choose_layout(
    file: RawFile, layouts: Sequence[Layout], log: Log, named: bool = False
) -> Layout:
    """Return the last layout if it is `named` by the user; otherwise that which the header prefers, or
    the last one whose tag column is plausible and has entities. Entities of others are noted.

    Raises UserError if several tag columns hold different entities, such as nested ones or those
    predicted by a model, and it is not clear which to learn.
    """
    *others, best = layouts
    plausible = [layout for layout in layouts if layout.plausible]
    if len(plausible) > 1:
        counts = count_entities(file, plausible)
        filled = [layout for layout in plausible if counts[layout.tag][0]]
        differ = len({counts[layout.tag] for layout in filled}) > 1
        clear = preferred(plausible) if differ else None

        def listed(layouts: list[Layout]) -> str:
            return ", ".join(
                f"column {layout.tag + 1}{layout.title and f' ({layout.title})'} has "
                f"{counts[layout.tag][0]:,}"
                for layout in sorted(layouts, key=lambda layout: layout.tag)
            )

        if not named:
            if differ and clear is None:
                raise UserError(
                    f"{file}: several tag columns with different entities: {listed(filled)}; choose "
                    "one with --tag-column."
                )
            best = clear or (filled or plausible)[-1]
        unused = [x for x in filled if counts[x.tag] != counts[best.tag]]
        if unused:
            log.layout["entities not used"] = listed(unused)
    if others and not named:
        also = sorted(layout.tag + 1 for layout in layouts if layout is not best)
        log.layout["tags also in columns"] = also
    return best


def read(file: RawFile, options: Options, log: Log) -> Iterator[TaggedSentence]:
    """Yield the sentences of a file. Blank lines separate them; -DOCSTART- and `# newdoc` begin
    documents.

    Raises UserError for a line with the wrong number of columns or an invalid tag.
    """
    named = options.tag_column is not None
    layout = choose_layout(file, layouts_of(file, options), log, named)
    log.layout.update(token_column=layout.token + 1, tag_column=layout.tag + 1)
    if layout.title:
        log.layout["named"] = layout.title
    if layout.prefix:
        log.layout["prefix removed from tokens"] = layout.prefix
    separator, token, tag, width, prefix, *_ = layout
    header, has_notes = layout.header, layout.notes is not None
    limit = options.max_words or MAX_WORDS
    decoder = TagDecoder(file, log, lines_per_word=1)
    rows: list[list[str]] = []
    start = documents = 0
    document: Document = None

    def sentence() -> TaggedSentence:
        log.lines["tokens"] += len(rows)
        words = [row[token] for row in rows]
        if prefix:
            words = [word.removeprefix(prefix) for word in words]
        tags = [row[tag] for row in rows]
        if layout.plain:
            tags = decoder.with_prefixes(tags, start)
        entities = decoder.trim(words, decoder.decode(tags, start), start)
        spaces = [NO_SPACE not in layout.notes_of(row) for row in rows] if layout.spaced else None
        return TaggedSentence(words, entities, start, document, spaces)

    for number, line in file.lines():
        if number == header:
            log.lines["header"] += 1
            continue
        row = line.split(separator)
        if len(row) != width or line[0] in SPECIAL or (token and DOCUMENT in line):
            row = parse_special(line, layout, not rows, log, file.location(number))
            if row is None:
                if rows and not PRINTED_LINE.fullmatch(line):
                    yield sentence()
                    rows = []
                name = document_name(line)
                if name is not None:
                    documents += 1
                    document = name or documents
                continue
        if not rows:
            start = number
        elif len(rows) >= limit and row[tag][:1] not in ("I", "M", "E", "L"):
            log.repair(f"sentence of more than {limit} words, split", file.location(start))
            yield sentence()
            rows = []
            start = number
        rows.append(row)
        if has_notes and not SENTENCE_ENDS.isdisjoint(layout.notes_of(row)):
            yield sentence()
            rows = []
    if rows:
        yield sentence()
    decoder.close()


def recognises(sample: Sample) -> bool:
    """Return whether lines have a token and a tag, or the suffix is one of such files."""
    if sample.suffix in (*JSON, ".xml", ".xlsx"):
        return False
    # The last line may be cut.
    lines = sample.lines[:-1] or sample.lines
    return looks_tagged(lines) or (sample.suffix in SUFFIXES and bool(lines))


FORMAT = Format(
    "One token per line (CoNLL, WikiANN, WNUT…), in any tag scheme",
    read,
    options=("encoding", "token_column", "tag_column", "max_words"),
    recognises=recognises,
)
