"""Raw text to train tokenizers and masked language models: .txt, and .trs of Transcriber (ESLO)."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException, ElementTree

from .errors import UserError
from .files import check_whole
from .rawfile import RawFile, plain_path

TRANSCRIPT = ".trs"
SUFFIXES = (".txt", TRANSCRIPT)
# One line out of this many is held out for evaluation, the same ones for tokenizer and pretraining.
HELD_OUT = 20


def files_of(source: Path) -> list[Path]:
    """Return `[source]` for a file, or the sorted text files of a folder and its subfolders.

    Raises UserError if there are none, or if the folder is marked as incomplete.
    """
    check_whole(source)
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise UserError(f"{source}: no such file or folder; give the path of the raw text.")
    paths = sorted(path for path in source.rglob("*") if path.is_file())
    found = [path for path in paths if plain_path(path).suffix.lower() in SUFFIXES]
    if not found:
        raise UserError(
            f"{source}: no text files in this folder; expected {', '.join(SUFFIXES)}, also as .gz."
        )
    return found


def turns(file: RawFile) -> Iterator[str]:
    """Yield the segments of speech in a transcript: the text that follows <Sync>, <Who>, <Event>.

    Transcriber writes ISO-8859-1 and refers to an external DTD, which is not loaded.
    Raises UserError for malformed XML and for entity declarations.
    """
    try:
        with file.open() as stream:
            for _, element in ElementTree.iterparse(stream):
                speech = " ".join((element.tail or "").split())
                if speech:
                    yield speech
    except ParseError as error:
        raise UserError(
            f"{file}:{error.position[0]}: malformed XML; get a fresh copy of the file."
        ) from error
    except DefusedXmlException as error:
        raise UserError(
            f"{file}: declares XML entities, which transcripts do not use; remove them."
        ) from error


def read_texts(path: Path, encoding: str | None = None) -> Iterator[str]:
    """Yield the texts of a file as they are: its lines, empty ones included, or the turns of a transcript.

    Raises UserError for files that are not text.
    """
    file = RawFile(path, encoding)
    if plain_path(path).suffix.lower() == TRANSCRIPT:
        yield from turns(file)
    else:
        yield from (line for _, line in file.lines())


def read_lines(source: Path, encoding: str | None = None) -> Iterator[str]:
    """Yield the non-empty lines of a file or folder, with whitespace collapsed to single spaces.

    Raises UserError for files that are not text.
    """
    for path in files_of(source):
        file = RawFile(path, encoding)
        if plain_path(path).suffix.lower() == TRANSCRIPT:
            yield from turns(file)
            continue
        for _, line in file.lines():
            line = " ".join(line.split())
            if line:
                yield line


def split(lines: Iterable[str], held_out: bool) -> Iterator[str]:
    """Yield the lines to train on or, if `held_out`, every twentieth one, for evaluation."""
    return (line for n, line in enumerate(lines) if (n % HELD_OUT == HELD_OUT - 1) == held_out)


def measure_lines(source: Path, encoding: str | None) -> tuple[int, str]:
    """Return the number of lines in a text, and their SHA-256.

    Raises UserError if there are too few to hold any out.
    """
    count, digest = 0, hashlib.sha256()
    for line in read_lines(source, encoding):
        count += 1
        digest.update(line.encode() + b"\n")
    if count < HELD_OUT:
        raise UserError(
            f"{source}: {count} lines of text, but at least {HELD_OUT} are needed, as one in "
            f"{HELD_OUT} is held out; give more text, or one sentence per line."
        )
    return count, digest.hexdigest()
