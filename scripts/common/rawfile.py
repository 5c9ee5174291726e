"""Raw files: finding, unpacking, decompressing and decoding them."""

import bz2
import codecs
import gzip
import io
import lzma
import os
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from typing import BinaryIO

from .errors import UserError
from .files import sha256


def zstd_open(stream: BinaryIO) -> BinaryIO:
    """Return the decompressed content of a Zstandard stream; Python reads that from 3.14 on."""
    # Here, as commands that read no file start faster without it.
    from pyarrow import CompressedInputStream

    return io.BufferedReader(CompressedInputStream(stream, "zstd"))


# Detected by the first bytes, as suffixes can be wrong.
COMPRESSIONS = (
    (re.compile(rb"\x1f\x8b"), gzip.open),
    # With the magic number of a block or of the footer, as a text can begin with BZh.
    (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), bz2.open),
    (re.compile(rb"\xfd7zXZ\x00"), lzma.open),
    (re.compile(rb"\x28\xb5\x2f\xfd"), zstd_open),
)
COMPRESSION_SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
# Raised by the decompressors for a corrupt file, besides OSError without an errno.
CORRUPT = (EOFError, zlib.error, lzma.LZMAError)
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# In characters. Longer lines are not written text: reading stops there.
MAX_LINE = 10_000_000
HEAD_BYTES = 65_536
BLOCK = 1_000_000
ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff"


def printable(name: str) -> str:
    """Return a file name that can be printed and reported: bytes that are not UTF-8 are replaced."""
    return os.fsencode(name).decode("utf8", "replace")


class RawFile:
    """One file of a corpus.

    `name` is its name in messages; `unit` is what its locations count ("row", "item"), "" for
    lines. Its size and position are measured in `measure`. Raises UserError for an unknown encoding.
    """

    measure = "B"

    def __init__(self, path: Path, encoding: str | None = None, name: str | None = None) -> None:
        self.path = path
        self.name = printable(name or str(path))
        self.encoding = encoding
        if encoding is not None:
            try:
                io.TextIOWrapper(io.BytesIO(), encoding)
            except LookupError as error:
                raise UserError(
                    f"--encoding {encoding}: unknown encoding; use a name such as iso-8859-1 or "
                    "windows-1252."
                ) from error
        self.unit = ""
        # What offsets in the file count, once a reader of entities has recognised it.
        self.offsets: str | None = None
        self.size = path.stat().st_size
        self.stream: BinaryIO | None = None

    def __str__(self) -> str:
        return self.name

    def location(self, number: int) -> str:
        """Return the location of a line as file:line, or of another unit as file: unit number."""
        return f"{self.name}: {self.unit} {number}" if self.unit else f"{self.name}:{number}"

    def origin(self, relative: str, number: int) -> tuple[str, int]:
        """Return the file of an example, and its number there. relative: the path of this one."""
        return relative, number

    def digest(self) -> str:
        """Return the SHA-256 of the file."""
        return sha256(self.path)

    def text(self) -> str:
        """Return the whole text, with its line ends as \\n. For short files, such as a text each."""
        return "\n".join(line for _, line in self.lines())

    def exact_text(self) -> str:
        """Return the whole text, with its line ends as they are. For short files."""
        # Reading lines detects the encoding, and checks that this is text.
        for _ in self.lines():
            pass
        with self.open() as stream:
            return stream.read().decode(self.encoding)

    def position(self) -> int:
        """Return the number of bytes of the file that have been read so far."""
        stream = self.stream
        return stream.tell() if stream and not stream.closed else self.size

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the file, decompressing gzip, bzip2, xz and zstd regardless of its suffix.

        Raises UserError if the compressed data is truncated or corrupt.
        """
        with self.path.open("rb") as self.stream:
            head = self.stream.read(10)
            self.stream.seek(0)
            opener = next((opener for magic, opener in COMPRESSIONS if magic.match(head)), None)
            try:
                yield opener(self.stream) if opener else self.stream
            except (*CORRUPT, OSError) as error:
                if opener is None or getattr(error, "errno", None):
                    raise
                raise UserError(
                    f"{self}: the compressed file is truncated or corrupt ({error}); get a fresh "
                    "copy."
                ) from error

    def head(self) -> bytes:
        with self.open() as stream:
            return stream.read(HEAD_BYTES)

    def lines(self, keep_ends: bool = False) -> Iterator[tuple[int, str]]:
        """Yield (line number from 1, line).

        keep_ends: whether lines keep the characters that end them.
        The encoding is the user's, that of the byte order mark, or UTF-8.
        Raises UserError with the location of what is not text.
        """
        head = self.head()
        if self.encoding is None:
            self.encoding = next(
                (name for mark, name in BYTE_ORDER_MARKS if head.startswith(mark)), "utf-8"
            )
            if self.encoding == "utf-8" and b"\0" in head:
                raise UserError(self.not_text(head.count(b"\n", 0, head.index(b"\0")) + 1, head))
        else:
            self.encoding = self.named_encoding(head)
        # Old Macintosh files use nothing else to end lines.
        end = "\r" if b"\r" in head and b"\n" not in head else "\n"
        number = 0
        rest = ""
        with self.open() as stream:
            text = io.TextIOWrapper(stream, self.encoding, newline="")
            try:
                # In blocks: reading line by line takes twice as long.
                for block in iter(partial(text.read, BLOCK), ""):
                    block = rest + block
                    if "\0" in block:
                        number += block.count(end, 0, block.index("\0"))
                        raise UserError(self.not_text(number + 1, head))
                    *lines, rest = block.split(end)
                    if len(rest) > MAX_LINE:
                        raise UserError(
                            f"{self.location(number + len(lines) + 1)}: line longer than "
                            f"{MAX_LINE:,} characters; check the format, or break it into lines."
                        )
                    if keep_ends:
                        lines = [line + end for line in lines]
                    elif "\r" in block:
                        lines = [line.rstrip("\r") for line in lines]
                    yield from enumerate(lines, number + 1)
                    number += len(lines)
                if rest:
                    yield number + 1, rest if keep_ends else rest.rstrip("\r")
            except UnicodeError as error:
                raise UserError(self.decoding_error(number + 1, error)) from error
            finally:
                # Of what is left to the garbage collector, the stream may be closed first.
                with suppress(ValueError):
                    text.detach()

    def named_encoding(self, head: bytes) -> str:
        """Return the encoding that the user named, in its variant with a byte order mark if the
        file begins with one.

        Raises UserError if the mark is that of another encoding.
        """
        name = codecs.lookup(self.encoding).name
        marked = next((marked for mark, marked in BYTE_ORDER_MARKS if head.startswith(mark)), None)
        if marked is None:
            return name
        if name[:6] != marked[:6] and name[:5] != marked[:5]:
            raise UserError(
                f"{self}: begins with the byte order mark of {marked[:6].rstrip('-')}; omit "
                f"--encoding {self.encoding}."
            )
        return marked

    def not_text(self, number: int, head: bytes) -> str:
        # In UTF-16, nearly every second byte of French and English text is NUL.
        halves = {"utf-16-le": head[1::2], "utf-16-be": head[0::2]}
        wide = next((n for n, half in halves.items() if half.count(0) > 0.6 * len(half)), "")
        hint = f"pass --encoding {wide}" if wide else "convert it to plain text first"
        return f"{self.location(number)}: NUL character, so this is not plain text; {hint}."

    def decoding_error(self, number: int, error: UnicodeError) -> str:
        """Return the message for bytes that are invalid in the encoding, with the exact line."""
        if not isinstance(error, UnicodeDecodeError) or self.encoding.startswith(
            ("utf-16", "utf-32")
        ):
            return f"{self.location(number)}: not valid {self.encoding} ({error}); try another --encoding."
        # Decoding was done in blocks: find the line, and whether the file has bytes that are
        # letters in Windows-1252 only.
        location = byte = None
        windows = False
        with self.open() as stream:
            for line_number, line in enumerate(stream, 1):
                windows = windows or any(0x80 <= value < 0xA0 for value in line)
                if location is None:
                    try:
                        line.decode(self.encoding)
                    except UnicodeDecodeError as invalid:
                        location, byte = self.location(line_number), line[invalid.start]
        if location is None:
            return f"{self}: truncated: ends within a {self.encoding} character; get a fresh copy."
        guess = "windows-1252" if windows else "iso-8859-1"
        return (
            f"{location}: not valid {self.encoding.upper()} (byte 0x{byte:02x}); for older French "
            f"or English text, pass --encoding {guess}."
        )


def plain_path(path: PurePath) -> PurePath:
    """Return a path without its compression suffix: train.review.gz -> train.review."""
    return path.with_suffix("") if path.suffix.lower() in COMPRESSION_SUFFIXES else path


def is_archive(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except (*CORRUPT, tarfile.TarError):
        return False


def unpack(archive: Path, folder: Path, wanted: Callable[[str], bool]) -> None:
    """Extract the wanted files of a tar archive into `folder`.

    Links, absolute paths and paths with `..` are skipped, so that nothing is written elsewhere.
    Raises UserError if the archive is truncated or corrupt.
    """
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if not member.isfile() or path.is_absolute() or ".." in path.parts:
                    continue
                if wanted(member.name):
                    tar.extract(member, folder, filter="data")
    except (*CORRUPT, tarfile.TarError, OSError) as error:
        if getattr(error, "errno", None):
            raise
        raise UserError(
            f"{archive}: the archive is truncated or corrupt ({error}); get a fresh copy."
        ) from error
