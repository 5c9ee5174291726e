"""Tables as Excel, pandas and other programs write them."""

import csv
import io

import pytest

from scripts.common.errors import UserError
from scripts.corpora.examples import SpannedText
from scripts.corpora.readers import recognise, table

from .reading import json_lines, read


@pytest.mark.parametrize(
    "column, cells",
    [
        ("entities", ['[[0, 3, "PER"], [10, 15, "LOC"]]', "[]"]),
        ("label", ["[]", '[[0, 3, "PER"], [10, 15, "LOC"]]']),
        ("labels", ["[(0, 3, 'PER'), (10, 15, 'LOC')]", "[]"]),
        ("spans", ['[{"start": 0, "end": 3, "label": "PER"}, {"start": 10, "end": 15, "label": "LOC"}]', "[]"]),
        ("ents", ['[{"start": 0, "end": 3, "entity": "PER"}, {"start": 10, "end": 15, "entity": "LOC"}]', "[]"]),
    ],
)  # fmt: skip
def test_entities_in_cells_of_csv(write, column, cells):
    path = write("a.csv", csv_of([("text", column), *(("Ada vit à Paris.", x) for x in cells)]))
    examples, _ = read(table, path)
    assert sorted(example.spans for example in examples) == [[], [(0, 3, "PER"), (10, 15, "LOC")]]


def csv_of(rows) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerows(rows)
    return stream.getvalue()


@pytest.mark.parametrize("label", ["entity", "entity_group"])
def test_entities_of_rasa_and_pipelines(write, label):
    spans = [{"start": 0, "end": 3, "value": "ada", "word": "ada", "score": 0.9, label: "PER"}]
    path = write("a.jsonl", json_lines([("Ada vit.", spans)], "text", "entities"))
    assert read(table, path)[0] == [SpannedText("Ada vit.", [(0, 3, "PER")], 1)]


def test_what_is_no_entity_is_shown(write):
    path = write("a.jsonl", json_lines([("Ada vit.", [{"from": 0}])], "text", "entities"))
    with pytest.raises(UserError, match="a.jsonl:1: {'from': 0} is not an entity"):
        read(table, path)


@pytest.mark.parametrize("first", ["sep=;\r\n", "\ufeffsep=;\r\n", '"sep=;"\n', "SEP=;\n", ""])
def test_the_line_of_excel_that_names_the_separator(write, first):
    path = write("a.csv", f"{first}Texte;Étiquette\nBien, vraiment;pos\nMal;neg\n")
    assert recognise(path) == "table"
    examples, _ = read(table, path)
    number = 2 + bool(first)
    assert [(x.text, x.label, x.number) for x in examples] == [
        ("Bien, vraiment", "pos", number), ("Mal", "neg", number + 1),
    ]  # fmt: skip


def test_names_beside_numbers_of_labels(write):
    rows = [("a", 0, "neg"), ("b", 1, "pos")]
    path = write("a.jsonl", json_lines(rows, "text", "label", "label_text"))
    assert [x.label for x in read(table, path)[0]] == ["neg", "pos"]
    assert [x.label for x in read(table, path, label_column="label")[0]] == ["0", "1"]
