"""Rows of users' files: every kind and compression, texts as they are written, bad rows, refusals."""

import bz2
import codecs
import csv
import gzip
import io
import json
import lzma

import pyarrow
import pyarrow.parquet
import pytest

from scripts.common.errors import UserError
from scripts.corpora.options import Options
from scripts.serving.rows import BadRow, Row, Rows

TEXTS = [
    "Née à Varsovie, Marie Curie",
    "  deux  espaces, \ttabulation ",
    '👩‍👧 "guillemets"; point-virgule',
    "=1+1",
]
BROKEN = "Un saut\r\nde ligne\n\nou deux"


def zstd(content: bytes) -> bytes:
    return pyarrow.compress(content, "zstd", asbytes=True)


def table(texts: list[str], delimiter: str = ",", end: str = "\r\n") -> str:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=end)
    writer.writerows([("Id", "Text"), *enumerate(texts)])
    return stream.getvalue()


def parquet(columns: dict, **options) -> bytes:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), stream, **options)
    return stream.getvalue()


LINES = "".join(json.dumps({"Id": n, "Text": text}) + "\n" for n, text in enumerate(TEXTS))
ARRAY = json.dumps([{"Text": text} for text in [*TEXTS, BROKEN]])
FILES = {
    "a.txt": "\n".join(TEXTS),
    "a.csv": table([*TEXTS, BROKEN]),
    "semicolon.csv": table([*TEXTS, BROKEN], ";", "\n"),
    "a.tsv": table([*TEXTS, BROKEN], "\t"),
    "a.jsonl": LINES,
    "a.NDJSON": "\n" + LINES.replace("\n", "\r\n\r\n"),
    "a.json": ARRAY,
}


@pytest.fixture
def write(tmp_path):
    def write(name: str, content: str | bytes):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def texts_of(rows: Rows) -> list[str]:
    found = list(rows)
    assert not [row for row in found if isinstance(row, BadRow)] and len(found) == rows.total
    return [row.text for row in found]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "suffix, compress",
    [("", bytes), (".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), (".zst", zstd)],
)  # fmt: skip
def test_texts_are_as_they_are_written(write, name, suffix, compress):
    rows = Rows(write(name + suffix, compress(FILES[name].encode())))
    wanted = TEXTS if name.lower().endswith(("txt", "jsonl", "ndjson")) else [*TEXTS, BROKEN]
    assert texts_of(rows) == texts_of(rows) == wanted
    assert rows.text_name == ("text" if name == "a.txt" else "Text")
    assert [row.columns[rows.text_name] for row in rows] == wanted


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "mark, encoding", [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le")]
)
def test_byte_order_marks(write, name, mark, encoding):
    path = write(name, mark + FILES[name].encode(encoding))
    if name == "a.json" and encoding != "utf-8":
        with pytest.raises(UserError, match="JSON in utf-16; write it in UTF-8"):
            Rows(path)
        return
    assert texts_of(Rows(path))[: len(TEXTS)] == TEXTS


@pytest.mark.parametrize("kind", [pyarrow.string(), pyarrow.large_string(), pyarrow.string_view()])
def test_parquet(write, kind):
    texts = pyarrow.array([*TEXTS, BROKEN] * 900, kind)
    path = write("a.parquet", parquet({"Text": texts, "n": range(len(texts))}))
    rows = Rows(path)
    assert texts_of(rows) == texts.to_pylist()
    *_, last = rows
    assert last.number == len(texts) and last.location == f"{path}: row {len(texts)}"
    assert dict(last.columns) == {"Text": BROKEN, "n": len(texts) - 1}
    encoded = write("b.parquet", parquet({"Text": pyarrow.array(TEXTS).dictionary_encode()}))
    assert texts_of(Rows(encoded)) == TEXTS


def test_one_row_group_is_not_held_in_memory(write):
    texts = [f"texte {n} " + "abcdefgh" * 40 + str(n * n) for n in range(100_000)]
    path = write("a.parquet", parquet({"text": texts}, use_dictionary=False, compression="none"))
    del texts
    before = pyarrow.total_allocated_bytes()
    peak = max(pyarrow.total_allocated_bytes() for _ in Rows(path))
    assert path.stat().st_size > 30_000_000 and peak - before < 8_000_000


def test_other_columns_keep_names_and_values(write):
    row = {"ID": 2**70, "texte": "a", "méta": {"x": [1, None, {"y": 1.5}]}, "vide": None}
    (found,) = Rows(write("a.jsonl", json.dumps(row)))
    assert found == Row(1, f"{found.location}", "a", row) and found.location.endswith("a.jsonl:1")
    (found,) = Rows(write("a.csv", 'ID; Note ;texte;\n007;"";a; b \n'))
    assert found.columns == {"ID": "007", " Note ": "", "texte": "a", "": " b "}


def test_a_plain_text_as_a_whole(write):
    path = write("a.txt", "Un.\r\n\r\nDeux.\n")
    assert [row.number for row in Rows(path)] == [1, 3]
    (row,) = Rows(path, whole=True)
    assert row.text == "Un.\r\n\r\nDeux.\n"


def test_the_name_tells_the_kind_and_is_in_messages(write):
    path = write("upload", '{"text": "a"}\n{')
    rows = Rows(path, name="corpus.jsonl")
    good, bad = rows
    assert good.text == "a" and bad.location == "corpus.jsonl:2"
    with pytest.raises(UserError, match="^x.bin: unknown kind of file; give one of .txt"):
        Rows(path, name="x.bin")


def reasons(rows: Rows) -> list:
    """Return the number of each row, with the reason of those that are bad."""
    return [(row.number, row.reason if isinstance(row, BadRow) else "") for row in rows]


def test_bad_lines_of_json(write):
    lines = ['{"text": "a"}', '{"text": ', '{"text": null, "n": 1}', "[1]", '{"text": 7}', "",
             '{"n": 1}', r'{"text": "\ud800"}', '{"text": "  \\n"}', '{"text": "abcdef"}', '{"text": "b"}']  # fmt: skip
    rows = Rows(write("a.jsonl", "\n".join(lines)), longest=5)
    found = dict(reasons(rows))
    assert rows.total == len(found) == 10 and 6 not in found
    assert [number for number, reason in found.items() if not reason] == [1, 11]
    assert found[2].startswith("not a JSON object (Expecting value")
    assert found[3] == found[7] == found[9] == "no text in column 'text'"
    assert found[4].startswith("not a JSON object (found a list)")
    assert found[5] == "column 'text' holds 7, which is no text"
    assert "surrogates not allowed" in found[8]
    assert found[10] == "6 characters, over the limit of 5"
    assert {row.number: row.columns for row in rows}[3] == {"text": None, "n": 1}


def test_bad_lines_of_csv(write):
    rows = ["text,n", "a,1", "b,1,2", '"c,1', "d,1", 'e"e,1', '"f"f,1', ",1", "g", '"h"",1', "i,1"]
    path = write("a.csv", "\n".join(rows))
    found = dict(reasons(Rows(path)))
    assert [number for number, reason in found.items() if not reason] == [2, 5, 6, 11]
    assert found[3].startswith("expected 2 columns (text, n), found 3")
    assert found[4].startswith("invalid quoting") and found[7].startswith("invalid quoting")
    assert found[8] == "no text in column 'text'" and found[9].startswith("expected 2 columns")
    assert found[10].startswith("invalid quoting") and len(found) == 10


def test_a_stray_quote_costs_one_row(write):
    lines = [f"texte {n},{n}" for n in range(200)]
    lines[50] = '"' + lines[50]
    lines[120] = '"Un paragraphe\n' + "et un autre\n" * 15 + 'long",120'
    path = write("a.csv", "text,n\n" + "\n".join(lines) + "\n")
    found = list(Rows(path))
    (bad,) = [row for row in found if isinstance(row, BadRow)]
    assert bad.number == 52 and "possibly a stray quote" in bad.reason
    assert [row.columns["n"] for row in found if isinstance(row, Row)] == [
        str(n) for n in range(200) if n != 50
    ]
    quotes = Options(quoting="none")
    good = Rows(write("b.csv", "text,n\n" + "\n".join(lines[:60])), quotes)
    assert texts_of(good)[50] == '"texte 50'


def test_bad_rows_of_parquet(write):
    column = pyarrow.Array.from_buffers(
        pyarrow.string(), 2, pyarrow.array([b"a", b"\xff"]).buffers()
    )
    found = reasons(Rows(write("a.parquet", parquet({"text": column}))))
    assert found == [(1, ""), (2, "not valid UTF-8 (invalid start byte)")]
    found = reasons(Rows(write("b.parquet", parquet({"text": ["a", None, " "]}))))
    assert found == [(1, ""), *((n, "no text in column 'text'") for n in (2, 3))]


TWICE = pyarrow.table([["a"], ["b"]], ["text", "text"])
WHOLE = parquet({"text": [str(n) for n in range(5000)]}, use_dictionary=False, compression="none")
REFUSED = [
    ("a.csv", "", "no rows in it"),
    ("a.csv", "text,n\n", "no rows in it"),
    ("a.txt", "\n \n", "no rows in it"),
    ("a.jsonl.gz", gzip.compress(b"", mtime=0), "no rows in it"),
    ("a.jsonl", "{\n{\n", "a.jsonl:1: not a JSON object"),
    ("a.json", '[{"text": "a"}, {"text"', "item 2: invalid or truncated JSON"),
    ("a.jsonl", "".join(f'{{"k{n}": 1}}\n' for n in range(10_001)), "over 10,000 different keys"),
    ("a.csv", "one,two\na,b\n", "no column 'text or review or sentence' in one, two"),
    ("a.jsonl", '{"one": 1}\n{"two": 1}', "no column 'text or review or sentence' in one, two"),
    ("a.csv", "Text,text\na,b\n", "columns 'Text', 'text' may all be meant"),
    ("a.csv", "n,n,text\na,b,c\n", "a.csv:1: several columns have the name 'n'"),
    ("a.csv", "text,,\na,b,c\n", "several columns have the name ''"),
    ("a.csv", 'text,"n\na,b\n', "a.csv:1: invalid quoting"),
    ("a.csv", b"text\n\xe9t\xe9\n", r"a.csv:2: not valid UTF-8 \(byte 0xe9\)"),
    ("a.csv", b"text\na\0b\n", "a.csv:2: NUL character"),
    ("a.csv.gz", gzip.compress(b"text\na\n" * 99, mtime=0)[:-9], "truncated or corrupt"),
    ("a.csv.zst", zstd(b"text\na\n" * 99)[:-9], "truncated or corrupt"),
    ("a.parquet", b"", "invalid or truncated Parquet"),
    ("a.parquet", WHOLE[:900] + b"\xff" * 40 + WHOLE[940:], "invalid or truncated Parquet"),
    ("a.parquet", parquet({"text": pyarrow.array([], pyarrow.string())}), "no rows in it"),
    ("a.parquet", parquet({"text": [1, 2], "n": [1, 2]}), "column 'text' holds int64, not texts, out of text, n"),
    ("a.parquet", parquet({"text": [["a"]]}), "holds list<element: string>, not texts"),
    ("a.pdf", "%PDF", "unknown kind of file; give one of .txt, .csv"),
]  # fmt: skip


@pytest.mark.parametrize("name, content, message", REFUSED)
def test_files_that_cannot_be_read_are_refused(write, name, content, message):
    with pytest.raises(UserError, match=message) as error:
        Rows(write(name, content))
    assert "\n" not in str(error.value) and name in str(error.value)


def test_columns_with_the_same_name_in_parquet(write, tmp_path):
    pyarrow.parquet.write_table(TWICE, tmp_path / "a.parquet")
    with pytest.raises(UserError, match="several columns have the name 'text'"):
        Rows(tmp_path / "a.parquet")


def test_missing_files_and_folders_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "missing.csv"):
        with pytest.raises(UserError, match=f"{path}: no such file"):
            Rows(path)


def test_the_column_of_the_text_is_named_or_found(write):
    path = write("a.csv", "Corps,note\na,b\n")
    for given in ("Corps", "corps", " CORPS "):
        assert texts_of(Rows(path, Options(text_column=given))) == ["a"]
    with pytest.raises(UserError, match="no column 'titre' in corps, note"):
        Rows(path, Options(text_column="titre"))
    both = write("b.csv", "Text,text\na,b\n")
    assert texts_of(Rows(both, Options(text_column="text"))) == ["b"]
    headless = write("c.csv", "a,b\nc,d\n")
    assert texts_of(Rows(headless, Options(columns="text,n"))) == ["a", "c"]
    with pytest.raises(UserError, match="--columns is for tables without a header"):
        Rows(write("d.jsonl", '{"text": "a"}'), Options(columns="text"))
    latin = write("e.csv", "text\nété\n".encode("latin-1"))
    assert texts_of(Rows(latin, Options(encoding="latin-1"))) == ["été"]
