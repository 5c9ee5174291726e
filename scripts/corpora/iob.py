"""One token a line, blank lines between sentences: CoNLL-2003 and its relatives.

`token POS chunk tag` (Tjong Kim Sang and De Meulder 2003), `token tag`, `index token tag`,
`fr:token tag` (WikiANN, Pan et al. 2017), separated by TABs or spaces.
"""

import re
from collections.abc import Iterator, Sequence

from ..common.errors import UserError
from ..common.rawfile import ZERO_WIDTH, RawFile
from .examples import Document, Format, Log, TaggedSentence
from .layout import COMMENTS, DOCUMENT, Layout, columns, is_blank, is_document, layouts_of
from .options import Options
from .tags import INVISIBLE, TAG, TagDecoder

# What begins a document in CoNLL-U, a comment; elsewhere it is -DOCSTART-.
NEW_DOCUMENT = re.compile(r"# newdoc(?:\s+id\s*=\s*(.*?))?\s*")
# A file without any blank line is one sentence of 200,000 words: cut it at the next word outside
# an entity after this many.
MAX_WORDS = 250
# How a line may begin that is no token line, or an empty token's.
UNUSUAL = frozenset("#- \t" + ZERO_WIDTH)


def begun_document(line: str) -> str | None:
    """Return the name of the document that a line outside sentences begins, "" if it gives none;
    None where the line is blank or a comment."""
    if line.startswith(COMMENTS):
        match = NEW_DOCUMENT.fullmatch(line)
        return match and (match[1] or "")
    return None if is_blank(line) else ""


def unusual(line: str, layout: Layout, first: bool, log: Log, place: str) -> list[str] | None:
    """Return the columns of a line that is not as the plain ones; None where it ends a sentence:
    blank, -DOCSTART- in any form, a comment.

    Comments are the lines that begin with # and a space or a TAB where words are numbered, and
    elsewhere those before a sentence that are no token line: a literal # is data.
    """
    row = layout.row(line)
    if is_blank(line):
        log.lines["blank"] += 1
    elif is_document(columns(line, layout.separator)):
        log.lines["documents"] += 1
    elif line.startswith(COMMENTS) and (
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


def count_entities(file: RawFile, layouts: Sequence[Layout]) -> dict[int, tuple[int, int]]:
    """Return by column of tags how many entities it has in the whole file, and a hash of them and
    their places. What is no tag, such as a header, counts as O, and comments may stand anywhere.

    Streams: the rows from one that is O in all columns to the next are in memory.
    """
    counts = [(0, 0)] * len(layouts)
    layout = layouts[-1]
    log = Log()
    decoder = TagDecoder(file, log, lines_per_word=1)
    rows: list[list[str]] = []
    before = 0
    first = True

    def add() -> None:
        for index, values in enumerate(zip(*rows)):
            tags = [x if TAG.fullmatch(x.strip(INVISIBLE)) else "O" for x in values]
            count, digest = counts[index]
            for start, end, label in decoder.decode(tags, 0):
                count += 1
                digest = hash((digest, before + start, before + end, label))
            counts[index] = count, digest

    for number, line in file.lines():
        row = line.split(layout.separator)
        if len(row) != layout.width or line[0] in UNUSUAL or DOCUMENT in line:
            row = layout.row(line)
            if row or not line.startswith(COMMENTS):
                row = unusual(line, layout, first, log, file.location(number))
        first = row is None
        tags = row and [row[x.tag] if x.tag < len(row) else "O" for x in layouts]
        if tags and any(tag != "O" for tag in tags):
            rows.append(tags)
            continue
        add()
        before += len(rows) + (row is not None)
        rows = []
    add()
    return dict(zip((x.tag for x in layouts), counts))


def choose(file: RawFile, layouts: Sequence[Layout], log: Log) -> Layout:
    """Return the last of the layouts whose tags are plausible and have entities.

    Raises UserError where others have other entities: nested ones, or those that a model found.
    """
    *others, best = layouts
    plausible = [layout for layout in layouts if layout.plausible]
    if len(plausible) > 1:
        counts = count_entities(file, plausible)
        filled = [layout for layout in plausible if counts[layout.tag][0]]
        if len({counts[layout.tag] for layout in filled}) > 1:
            found = ", ".join(
                f"column {layout.tag + 1}{layout.title and f' ({layout.title})'} has "
                f"{counts[layout.tag][0]:,}"
                for layout in sorted(filled, key=lambda layout: layout.tag)
            )
            raise UserError(
                f"{file}: several columns hold tags, of different entities: {found}; name the one "
                "that counts with --tag-column."
            )
        best = (filled or plausible)[-1]
    if others:
        also = sorted(layout.tag + 1 for layout in layouts if layout is not best)
        log.layout["tags also in columns"] = also
    return best


def read(file: RawFile, options: Options, log: Log) -> Iterator[TaggedSentence]:
    """Yield the sentences of a file. Lines that hold only white space separate them; -DOCSTART-
    and `# newdoc` begin a document.

    Raises UserError for a line with other columns than the rest, or with a tag that is none.
    """
    layout = choose(file, layouts_of(file, options), log)
    log.layout.update(token_column=layout.token + 1, tag_column=layout.tag + 1)
    if layout.prefix:
        log.layout["prefix taken off the tokens"] = layout.prefix
    separator, token, tag, width, prefix, *_ = layout
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
        entities = decoder.bare(words, decoder.decode(tags, start), start)
        return TaggedSentence(words, entities, start, document)

    for number, line in file.lines():
        row = line.split(separator)
        if len(row) != width or line[0] in UNUSUAL or (token and DOCUMENT in line):
            row = unusual(line, layout, not rows, log, file.location(number))
            if row is None:
                if rows:
                    yield sentence()
                    rows = []
                name = begun_document(line)
                if name is not None:
                    documents += 1
                    document = name or documents
                continue
        if not rows:
            start = number
        elif len(rows) >= limit and row[tag][:1] not in ("I", "M", "E", "L"):
            log.repair(f"sentence of over {limit} words, cut", file.location(start))
            yield sentence()
            rows = []
            start = number
        rows.append(row)
    if rows:
        yield sentence()
    decoder.close()


FORMAT = Format(
    "A token per line (CoNLL, WikiANN, WNUT…), in any tag scheme",
    read,
    options=("encoding", "token_column", "tag_column", "max_words"),
)
