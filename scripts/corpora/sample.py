"""The first part of a corpus, by which its format is recognised."""

import csv
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from ..common.rawfile import RawFile, plain_path
from ..common.rawfolder import files_below
from ..common.split_names import split_of, visible_files
from .records import JSON, json_values

LINES = 200
RECORDS = 50
# What Excel may write in a first line, to name the separator.
SEPARATOR_LINE = re.compile(r'"?sep=."?', re.IGNORECASE)


class Sample:
    """A file of a corpus: a single file, or in a folder that of train, or else the first one."""

    def __init__(self, source: Path, encoding: str | None = None) -> None:
        self.source = source
        self.path = source
        if source.is_dir():
            files = visible_files(source)
            named = [path for path in files if split_of(path)]
            self.path = next(iter(sorted(named, key=lambda p: split_of(p) != "train")), source)
            if self.path == source and files:
                self.path = files[0]
        self.encoding = encoding

    @cached_property
    def suffix(self) -> str:
        """The suffix of the file, without that of a compression; "" of a folder."""
        return plain_path(self.path).suffix.lower() if self.path.is_file() else ""

    @cached_property
    def names(self) -> list[str]:
        """The names in the folder that the file is in, or of the file alone."""
        if self.source.is_dir():
            return sorted(path.name for path in self.source.iterdir())
        return [self.source.name]

    @cached_property
    def lines(self) -> list[str]:
        """The first lines, without empty ones; none if it is no text, such as Parquet."""
        if not self.path.is_file() or self.suffix in (".parquet", ".xlsx", ".spacy"):
            return []
        file = RawFile(self.path, self.encoding)
        head = file.head()
        if file.encoding is None and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
            # Whatever the encoding, markup and names of columns are ASCII.
            text = head.decode("utf-8-sig", "replace")
            found = [line.rstrip("\r") for line in re.split(r"\n|\r(?!\n)", text)]
        else:
            found = [line for _, line in islice(file.lines(), LINES)]
        return [line for line in found if line.strip()][:LINES]

    @cached_property
    def files_below(self) -> list[Path]:
        """All files anywhere below a folder; none of a file."""
        return files_below(self.source) if self.source.is_dir() else []

    def lines_of_first(self, wanted: Callable[[Path], bool]) -> list[str]:
        """The first lines of the file, or of the first wanted one anywhere below a folder."""
        if not self.source.is_dir():
            return self.lines
        path = next(filter(wanted, self.files_below), None)
        return Sample(path, self.encoding).lines if path else []

    @cached_property
    def records(self) -> list[Any]:
        """The first JSON values; none of another file."""
        if self.suffix not in JSON:
            return []
        return [x for _, x in islice(json_values(RawFile(self.path, self.encoding)), RECORDS)]

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """The first JSON values, if all are objects; none otherwise."""
        return self.records if all(isinstance(x, dict) for x in self.records) else []

    @cached_property
    def schema(self) -> pyarrow.Schema:
        """The columns of Parquet; none of a damaged file."""
        try:
            return pyarrow.parquet.read_schema(self.path)
        except (pyarrow.ArrowException, OSError, ValueError):
            return pyarrow.schema([])

    @cached_property
    def columns(self) -> Sequence[str]:
        """The names of columns, in lower case: of Parquet, or in the first line of CSV or TSV."""
        if self.suffix == ".parquet":
            return [name.casefold() for name in self.schema.names]
        if not self.lines or self.suffix in JSON:
            return []
        header = self.lines[:1]
        if SEPARATOR_LINE.fullmatch(header[0].strip(" ")):
            header = self.lines[1:2]
        rows = [next(csv.reader(header, delimiter=x), []) for x in ",;\t"]
        return [cell.strip().strip('"').casefold() for cell in max(rows, key=len)]
