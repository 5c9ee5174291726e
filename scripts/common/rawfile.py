"""Raw files: found, unpacked, decompressed, decoded."""

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
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from typing import BinaryIO

from .errors import UserError

# By their first bytes, as a name can lie.
COMPRESSIONS = (
    (re.compile(rb"\x1f\x8b"), gzip.open),
    # Of a block, or of the end. A text can begin with BZh.
    (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), bz2.open),
    (re.compile(rb"\xfd7zXZ\x00"), lzma.open),
)
COMPRESSION_SUFFIXES = (".gz", ".bz2", ".xz")
# What the decompressors raise for a broken file; OSError without errno as well.
BROKEN = (EOFError, zlib.error, lzma.LZMAError)
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Longer lines are not text that somebody wrote; read no further than this, in characters.
MAX_LINE = 10_000_000
HEAD_BYTES = 65_536
BLOCK = 1_000_000
ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff"
# The words of a file's name that tell its split, and where it has those of two, in this order.
SPLIT_WORDS = {
    "dev": {"dev", "devel", "development", "devset", "testa", "val", "valid", "validation"},
    "train": {"train", "training", "trainset"},
    "test": {"test", "testb", "testing", "testset"},
}
WORD = re.compile(r"[^\W\d_]+")


def printable(name: str) -> str:
    """Return a file's name; what is no UTF-8 can neither be printed nor written into the report."""
    return os.fsencode(name).decode("utf8", "replace")


class RawFile:
    """One file of a corpus. `name` is what messages call it, `unit` what its places count.

    Raises UserError for an encoding that there is not.
    """

    def __init__(self, path: Path, encoding: str | None = None, name: str | None = None) -> None:
        self.path = path
        self.name = printable(name or str(path))
        self.encoding = encoding
        if encoding is not None:
            try:
                io.TextIOWrapper(io.BytesIO(), encoding)
            except LookupError as error:
                raise UserError(
                    f"--encoding {encoding}: no such encoding; try iso-8859-1, windows-1252."
                ) from error
        self.unit = ""
        self.size = path.stat().st_size
        self.stream: BinaryIO | None = None

    def __str__(self) -> str:
        return self.name

    def place(self, number: int) -> str:
        """Return the place of a line, file:line, or of another unit."""
        return f"{self.name}: {self.unit} {number}" if self.unit else f"{self.name}:{number}"

    def position(self) -> int:
        """Return how many bytes of the file are read by now."""
        stream = self.stream
        return stream.tell() if stream and not stream.closed else self.size

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the file, decompressed: .gz, .bz2 and .xz, whatever it is called.

        Raises UserError where it is cut short or broken.
        """
        with self.path.open("rb") as self.stream:
            head = self.stream.read(10)
            self.stream.seek(0)
            opener = next((o for magic, o in COMPRESSIONS if magic.match(head)), None)
            try:
                yield opener(self.stream) if opener else self.stream
            except (*BROKEN, OSError) as error:
                if opener is None or getattr(error, "errno", None):
                    raise
                raise UserError(
                    f"{self}: the compressed file is cut short or broken ({error}); get it again."
                ) from error

    def head(self) -> bytes:
        with self.open() as stream:
            return stream.read(HEAD_BYTES)

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield (line number from 1, line without its end). Decodes as the user said, by the byte
        order mark, or as UTF-8.

        Raises UserError with the place for what is no text.
        """
        head = self.head()
        if self.encoding is None:
            self.encoding = next((name for mark, name in MARKS if head.startswith(mark)), "utf-8")
            if self.encoding == "utf-8" and b"\0" in head:
                raise UserError(self.not_text(head.count(b"\n", 0, head.index(b"\0")) + 1, head))
        else:
            self.encoding = self.named_encoding(head)
        # Of old Macintoshes: no other line ends.
        end = "\r" if b"\r" in head and b"\n" not in head else "\n"
        number = 0
        rest = ""
        with self.open() as stream:
            text = io.TextIOWrapper(stream, self.encoding, newline="")
            try:
                # Block by block: line by line takes twice the time.
                for block in iter(partial(text.read, BLOCK), ""):
                    block = rest + block
                    if "\0" in block:
                        number += block.count(end, 0, block.index("\0"))
                        raise UserError(self.not_text(number + 1, head))
                    *lines, rest = block.split(end)
                    if len(rest) > MAX_LINE:
                        raise UserError(
                            f"{self.place(number + len(lines) + 1)}: a line of over {MAX_LINE:,} "
                            "characters; is this the right format? Break it into lines."
                        )
                    if "\r" in block:
                        lines = [line.rstrip("\r") for line in lines]
                    yield from enumerate(lines, number + 1)
                    number += len(lines)
                if rest:
                    yield number + 1, rest.rstrip("\r")
            except UnicodeError as error:
                raise UserError(self.wrong_encoding(number + 1, error)) from error
            finally:
                text.detach()

    def named_encoding(self, head: bytes) -> str:
        """Return the encoding that the user named; with its mark, if the file begins with one.

        Raises UserError where there is the mark of another.
        """
        name = codecs.lookup(self.encoding).name
        marked = next((marked for mark, marked in MARKS if head.startswith(mark)), None)
        if marked is None:
            return name
        if name[:6] != marked[:6] and name[:5] != marked[:5]:
            raise UserError(
                f"{self}: begins with the mark of {marked[:6].rstrip('-')}; leave --encoding "
                f"{self.encoding} out."
            )
        return marked

    def not_text(self, number: int, head: bytes) -> str:
        # In French and English nearly every second byte of UTF-16 is one.
        halves = {"utf-16-le": head[1::2], "utf-16-be": head[0::2]}
        wide = next((n for n, half in halves.items() if half.count(0) > 0.6 * len(half)), "")
        hint = f"give --encoding {wide}" if wide else "give the text file itself"
        return f"{self.place(number)}: a NUL character: this is no plain text; {hint}."

    def wrong_encoding(self, number: int, error: UnicodeError) -> str:
        """Return the message for bytes that the encoding has not, with the exact line."""
        if not isinstance(error, UnicodeDecodeError) or self.encoding.startswith(
            ("utf-16", "utf-32")
        ):
            return f"{self.place(number)}: not {self.encoding} ({error}); try another --encoding."
        # A decoder takes blocks: look for the line itself, and for letters of Windows-1252 in all.
        place = byte = None
        windows = False
        with self.open() as stream:
            for at, line in enumerate(stream, 1):
                windows = windows or any(0x80 <= value < 0xA0 for value in line)
                if place is None:
                    try:
                        line.decode(self.encoding)
                    except UnicodeDecodeError as wrong:
                        place, byte = self.place(at), line[wrong.start]
        if place is None:
            return f"{self}: not {self.encoding}: it ends inside a character; get it again."
        guess = "windows-1252" if windows else "iso-8859-1"
        return (
            f"{place}: not {self.encoding.upper()} (byte 0x{byte:02x}); if it is old French or "
            f"English text, give --encoding {guess}."
        )


def plain_path(path: PurePath) -> PurePath:
    """Return a path without the suffix of a compression: train.review.gz -> train.review."""
    return path.with_suffix("") if path.suffix.lower() in COMPRESSION_SUFFIXES else path


def split_of(path: Path) -> str | None:
    """Return the split that a whole word of a file's name tells, or None: eng.testa -> dev,
    wnut17train.conll -> train, latest.txt -> None."""
    words = set(WORD.findall(path.name.lower()))
    return next((split for split, names in SPLIT_WORDS.items() if names & words), None)


def two_of_one(split: str, one: Path, other: Path) -> UserError:
    """Return the error for two files of a folder whose names tell the same split."""
    return UserError(
        f"{one.parent}: {one.name} and {other.name} are both the {split} split; leave one of "
        "them, or convert one file at a time with --split."
    )


def visible_files(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.iterdir()) if p.is_file() and not p.name.startswith(".")]


def find_files(folder: Path, ignored: Callable[[str, str], None]) -> dict[str, list[Path]]:
    """Return the one file of each split in a folder, by its name; others are noted as ignored.

    A file that is alone is train, whatever its name. Raises UserError where two claim one split.
    """
    found: dict[str, list[Path]] = {}
    paths = visible_files(folder)
    for path in paths:
        split = split_of(path) or ("train" if len(paths) == 1 else None)
        if split is None:
            ignored("file whose name tells no split", str(path))
        elif split in found:
            raise two_of_one(split, found[split][0], path)
        else:
            found[split] = [path]
    return found


def is_archive(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except (*BROKEN, tarfile.TarError):
        return False


def unpack(archive: Path, folder: Path, wanted: Callable[[str], bool]) -> None:
    """Write the wanted files of a tar archive into `folder`.

    Only regular files are taken, and only under `folder`: links and climbing names are not.
    Raises UserError where the archive is cut short or broken.
    """
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if not member.isfile() or path.is_absolute() or ".." in path.parts:
                    continue
                if wanted(member.name):
                    tar.extract(member, folder, filter="data")
    except (*BROKEN, tarfile.TarError, OSError) as error:
        if getattr(error, "errno", None):
            raise
        raise UserError(f"{archive}: the archive is cut short or broken ({error}).") from error
