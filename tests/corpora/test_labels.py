"""Table cells with several labels: detected, read, and not mistaken for single labels."""

import json

import pyarrow
import pyarrow.parquet
import pytest
import srsly
from spacy.vocab import Vocab

from scripts.common.errors import UserError
from scripts.corpora.docbins import read_annotated
from scripts.corpora.options import Plan
from scripts.corpora.readers import table
from scripts.corpora.readers.labels import detect_joined_labels

from .reading import convert, counts, docs, json_lines, read

EMOTIONS = ["joie", "surprise, joie", "colère", "surprise,colère", "joie , surprise", "peur", ""]


def table_of(cells: list[str]) -> str:
    return json_lines([(f"texte {n}", cell) for n, cell in enumerate(cells)], "text", "label")


@pytest.mark.parametrize("separator", [",", ";", "|", "#"])
@pytest.mark.parametrize("name", ["train.csv", "train.jsonl"])
def test_joined_labels_are_not_read_as_one_label(write, tmp_path, name, separator):
    cells = [cell.replace(",", separator) for cell in EMOTIONS]
    content = table_of(cells)
    if name == "train.csv":
        content = "text,label\n" + "".join(f'texte {n},"{x}"\n' for n, x in enumerate(cells))
    path = write(name, content)
    message = rf"train.*: .* 6 combinations of 4 labels, such as '.*{separator}.*'; .*none"
    with pytest.raises(UserError, match=message.replace("|", r"\|")):
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


def test_joined_numbers_are_named_individually(write, tmp_path):
    path = write("train.tsv", "t0\t1,2\nt1\t0\nt2\t2\nt3\t0,2\nt4\t1\n")
    options = {"columns": "text,label", "label_names": "0=neutre,1=joie,2=peur"}
    with pytest.raises(UserError, match="5 combinations of 3 labels, such as '0,2'"):
        convert("table", path, tmp_path / "out", **options)
    convert("table", path, tmp_path / "out", label_separator=",", **options)
    first = docs(tmp_path / "out" / "train.spacy")[0]
    assert first.cats == {"neutre": 0, "joie": 1, "peur": 1}


def test_splits_are_stratified_by_combination(write, tmp_path):
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
def test_single_labels_may_contain_a_separator(write, cells):
    texts, log = read(table, write("train.jsonl", table_of(cells)))
    assert [text.label for text in texts] == cells


def test_possibly_joined_labels_are_reported(write):
    cells = ["joie", "surprise", "colère", "joie; surprise"]
    path = write("train.jsonl", table_of(cells))
    assert read(table, path)[1].layout == {
        "text": "text",
        "label": "label",
        "perhaps several labels": "'joie; surprise'",
    }
    assert read(table, path, label_separator="none")[1].layout == {"text": "text", "label": "label"}
    assert len(read(table, path, label_separator="")[0]) == 4
    assert detect_joined_labels(["Paris, Texas", "Londres"]) is None


def test_joined_labels_are_reported_before_their_number(write, tmp_path):
    """Over 1000 combinations would also be refused as too many labels."""
    cells = [f"{a},{b}" for a in range(60) for b in range(a)]
    with pytest.raises(UserError, match="1000 combinations of 46 labels, such as '1,0'"):
        convert("table", write("train.jsonl", table_of(cells)), tmp_path / "out")


def test_unnamed_negative_number_means_no_label(write):
    path = write("train.csv", "text,label\na,0\nb,-1\nc,1\nd,-100.0\n")
    texts, log = read(table, path, label_names="0=négatif,1=positif")
    assert [text.label for text in texts] == ["négatif", "positif"]
    assert counts(log.skipped) == {"without label": 2}
    # Without names, or with names for all, negative numbers are labels: a sentiment scale.
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
    """Negative numbers mean no label; columns with missing values may hold floats."""
    labels = pyarrow.array([0.0, -1.0, 1.0, None, -100.0, float("nan")])
    texts, log = read(table, class_labels(tmp_path, labels))
    assert [text.label for text in texts] == ["non", "oui"]
    assert counts(log.skipped) == {"without label": 4}
    names = class_labels(tmp_path, pyarrow.array(["oui", "non"]))
    assert [text.label for text in read(table, names)[0]] == ["oui", "non"]
    removed = class_labels(tmp_path, pyarrow.array(["a", "b"]), "removed")
    assert [text.label for text in read(table, removed)[0]] == ["a", "b"]


@pytest.mark.parametrize("number", [2, 7])
def test_class_without_a_name_is_reported_with_its_row(tmp_path, number):
    path = class_labels(tmp_path, pyarrow.array([0, 1, number]))
    message = rf"train.parquet: row 3: class {number} has no name; .* 0 to 1 \(non, oui\)"
    with pytest.raises(UserError, match=message):
        read(table, path)


@pytest.mark.parametrize(
    "cells, message",
    [
        (["a", "b", "a#b"], "train.spacy has a text with 2 labels, a, b: 'texte 2'; `textcat`"),
        (["a", "b"], None),
    ],
)
def test_textcat_refuses_texts_with_several_labels(write, tmp_path, cells, message):
    path = write("train.jsonl", table_of(cells))
    convert("table", path, tmp_path / "out", label_separator="#")
    (read,) = srsly.read_json(tmp_path / "out" / "report.json")["read"].values()
    assert read["options"] == {"label_separator": "#"}
    train = tmp_path / "out" / "train.spacy"
    if message is None:
        list(read_annotated(train, {"textcat"}, Vocab()))
    else:
        with pytest.raises(UserError, match=message):
            list(read_annotated(train, {"textcat"}, Vocab()))
