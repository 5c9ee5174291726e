"""A text on the command line, or the texts of a file, and where to write what becomes of them."""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from ..common.errors import UserError
from ..common.files import check_file, written_beside
from ..common.raw_text import read_texts
from ..common.rawfile import plain_path

INPUT = "-"
# Endings of file names, for telling a path that does not exist from a text.
FILES = re.compile(
    r"(?i).*\.(txt|trs|md|html?|xml|csv|tsv|jsonl?|parquet|xlsx?|pdf|docx?|odt|srt|gz|bz2|xz|zst)"
)
PATH = re.compile(r"\S*[/\\]\S*|\S+\.\w{1,4}")
TABLES = (".csv", ".tsv", ".json", ".jsonl", ".parquet", ".xlsx")


def is_file(text: str, verb: str) -> bool:
    """Return whether a text to translate or the like (verb) is a file, or the input.

    Raises UserError for a folder, and for what looks like the path of a file and is none.
    """
    if text == INPUT or os.path.isfile(text):
        return True
    if os.path.isdir(text):
        raise UserError(
            f"{text}: is a folder; give a file with a text a line. To {verb} it as a text, end it with "
            "a space."
        )
    if FILES.fullmatch(text) or PATH.fullmatch(text):
        raise UserError(f"{text}: no such file; to {verb} it as a text, end it with a space.")
    if not text.strip():
        raise UserError("the text is empty; give at least one word.")
    return False


def input_lines(encoding: str | None) -> Iterator[str]:
    """Yield the lines of the standard input. Raises UserError if they are not text."""
    sys.stdin.reconfigure(encoding=encoding or "utf-8-sig", errors="strict", newline="\n")
    try:
        for line in sys.stdin:
            yield line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UserError(f"input: not valid {error.encoding}; pass its --encoding.") from error


def texts_of(text: str, encoding: str | None, output: Path | None, verb: str) -> Iterable[str]:
    """Return a text in a list, or the texts of a file or of the input, with a progress bar.

    A file is read once before, so that what is wrong with it is said before hours of work.
    Raises UserError.
    """
    if not is_file(text, verb):
        return [text]
    # On a terminal, the bar and what is written would write over each other.
    hidden = output is None and sys.stdout.isatty()
    if text == INPUT:
        return tqdm(input_lines(encoding), verb, unit=" texts", disable=hidden)
    path = Path(text)
    if plain_path(path).suffix.lower() in TABLES:
        raise UserError(f"{text}: is a table; give a file with a text a line.")
    total = sum(1 for _ in read_texts(path, encoding))
    return tqdm(read_texts(path, encoding), verb, total, unit=" texts", disable=hidden)


def check_output(path: Path, text: str, single: bool) -> None:
    """Raise UserError for a path that cannot be written, or that is the file which is read."""
    check_file(path)
    if not single and text != INPUT and path.exists() and path.samefile(text):
        raise UserError(f"{path}: is the file to read; give another path.")


@contextmanager
def writer(output: Path | None) -> Iterator[TextIO]:
    """Yield where to write: a file, complete or not at all, or the standard output."""
    if output:
        with (
            written_beside(output.parent) as folder,
            (folder / output.name).open("w", encoding="utf8", newline="\n") as stream,
        ):
            yield stream
        return
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        # What reads it, such as `head`, has read enough; Python would write the rest as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
