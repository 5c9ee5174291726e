"""Raw texts from whatever a user has: plain text, tables, or a converted corpus, without its labels."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from spacy.vocab import Vocab

from ..common.errors import UserError
from ..common.files import check_whole
from ..common.raw_text import SUFFIXES, TRANSCRIPT, turns
from ..common.rawfile import RawFile, plain_path
from .docbins import read_docs
from .examples import Log
from .options import Options
from .readers.columns import text_column
from .readers.table import rows_of
from .records import JSON

TABLES = (".csv", ".tsv", ".tab", ".parquet", ".xlsx", *JSON)
DOCBIN = ".spacy"


class RawText(NamedTuple):
    """A text, and the line or row of its file."""

    text: str
    number: int


def text_files(source: Path) -> list[Path]:
    """Return the files that texts are read from: `source`, the train split of a converted corpus, or
    the sorted files of a folder and its subfolders that are text, tables or DocBins.

    Raises UserError if there are none.
    """
    check_whole(source)
    if not source.exists():
        raise UserError(f"{source}: no such file or folder; give the path of the raw text.")
    train = source / f"train{DOCBIN}"
    if train.exists():
        return [train]
    if source.is_file() or source.suffix == DOCBIN:
        return [source]
    known = (*SUFFIXES, *TABLES, DOCBIN)
    found = [
        path
        for path in sorted(source.rglob("*"))
        if path.is_file() and plain_path(path).suffix.lower() in known
    ]
    if not found:
        raise UserError(
            f"{source}: no texts in this folder; expected {', '.join(known)}, also as .gz."
        )
    return found


def rows(file: RawFile, options: Options, log: Log) -> Iterator[tuple[int, str]]:
    """Yield (number, text) for each row of a table whose text column holds one."""
    for number, row in rows_of(file, options, log):
        location = file.location(number)
        text = row[text_column(row, options.text_column, location)]
        if isinstance(text, str):
            yield number, text
        else:
            log.skip("text that is not a string", location)


def documents(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, text) for each document of a .spacy file, or of a folder of shards."""
    for number, doc in enumerate(read_docs(path, Vocab()), 1):
        yield number, doc.text


def raw_texts(path: Path, options: Options, log: Log, exact: bool = False) -> Iterator[RawText]:
    """Yield the texts of a file: its lines, the rows of a table, the documents of a DocBin, the turns
    of a transcript. Empty ones are skipped, and counted in the log.

    exact: whether whitespace stays as it is, rather than being collapsed to single spaces.
    Raises UserError for a file that is not what its suffix says.
    """
    suffix = plain_path(path).suffix.lower()
    file = RawFile(path, options.encoding) if path.is_file() else None
    if suffix == DOCBIN:
        found = documents(path)
    elif suffix in TABLES:
        found = rows(file, options, log)
    elif suffix == TRANSCRIPT:
        found = enumerate(turns(file), 1)
    else:
        found = file.lines()
    for number, text in found:
        words = text.split()
        if words:
            yield RawText(text if exact else " ".join(words), number)
        else:
            log.skip("empty text", f"{path}:{number}")
