"""Raw text for tokenizers and masked-language models: plain files, and Transcriber's .trs (ESLO)."""

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
# Of so many lines one is kept for measuring: the same for a tokenizer and for the pretraining.
HELD_OUT = 20


def files_of(source: Path) -> list[Path]:
    """Return a file itself, or the text files of a folder and all below it, in order.

    Raises UserError where there is none, or where they are of an incomplete set.
    """
    check_whole(source)
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise UserError(f"{source}: no such file or folder; name the raw text.")
    paths = sorted(path for path in source.rglob("*") if path.is_file())
    found = [path for path in paths if plain_path(path).suffix.lower() in SUFFIXES]
    if not found:
        raise UserError(f"{source}: no text in it; files are {', '.join(SUFFIXES)}, or those .gz.")
    return found


def turns(file: RawFile) -> Iterator[str]:
    """Yield the stretches of speech of a transcript: the text after <Sync>, <Who>, <Event>.

    Transcriber writes ISO-8859-1 and names a document type, which is not followed.
    Raises UserError where the XML is broken or declares entities.
    """
    try:
        with file.open() as stream:
            for _, element in ElementTree.iterparse(stream):
                speech = " ".join((element.tail or "").split())
                if speech:
                    yield speech
    except ParseError as error:
        raise UserError(f"{file}:{error.position[0]}: broken XML; get the file again.") from error
    except DefusedXmlException as error:
        raise UserError(f"{file}: it declares entities, which transcripts have not.") from error


def read_lines(source: Path, encoding: str | None = None) -> Iterator[str]:
    """Yield the lines that hold text, white space as single spaces, of a file or a folder.

    Raises UserError for what is no text.
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
    """Yield the lines to learn from, or those that are kept for measuring: each twentieth."""
    return (line for n, line in enumerate(lines) if (n % HELD_OUT == HELD_OUT - 1) == held_out)


def measure_lines(source: Path, encoding: str | None) -> tuple[int, str]:
    """Return the number of lines of a text, and their sha256.

    Raises UserError where they are too few for some to be held out.
    """
    count, digest = 0, hashlib.sha256()
    for line in read_lines(source, encoding):
        count += 1
        digest.update(line.encode() + b"\n")
    if count < HELD_OUT:
        raise UserError(
            f"{source}: {count} lines of text, and {HELD_OUT} are needed; of each {HELD_OUT} one is "
            "held out. Give more text, or a sentence a line."
        )
    return count, digest.hexdigest()
