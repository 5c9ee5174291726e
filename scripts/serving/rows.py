"""Rows of a user's file, to be annotated: the text of each exactly as written, its other columns too.

Plain text, CSV, TSV, JSON Lines or a JSON array, and Parquet, plain or compressed. A row that cannot be
annotated is yielded as one, with the reason, so that every row of a file is accounted for.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow
from pyarrow import types

from ..common.errors import UserError
from ..common.files import check_whole
from ..common.rawfile import BYTE_ORDER_MARKS, RawFile, plain_path
from ..corpora.options import Options
from ..corpora.readers.columns import text_column
from ..corpora.readers.table import delimiter_in
from ..corpora.readers.tabular import BATCH_ROWS, cells_of, parquet_file, wrong_width
from ..corpora.records import JSON, json_objects
from .column_types import STRING, is_text, kind_of, type_of

TEXT, PARQUET, TABLES = ".txt", ".parquet", (".csv", ".tsv", ".tab")
SUFFIXES = (TEXT, *TABLES, *JSON, PARQUET)
# The name of the only column of plain text.
TEXT_NAME = "text"
# With more different keys, objects are no rows with the same columns.
MAX_NAMES = 10_000


class Row(NamedTuple):
    """A row with a text.

    number: its line, row or item in the file. location: the file and the number, for messages.
    text: exactly as written. columns: all of its columns by name, that of the text too.
    """

    number: int
    location: str
    text: str
    columns: Mapping[str, Any]

    def bad(self, reason: str) -> "BadRow":
        """Return this row as one that cannot be annotated."""
        return BadRow(self.number, self.location, reason, self.columns)


class BadRow(NamedTuple):
    """A row that cannot be annotated, and why. columns: empty if the row could not be read."""

    number: int
    location: str
    reason: str
    columns: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.location}: {self.reason}"


class Cells(Mapping):
    """A row of an Arrow batch, whose cells become Python's values when they are asked for: what is
    written back as Parquet keeps its exact type."""

    def __init__(self, batch: pyarrow.RecordBatch, index: int) -> None:
        self.batch, self.index = batch, index

    def __getitem__(self, name: str) -> Any:
        return self.batch.column(name)[self.index].as_py()

    def __iter__(self) -> Iterator[str]:
        return iter(self.batch.schema.names)

    def __len__(self) -> int:
        return self.batch.num_columns


# Its number, and its columns or what is wrong with it.
Record = tuple[int, Mapping[str, Any] | UserError]


class Survey(NamedTuple):
    """What reading a file through has found: the number of its rows, and the types of its columns."""

    total: int
    types: dict[str, pyarrow.DataType]


class Rows:
    """The rows of a file, to be iterated any number of times, one in memory at a time.

    The file is read through when it is opened, so that damage is found before long work begins.
    total: number of rows, bad ones included; blank lines are none. names: of the columns, of JSON those
    of any row. types: of the columns, by name; a value of JSON that has no type of its column is written
    to one as a text. text_name: the column of the text. schema: of Parquet, None of other files. delimiter:
    of CSV and TSV. suffix: of a file that such rows are written to, ".jsonl" for plain text.
    Raises UserError for a file that is missing, empty, damaged or of another kind, or whose column of
    texts is not clear.
    """

    def __init__(
        self,
        path: Path,
        options: Options = Options(),
        name: str | None = None,
        longest: int | None = None,
        whole: bool = False,
        known: Survey | None = None,
    ) -> None:
        """Open a file.

        options: its encoding, the column of the text, the names of columns if there is no header, the
        quoting. name: of the file, in messages and to tell its kind, if not the path. longest: the
        limit of a text in characters. whole: whether a plain text is a single row, rather than a row a
        line. known: what an earlier reading has found; the file is not read through again.
        """
        check_whole(path)
        if not path.is_file():
            raise UserError(f"{path}: no such file; give the path of a file with texts.")
        self.file = RawFile(path, options.encoding, name)
        self.options, self.longest, self.whole = options, longest, whole
        self.kind = plain_path(Path(self.file.name)).suffix.lower()
        if self.kind not in SUFFIXES:
            raise UserError(
                f"{self.file}: unknown kind of file; give one of {', '.join(SUFFIXES)}, plain or as .gz, "
                ".bz2, .xz or .zst."
            )
        if options.columns and self.kind not in TABLES:
            raise UserError(f"{self.file}: --columns is for tables without a header; omit it.")
        self.delimiter = delimiter_in(self.file, options) if self.kind in TABLES else ""
        self.schema: pyarrow.Schema | None = None
        self.total, self.types = known or self.survey()
        self.names = list(self.types)
        self.text_name = text_name(self.names, options.text_column, str(self.file))
        if self.schema is not None:
            self.check_type(self.schema.field(self.text_name).type)

    @property
    def suffix(self) -> str:
        if self.kind in TABLES:
            return ".csv" if self.kind == ".csv" else ".tsv"
        return PARQUET if self.kind == PARQUET else ".jsonl"

    @property
    def marked(self) -> bool:
        """Whether the file begins with a byte order mark, by which Excel tells UTF-8."""
        return any(self.file.encoding == encoding for _, encoding in BYTE_ORDER_MARKS)

    def survey(self) -> Survey:
        """Return the number of rows, and the types of their columns. Raises UserError."""
        total, error = 0, None
        kinds: defaultdict[str, set[str]] = defaultdict(set)
        is_json = self.kind in JSON
        for _, record in self.records():
            total += 1
            if isinstance(record, UserError):
                error = error or record
            elif is_json:
                for name, value in record.items():
                    kinds[name].add(kind_of(value))
                if len(kinds) > MAX_NAMES:
                    raise UserError(
                        f"{self.file}: over {MAX_NAMES:,} different keys, such as {next(iter(kinds))!r}; "
                        "rows are objects with the same keys."
                    )
            elif not kinds:
                kinds.update(dict.fromkeys(record, set()))
        if not total:
            raise UserError(f"{self.file}: no rows in it; give a file with texts.")
        if not kinds:
            raise error
        if self.schema is not None:
            return Survey(total, dict(zip(self.schema.names, self.schema.types)))
        return Survey(total, {n: type_of(k) if is_json else STRING for n, k in kinds.items()})

    def check_type(self, kind: pyarrow.DataType) -> None:
        """Raise UserError unless a column of this type holds texts."""
        kind = kind.value_type if types.is_dictionary(kind) else kind
        if not is_text(kind):
            raise UserError(
                f"{self.file}: column {self.text_name!r} holds {kind}, not texts, out of "
                f"{', '.join(self.names)[:200]}; name another with --text-column."
            )

    def records(self) -> Iterator[Record]:
        """Yield the number of each row, and its columns or what is wrong with it."""
        if self.kind == PARQUET:
            return self.parquet()
        if self.kind in JSON:
            return json_objects(self.file, tolerant=True)
        if self.kind in TABLES:
            return self.table()
        if self.whole:
            return iter([(1, {TEXT_NAME: self.file.exact_text()})])
        return ((n, {TEXT_NAME: line}) for n, line in self.file.lines() if line.strip())

    def table(self) -> Iterator[Record]:
        """Yield the records of CSV or TSV."""
        columns = self.options.columns
        names = [name.strip() for name in columns.split(",")] if columns else []
        check_unique(names, "--columns")
        cells = cells_of(self.file, self.delimiter, self.options.quoting, len(names), True)
        for number, row in cells:
            if isinstance(row, UserError):
                if not names:
                    raise row
                yield number, row
            elif row and not names:
                names = row
                check_unique(names, self.file.location(number))
            elif row and len(row) != len(names):
                yield number, wrong_width(self.file, number, names, row)
            elif row:
                yield number, dict(zip(names, row))

    def parquet(self) -> Iterator[Record]:
        """Yield the records of Parquet."""
        read: Counter = Counter()
        with parquet_file(self.file, read) as table:
            self.schema = table.schema_arrow
            check_unique(self.schema.names, str(self.file))
            for batch in table.iter_batches(batch_size=BATCH_ROWS):
                for index in range(batch.num_rows):
                    read["rows"] += 1
                    yield read["rows"], Cells(batch, index)

    def problem(self, text: Any) -> str:
        """Return why a cell is no text to annotate, "" if it is one."""
        if text is None or (isinstance(text, str) and not text.strip()):
            return f"no text in column {self.text_name!r}"
        if not isinstance(text, str):
            return f"column {self.text_name!r} holds {str(text)[:40]}, which is no text"
        if self.longest is not None and len(text) > self.longest:
            return f"{len(text):,} characters, over the limit of {self.longest:,}"
        return ""

    def __iter__(self) -> Iterator[Row | BadRow]:
        for number, record in self.records():
            location = self.file.location(number)
            if isinstance(record, UserError):
                yield BadRow(number, location, str(record).removeprefix(f"{location}: "), {})
                continue
            try:
                text = record.get(self.text_name)
            except UnicodeDecodeError as error:
                yield BadRow(number, location, f"not valid UTF-8 ({error.reason})", record)
                continue
            row = Row(number, location, text, record)
            reason = self.problem(text)
            yield row.bad(reason) if reason else row


def check_unique(names: Collection[str], location: str) -> None:
    """Raise UserError if two columns have the same name: one would replace the other."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UserError(
            f"{location}: several columns have the name {twice[0]!r}; give each its own."
        )


def text_name(names: Collection[str], given: str | None, location: str) -> str:
    """Return the column of the text: the one that is given, in any case, or one with a known name.

    Raises UserError if there is none, or if several may be meant.
    """
    if given in names:
        return given
    folded: dict[str, list[str]] = {}
    for name in names:
        folded.setdefault(name.strip().casefold(), []).append(name)
    found = folded[text_column(folded, given and given.strip(), location)]
    if len(found) > 1:
        raise UserError(
            f"{location}: columns {', '.join(map(repr, found))} may all be meant; choose one with "
            "--text-column."
        )
    return found[0]
