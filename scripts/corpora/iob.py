"""One token a line, blank lines between sentences: CoNLL-2003 and its relatives.

`token POS chunk tag` (Tjong Kim Sang and De Meulder 2003), `token tag`, or `index token tag`,
separated by TABs or spaces; the tag is in the last column.
"""

from itertools import islice
from pathlib import Path
from typing import Iterator, List

from ..errors import UserError
from .examples import Format, Notes, TaggedSentence, lines
from .tags import TagDecoder

DOCUMENT = "-DOCSTART-"
# A file without any blank line is one sentence of 200,000 words: cut it at the next word outside
# an entity after this many.
MAX_WORDS = 250
SAMPLE_LINES = 500


def columns(line: str) -> List[str]:
    """Split a line at its TABs, or at its spaces where it has no TAB."""
    return line.split("\t") if "\t" in line else line.split(" ")


def token_column(path: Path) -> int:
    """Return 1 where the first column is a number on every line and a third one exists, else 0."""
    rows = [columns(line) for _, line in islice(lines(path), SAMPLE_LINES) if line.strip()]
    return int(bool(rows) and all(len(row) > 2 and row[0].isdigit() for row in rows))


def read(path: Path, skipped: Notes, repaired: Notes) -> Iterator[TaggedSentence]:
    """Yield the sentences of a file. Lines that hold only white space separate them.

    Raises UserError for a line without a tag, or with one that is none.
    """
    column = token_column(path)
    decoder = TagDecoder()
    words: List[str] = []
    tags: List[str] = []
    place = ""

    def sentence() -> TaggedSentence:
        example = TaggedSentence(list(words), decoder.decode(tags, place))
        words.clear()
        tags.clear()
        return example

    for number, line in lines(path):
        if not line.strip() or line.startswith(DOCUMENT):
            if words:
                yield sentence()
            continue
        row = columns(line.rstrip(" "))
        if len(row) < column + 2:
            raise UserError(f"{path}:{number}: {line[:40]!r} has no tag column; add one, or O.")
        if not words:
            place = f"{path}:{number}"
        if len(words) >= MAX_WORDS and row[-1][:1] not in ("I", "E", "L"):
            repaired.add(f"sentence of over {MAX_WORDS} words, cut", place)
            yield sentence()
            place = f"{path}:{number}"
        words.append(row[column])
        tags.append(row[-1])
    if words:
        yield sentence()
    decoder.note_repairs(repaired)


FORMAT = Format(read)
