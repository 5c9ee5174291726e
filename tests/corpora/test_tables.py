"""Tables as Excel, pandas and other programs write them."""

import csv
import io
import json
import zipfile

import pyarrow
import pyarrow.parquet
import pytest

from scripts.common.errors import UserError
from scripts.corpora.examples import SpannedText
from scripts.corpora.readers import recognise, table

from .reading import convert, counts, docs, json_lines, read


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


@pytest.mark.parametrize("holder", ["data", "examples", "rows", "items"])
@pytest.mark.parametrize("indent", [None, 2])
def test_json_with_the_examples_in_an_object(write, holder, indent):
    rows = [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]
    content = {"version": "1.0", "about": {"n": 2}, holder: rows, "end": [1]}
    path = write("a.json", json.dumps(content, indent=indent))
    assert recognise(path) == "table"
    assert [(x.text, x.label, x.number) for x in read(table, path)[0]] == [
        ("a", "x", 1), ("b", "y", 2),
    ]  # fmt: skip


def test_json_of_the_viewer_of_hugging_face(write):
    rows = [{"row_idx": n, "row": {"text": "ab"[n], "label": "xy"[n]}} for n in range(2)]
    path = write("a.json", json.dumps({"features": [{"name": "text"}], "rows": rows}))
    assert [x.label for x in read(table, path)[0]] == ["x", "y"]


def test_lists_within_examples_are_no_examples(write):
    rows = [("a", "x", [{"n": 1}]), ("b", "y", [{"n": 2}])]
    for content in (json_lines(rows, "text", "label", "data"), json_lines(rows[:1], "text", "label", "data").replace("\"data\"", "\"meta\": {\"data\": [{}]}, \"other\"")):  # fmt: skip
        examples, _ = read(table, write("a.jsonl", content))
        assert examples[0].text == "a"


@pytest.mark.parametrize(
    "name, content, message",
    [
        (
            "a.json",
            '{"train": [{"text": "a", "label": "b"}]}',
            "one JSON object, with the keys train",
        ),
        ("a.jsonl", '{"text": "a"}\n{"text": "b"}\n', "texts alone .text., without labels"),
        ("a.csv", "v1,v2,,,\nham,a,,,\n", "v1, v2; name two with --text-column and --label-column"),
        ("a.ods", b"PK\x03\x04", "a spreadsheet of another program"),
    ],
)
def test_what_is_not_recognised_is_described(write, name, content, message):
    with pytest.raises(UserError, match=message):
        recognise(write(name, content))


def test_an_archive_and_a_folder_of_folders_are_described(write, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("all.jsonl", '{"text": "a", "label": "b"}')
    with pytest.raises(UserError, match="an archive; unpack it"):
        recognise(tmp_path / "a.zip")
    write("c/README.md", "c")
    write("c/data/train.csv", "text,label\na,b\n")
    with pytest.raises(UserError, match="give one of its folders: data"):
        recognise(tmp_path / "c")


def test_named_columns_make_a_table(write, tmp_path):
    path = write("a.csv", "v1,v2,,,\nham,Bien,,,\nspam,Mal,,,\n")
    convert("auto", path, tmp_path / "out", text_column="v2", label_column="v1")
    assert [doc.text for doc in docs(tmp_path / "out/train.spacy")] == ["Bien", "Mal"]


def test_measurements_are_no_classes(write):
    rows = "".join(f"t{n},0.{n:02}\n" for n in range(12))
    with pytest.raises(UserError, match="numbers with fractions, such as 0.01"):
        read(table, write("a.csv", f"text,score_\n{rows}"), label_column="score_")
    stars = "".join(f"t{n},{n / 2}\n" for n in range(1, 11))
    assert len(read(table, write("b.csv", f"text,rating\n{stars}"))[0]) == 10


def test_labels_of_one_text_each_are_refused(write, tmp_path):
    path = write("a.csv", "text,label\n" + "".join(f"t{n},Une traduction {n}\n" for n in range(10)))
    with pytest.raises(UserError, match="no two texts have a label in common"):
        convert("table", path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("list_of", [lambda x: {"feature": x, "_type": "List"}, lambda x: [x]])
def test_parquet_with_lists_of_classes(tmp_path, list_of):
    features = {"labels": list_of({"names": ["joie", "colère"], "_type": "ClassLabel"})}
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    rows = pyarrow.table({"text": ["a", "b", "c"], "labels": [[0, 1], [1], []]})
    pyarrow.parquet.write_table(rows.replace_schema_metadata(metadata), tmp_path / "a.parquet")
    examples, _ = read(table, tmp_path / "a.parquet")
    assert [x.all_labels for x in examples] == [("colère", "joie"), ("colère",), ()]


def test_examples_under_two_keys_are_refused(write):
    row = '[{"text": "a", "label": "b"}]'
    for other in ("test", "examples"):
        path = write("a.json", f'{{"data": {row}, "n": 1, "{other}": {row}}}')
        with pytest.raises(UserError, match=f"under 'data' and '{other}' of one object"):
            read(table, path)


def test_missing_values_of_pandas_are_no_label(write):
    examples, log = read(table, write("a.csv", "text,label\na,x\nb,nan\nc,NaN\nd,y\n"))
    assert [x.label for x in examples] == ["x", "y"] and counts(log.skipped) == {"without label": 2}


def test_commas_in_a_file_named_tsv(write):
    examples, _ = read(table, write("a.tsv", 'text,label\n"a, b",x\nc,y\n'))
    assert [x.text for x in examples] == ["a, b", "c"]


def test_a_column_of_several_splits_is_refused(write):
    rows = "text,label,split\na,x,train\nb,y,{}\n"
    with pytest.raises(
        UserError, match="a.csv:3: column 'split' says.*'train' and 'test': write a"
    ):
        read(table, write("a.csv", rows.format("test")))
    examples, _ = read(table, write("a.csv", rows.format("train")))
    assert [x.label for x in examples] == ["x", "y"]


def test_json_with_another_suffix_is_described(write):
    with pytest.raises(UserError, match="JSON in a file with another suffix; rename it"):
        recognise(write("a.txt", '{"text": "a", "label": "b"}\n'))
