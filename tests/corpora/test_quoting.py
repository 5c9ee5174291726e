"""Quotes in tables: fields over several lines, and stray quotes that would swallow rows."""

import pytest

from scripts.common.errors import UserError
from scripts.corpora import cls, table
from scripts.corpora.tabular import FIELD_LINES

from .reading import convert, read

HEADER = "text\tlabel\n"


def rows(n: int) -> str:
    return "".join(f"texte {i}\t{'ab'[i % 2]}\n" for i in range(n))


@pytest.mark.parametrize(
    "name, header", [("train.tsv", HEADER), ("train.tsv", "id\ttext\tlabel\n")]
)
@pytest.mark.parametrize("swallowed", [1, 5, FIELD_LINES + 5, 500])
@pytest.mark.parametrize("closed", [True, False], ids=["closed", "open"])
def test_a_stray_quote_that_swallows_rows_is_told(write, name, header, swallowed, closed):
    """Such as "Great" film: no quote at its end, and the next one far below."""
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
def test_fields_over_several_lines(write, name, delimiter):
    long = "\n".join(f"ligne {n}" for n in range(FIELD_LINES))
    header = delimiter.join(["text", "label", "note"])
    row = delimiter.join(['"{}"', "a", '"{}"'])
    path = write(name, f"{header}\n{row.format(long, long)}\n")
    ((got,), _) = read(table, path)
    assert got.text == long
    longer = write(name, f"{header}\n{row.format('x', 'y')}\n{row.format('x', long + chr(10))}\n")
    told = f"{name}:3: a quoted field over more than {FIELD_LINES} lines; a stray quote?"
    with pytest.raises(UserError, match=told):
        read(table, longer)
    assert len(read(table, longer, quoting="minimal")[0]) == 2


def test_a_field_of_lines_that_look_like_rows_is_taken_if_the_user_says_so(write):
    path = write("train.tsv", f'{HEADER}"un\tdeux\ntrois"\tx\nquatre\ty\n')
    with pytest.raises(UserError, match="train.tsv:2: a quoted field over 2 lines, each of which"):
        read(table, path)
    texts, _ = read(table, path, quoting="minimal")
    assert [(t.text, t.label) for t in texts] == [("un\tdeux\ntrois", "x"), ("quatre", "y")]


def test_a_file_is_not_read_to_its_end_for_a_stray_quote(write):
    """The place of the quote is told, not that of a line that is broken further on."""
    path = write(
        "train.csv", ("text,label\nx,a\n" + '"y,b\n' + "z,a\n" * 500_000).encode() + b"\xff"
    )
    with pytest.raises(UserError, match="train.csv:3: a quoted field over more than"):
        read(table, path)


def test_quotes_that_are_text_hide_no_delimiter(write):
    path = write("train.csv", '"Bon film, dit-il, encore;a\nnul;b\n')
    texts, _ = read(table, path, columns="text,label", quoting="none")
    assert [(t.text, t.label) for t in texts] == [('"Bon film, dit-il, encore', "a"), ("nul", "b")]


def test_flue_takes_the_option_as_well(write, tmp_path):
    path = write("train.tsv", 'Text\tLabel\nbon\t1\n"Bon film\t1\nnul\t0\nil dit "oui"\t0\n')
    with pytest.raises(UserError, match="train.tsv:3: .* --quoting none"):
        read(cls, path)
    report = convert("cls", path, tmp_path / "out", quoting="none")
    assert sum(split["examples"] for split in report["splits"].values()) == 4
