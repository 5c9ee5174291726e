"""Folders that are read as one file of a corpus."""

import hashlib
import os
from pathlib import Path

from .files import sha256
from .rawfile import RawFile, printable


class RawFolder(RawFile):
    """A folder whose files are read as one corpus file, such as a text a file.

    An example's number is that of its file times MANY, plus its own in the file if that has several.
    """

    MANY = 10**9
    measure = " files"

    def __init__(self, path: Path, encoding: str | None = None, name: str | None = None) -> None:
        super().__init__(path, encoding, name)
        self.paths = files_below(path)
        self.size = len(self.paths)
        self.read = 0

    def number(self, index: int, number: int = 0) -> int:
        """Return the number of an example of the file with this index, given its number there."""
        return index * self.MANY + number

    def location(self, number: int) -> str:
        """Return the path of an example's file and, if it has several, its location there."""
        index, number = divmod(number, self.MANY)
        path = f"{self.name}/{self.relative(index)}"
        if not number:
            return path
        return f"{path}: {self.unit} {number}" if self.unit else f"{path}:{number}"

    def origin(self, relative: str, number: int) -> tuple[str, int]:
        index, number = divmod(number, self.MANY)
        return f"{relative}/{self.relative(index)}", number or 1

    def digest(self) -> str:
        """Return the SHA-256 of the names and contents of all files."""
        digest = hashlib.sha256()
        for index, path in enumerate(self.paths):
            digest.update(f"{self.relative(index)} {sha256(path)}\n".encode())
        return digest.hexdigest()

    def relative(self, index: int) -> str:
        return printable(self.paths[index].relative_to(self.path).as_posix())

    def position(self) -> int:
        return self.read

    def file(self, index: int) -> RawFile:
        """Return one file, to be read now."""
        self.read = index + 1
        return RawFile(self.paths[index], self.encoding, f"{self.name}/{self.relative(index)}")


def files_below(folder: Path) -> list[Path]:
    """Return all files below a folder, in the order of their paths, but for hidden ones."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in names if not name.startswith(".")]
    return sorted(path for path in found if path.is_file())
