"""Excel sheets: the first one, its header, numbers as they are shown, empty rows."""

import datetime

import openpyxl
import pytest

from scripts.common.errors import UserError
from scripts.corpora.readers import recognise, table

from .reading import read


def sheet(path, *rows, more=()):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for title in more:
        book.create_sheet(title)
    book.save(path)
    return path


def test_rows_numbers_and_empty_rows(tmp_path):
    path = sheet(
        tmp_path / "avis.xlsx",
        ["Texte", "Note", None, "le"], ["bon", 5, "x", datetime.date(2024, 5, 1)], [], ["mauvais", 1.0],
        ["bof", 2.5], [None, 3], ["sans note", None], more=["autre"],
    )  # fmt: skip
    assert recognise(path) == "table"
    examples, log = read(table, path)
    assert [(x.text, x.label, x.number) for x in examples] == [
        ("bon", "5", 2), ("mauvais", "1", 4), ("bof", "2.5", 5),
    ]  # fmt: skip
    assert log.skipped.counts == {"empty text": 1, "without label": 1}
    assert log.lines == {"header": 1, "rows": 5, "blank": 1}
    assert log.layout["sheet"] == "Sheet, the first of 2"


def test_what_is_refused(tmp_path, write):
    with pytest.raises(UserError, match=r"a.xlsx: row 1: duplicate column name"):
        read(table, sheet(tmp_path / "a.xlsx", ["text", "text"], ["a", "b"]))
    with pytest.raises(UserError, match="b.xlsx: not an Excel workbook, or a damaged one"):
        read(table, write("b.xlsx", "text,label\n"))
    with pytest.raises(UserError, match="--columns is for files without a header"):
        read(table, sheet(tmp_path / "c.xlsx", ["text"], ["a"]), columns="text,label")


def test_a_title_above_the_header(tmp_path):
    workbook = openpyxl.Workbook()
    for row in (
        ["Export des avis", None],
        [None, None],
        ["Texte", "Catégorie"],
        ["Bien", "pos"],
        ["Mal", "neg"],
    ):
        workbook.active.append(row)
    workbook.save(tmp_path / "a.xlsx")
    examples, log = read(table, tmp_path / "a.xlsx")
    assert [(x.text, x.label, x.number) for x in examples] == [
        ("Bien", "pos", 4),
        ("Mal", "neg", 5),
    ]
    assert log.layout["title"] == "row 1, not used"
