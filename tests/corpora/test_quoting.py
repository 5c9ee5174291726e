"""Quotes in tables: fields of several lines, and stray quotes that would swallow rows."""

import pytest

from scripts.common.errors import UserError
from scripts.corpora.readers import cls, table
from scripts.corpora.readers.tabular import FIELD_LINES

from .reading import convert, read

HEADER = "text\tlabel\n"


def rows(n: int) -> str:
    return "".join(f"texte {i}\t{'ab'[i % 2]}\n" for i in range(n))


@pytest.mark.parametrize(
    "name, header", [("train.tsv", HEADER), ("train.tsv", "id\ttext\tlabel\n")]
)
@pytest.mark.parametrize("swallowed", [1, 5, FIELD_LINES + 5, 500])
@pytest.mark.parametrize("closed", [True, False], ids=["closed", "open"])
def test_stray_quote_that_swallows_rows_is_reported(write, name, header, swallowed, closed):
    """A field that begins with a quote but does not end with one: the next one is far below."""
    number = "1\t" if "id" in header else ""
    body = "".join(f"{number}{line}\n" for line in rows(swallowed).splitlines())
    end = f'{number}un écran de 12"\ta\n' if closed else ""
    text = f'{header}{number}bon\ta\n{number}"Bon film\tb\n{body}{end}{number}fin\tb\n'
    path = write(name, text)
    with pytest.raises(UserError, match=r"train.tsv:3: .* --quoting none"):
        read(table, path)
    texts, _ = read(table, path, quoting="none")
    assert len(texts) == swallowed + 3 + closed
    assert texts[1].text == '"Bon film' and texts[-1].text == "fin"


@pytest.mark.parametrize("name, delimiter", [("a.csv", ","), ("a.csv", ";"), ("a.tsv", "\t")])
def test_quoted_fields_of_several_lines(write, name, delimiter):
    long = "\n".join(f"ligne {n}" for n in range(FIELD_LINES))
    header = delimiter.join(["text", "label", "note"])
    row = delimiter.join(['"{}"', "a", '"{}"'])
    path = write(name, f"{header}\n{row.format(long, long)}\n")
    ((got,), _) = read(table, path)
    assert got.text == long
    longer = write(name, f"{header}\n{row.format('x', 'y')}\n{row.format('x', long + chr(10))}\n")
    message = f"{name}:3: quoted field of more than {FIELD_LINES} lines; possibly a stray quote"
    with pytest.raises(UserError, match=message):
        read(table, longer)
    assert len(read(table, longer, quoting="minimal")[0]) == 2


def test_field_of_lines_that_look_like_rows_needs_quoting_minimal(write):
    path = write("train.tsv", f'{HEADER}"un\tdeux\ntrois"\tx\nquatre\ty\n')
    with pytest.raises(UserError, match="train.tsv:2: quoted field of 2 lines, each with as many"):
        read(table, path)
    texts, _ = read(table, path, quoting="minimal")
    assert [(t.text, t.label) for t in texts] == [("un\tdeux\ntrois", "x"), ("quatre", "y")]


def test_stray_quote_is_reported_before_the_rest_of_the_file_is_read(write):
    """The error is that of the quote, not that of the invalid byte at the end."""
    path = write(
        "train.csv", ("text,label\nx,a\n" + '"y,b\n' + "z,a\n" * 500_000).encode() + b"\xff"
    )
    with pytest.raises(UserError, match="train.csv:3: quoted field of more than"):
        read(table, path)


def test_delimiter_is_detected_among_literal_quotes(write):
    path = write("train.csv", '"Bon film, dit-il, encore;a\nnul;b\n')
    texts, _ = read(table, path, columns="text,label", quoting="none")
    assert [(t.text, t.label) for t in texts] == [('"Bon film, dit-il, encore', "a"), ("nul", "b")]


def test_quoting_option_applies_to_flue(write, tmp_path):
    path = write("train.tsv", 'Text\tLabel\nbon\t1\n"Bon film\t1\nnul\t0\nil dit "oui"\t0\n')
    with pytest.raises(UserError, match="train.tsv:3: .* --quoting none"):
        read(cls, path)
    report = convert("cls", path, tmp_path / "out", quoting="none")
    assert sum(split["examples"] for split in report["splits"].values()) == 4
