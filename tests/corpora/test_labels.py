"""Several labels in the cells of a table: told, read, and not seen where there are none."""

import json

import pyarrow
import pyarrow.parquet
import pytest
import srsly
from spacy.vocab import Vocab

from scripts.common.errors import UserError
from scripts.corpora import table
from scripts.corpora.docbins import read_annotated
from scripts.corpora.labels import joined
from scripts.corpora.options import Plan

from .reading import convert, counts, docs, json_lines, read

EMOTIONS = ["joie", "surprise, joie", "colère", "surprise,colère", "joie , surprise", "peur", ""]


def table_of(cells: list[str]) -> str:
    return json_lines([(f"texte {n}", cell) for n, cell in enumerate(cells)], "text", "label")


@pytest.mark.parametrize("separator", [",", ";", "|", "#"])
@pytest.mark.parametrize("name", ["train.csv", "train.jsonl"])
def test_combinations_are_no_labels(write, tmp_path, name, separator):
    cells = [cell.replace(",", separator) for cell in EMOTIONS]
    content = table_of(cells)
    if name == "train.csv":
        content = "text,label\n" + "".join(f'texte {n},"{x}"\n' for n, x in enumerate(cells))
    path = write(name, content)
    told = rf"train.*: 4 labels in 6 combinations, such as '.*{separator}.*'; .*none"
    with pytest.raises(UserError, match=told.replace("|", r"\|")):
        convert("table", path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    report = convert("table", path, tmp_path / "out", label_separator=separator)
    got = [
        {label for label, value in doc.cats.items() if value == 1}
        for doc in docs(tmp_path / "out" / "train.spacy")
    ]
    assert got == [{x.strip() for x in cell.split(separator)} for cell in cells if cell]
    assert report["splits"]["train"]["labels"] == {"colère": 2, "joie": 3, "peur": 1, "surprise": 3}
    (file,) = report["read"].values()
    assert file["skipped"]["without label"]["count"] == 1
    one = convert("table", path, tmp_path / "one", label_separator="none")
    assert one["splits"]["train"]["labels"] == {cell: 1 for cell in sorted(cells) if cell}


def test_numbers_get_their_names_one_by_one(write, tmp_path):
    path = write("train.tsv", "t0\t1,2\nt1\t0\nt2\t2\nt3\t0,2\nt4\t1\n")
    options = {"columns": "text,label", "label_names": "0=neutre,1=joie,2=peur"}
    with pytest.raises(UserError, match="3 labels in 5 combinations, such as '0,2'"):
        convert("table", path, tmp_path / "out", **options)
    convert("table", path, tmp_path / "out", label_separator=",", **options)
    first = docs(tmp_path / "out" / "train.spacy")[0]
    assert first.cats == {"neutre": 0, "joie": 1, "peur": 1}


def test_carving_keeps_the_combinations_in_proportion(write, tmp_path):
    path = write("corpus.jsonl", table_of(["a", "a|b", "b|a", "c", "b"] * 20))
    plan = Plan(dev_ratio=0.2, seed=3)
    report = convert("table", path, tmp_path / "out", plan, label_separator="|")
    assert report["splits"]["dev"]["labels"] == {"a": 12, "b": 12, "c": 4}
    assert report["splits"]["train"]["labels"] == {"a": 48, "b": 48, "c": 16}


@pytest.mark.parametrize(
    "cells",
    [
        ["Paris, Texas", "Paris, France", "Londres", "Paris"],
        ["joie", "surprise", "colère", "joie; surprise"],
        ["Sport, Football", "Sport, Tennis", "Monde, Asie", "Monde, Europe"],
        ["New York, NY", "Buffalo, NY", "Albany, NY", "Boston, MA"],
        ["C#", "F#", "C", "F"],
        ["a,", ",a", "a"],
        ["Arts, Lettres", "Sciences"],
    ],
)
def test_ordinary_labels_may_hold_a_separator(write, cells):
    texts, log = read(table, write("train.jsonl", table_of(cells)))
    assert [text.label for text in texts] == cells


def test_what_may_be_several_labels_is_noted(write):
    cells = ["joie", "surprise", "colère", "joie; surprise"]
    path = write("train.jsonl", table_of(cells))
    assert read(table, path)[1].layout == {"perhaps several labels": "'joie; surprise'"}
    assert read(table, path, label_separator="none")[1].layout == {}
    assert len(read(table, path, label_separator="")[0]) == 4
    assert joined(["Paris, Texas", "Londres"]) is None


def test_more_combinations_than_labels_may_be(write, tmp_path):
    """Told by what they are, before their number is."""
    cells = [f"{a},{b}" for a in range(60) for b in range(a)]
    with pytest.raises(UserError, match="labels in 1000 combinations, such as '1,0'"):
        convert("table", write("train.jsonl", table_of(cells)), tmp_path / "out")


def test_a_number_below_those_that_have_names_is_no_label(write):
    path = write("train.csv", "text,label\na,0\nb,-1\nc,1\nd,-100.0\n")
    texts, log = read(table, path, label_names="0=négatif,1=positif")
    assert [text.label for text in texts] == ["négatif", "positif"]
    assert counts(log.skipped) == {"without label": 2}
    # A scale of sentiments, or names for all.
    assert [t.label for t in read(table, path)[0]] == ["0", "-1", "1", "-100"]
    named, _ = read(table, path, label_names="-1=négatif,0=neutre,1=positif")
    assert [text.label for text in named] == ["neutre", "négatif", "positif"]


def class_labels(folder, labels: pyarrow.Array, name: str = "label"):
    rows = pyarrow.table({"text": [f"texte {n}" for n in range(len(labels))], "label": labels})
    features = {name: {"names": ["non", "oui"], "_type": "ClassLabel"}}
    info = json.dumps({"info": {"features": features}})
    path = folder / "train.parquet"
    pyarrow.parquet.write_table(rows.replace_schema_metadata({"huggingface": info}), path)
    return path


def test_class_labels_of_parquet(tmp_path):
    """Negative: no label. Beside missing ones they may be written as floats."""
    labels = pyarrow.array([0.0, -1.0, 1.0, None, -100.0, float("nan")])
    texts, log = read(table, class_labels(tmp_path, labels))
    assert [text.label for text in texts] == ["non", "oui"]
    assert counts(log.skipped) == {"without label": 4}
    names = class_labels(tmp_path, pyarrow.array(["oui", "non"]))
    assert [text.label for text in read(table, names)[0]] == ["oui", "non"]
    gone = class_labels(tmp_path, pyarrow.array(["a", "b"]), "removed")
    assert [text.label for text in read(table, gone)[0]] == ["a", "b"]


@pytest.mark.parametrize("number", [2, 7])
def test_a_class_without_a_name_is_told_with_its_row(tmp_path, number):
    path = class_labels(tmp_path, pyarrow.array([0, 1, number]))
    told = rf"train.parquet: row 3: class {number}, and the names are of 0 to 1 \(non, oui\)"
    with pytest.raises(UserError, match=told):
        read(table, path)


@pytest.mark.parametrize(
    "cells, told",
    [
        (["a", "b", "a#b"], "train.spacy has a text with 2 labels, a, b: 'texte 2'; `textcat`"),
        (["a", "b"], None),
    ],
)
def test_a_classifier_of_one_label_a_text_does_not_take_several(write, tmp_path, cells, told):
    path = write("train.jsonl", table_of(cells))
    convert("table", path, tmp_path / "out", label_separator="#")
    (read,) = srsly.read_json(tmp_path / "out" / "report.json")["read"].values()
    assert read["options"] == {"label_separator": "#"}
    train = tmp_path / "out" / "train.spacy"
    if told is None:
        list(read_annotated(train, {"textcat"}, Vocab()))
    else:
        with pytest.raises(UserError, match=told):
            list(read_annotated(train, {"textcat"}, Vocab()))
