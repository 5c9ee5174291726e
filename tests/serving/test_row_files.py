"""Annotated rows: what is added, bad texts, names that are taken, files read back by other libraries."""

import csv
import json
from itertools import islice

import datasets
import pandas
import pyarrow
import pyarrow.parquet
import pytest
import spacy
from spacy.language import Language
from transformers import AutoModelForTokenClassification, AutoTokenizer

from scripts.common.errors import UserError
from scripts.serving import annotated as annotating
from scripts.serving.annotated import Annotated, annotated, fields
from scripts.serving.pipeline import load, task_labels
from scripts.serving.row_files import write_rows
from scripts.serving.rows import BadRow, Row, Rows

from ..small import small_pipeline

TEXTS = [
    "Marie Dupont vit à Paris  depuis 2010.",
    "🎉🎉 Jean Martin et\nla ville de Lyon !",
    "La France et l'Allemagne, selon Pierre.",
    "Ce film est excellent et très bon.",
]


@pytest.fixture(scope="module")
def both(made) -> Language:
    return load(str(made / "both"))


@Language.component("breaks")
def breaks(doc):
    if "casse" in doc.text:
        raise RuntimeError("cannot read\nthis")
    return doc


@pytest.fixture
def broken(made) -> Language:
    """A pipeline that fails on some texts, and does not read long ones."""
    nlp = load(str(made / "ner"))
    nlp.add_pipe("breaks")
    nlp.max_length = 200
    return nlp


@pytest.fixture
def write(tmp_path):
    """Write rows of columns to a file of a kind; return its path."""

    def write(suffix: str, **columns):
        path = tmp_path / f"in{suffix}"
        rows = [dict(zip(columns, values)) for values in zip(*columns.values())]
        if suffix == ".parquet":
            pyarrow.parquet.write_table(pyarrow.table(columns), path)
        elif suffix in (".csv", ".tsv"):
            pandas.DataFrame(columns).to_csv(path, sep=",\t"[suffix == ".tsv"], index=False)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf8")
        return path

    return write


@pytest.fixture
def annotate(tmp_path):
    """Annotate a file; return that with the annotation."""

    def annotate(nlp, path):
        rows, tasks = Rows(path), task_labels(nlp)
        output = tmp_path / f"out{rows.suffix}"
        write_rows(rows, tasks, annotated(nlp, rows, tasks), output)
        return output

    return annotate


def wanted(nlp, texts=TEXTS) -> list[tuple]:
    """Return the entities and the classes that a pipeline predicts of each text."""
    return [
        ([(e.start_char, e.end_char, e.label_, e.text) for e in doc.ents], doc.cats)
        for doc in nlp.pipe(texts)
    ]


def found(rows) -> list[tuple]:
    """Return the entities and the classes in rows."""
    keys = ("start", "end", "label", "text")
    return [([tuple(e[k] for k in keys) for e in row["entities"]], row["cats"]) for row in rows]


def rows_at(n: int, texts) -> list[Row]:
    return [Row(i, f"x:{i}", text, {"text": text}) for i, text in enumerate(texts, n)]


def test_what_is_added(both):
    tasks = task_labels(both)
    items = list(annotated(both, rows_at(1, TEXTS), tasks))
    assert found(item.values for item in items) == wanted(both)
    assert sum(len(item.values["entities"]) for item in items) > 2
    for item in items:
        cats = item.values["cats"]
        assert item.values["score"] == max(cats.values()) == cats[item.values["label"]]
        assert list(item.values) == list(fields(tasks)) == ["entities", "cats", "label", "score"]
        assert all("confidence" not in entity for entity in item.values["entities"])


def test_several_labels_a_text(sample_corpora):
    nlp = small_pipeline(sample_corpora, "textcat_multilabel", epochs=1)
    probabilities = sorted(p for doc in nlp.pipe(TEXTS) for p in doc.cats.values())
    nlp.get_pipe("textcat_multilabel").cfg["threshold"] = probabilities[3]
    tasks = task_labels(nlp)
    items = list(annotated(nlp, rows_at(1, TEXTS), tasks))
    assert list(items[0].values) == list(fields(tasks)) == ["cats", "labels"]
    for item in items:
        cats = item.values["cats"]
        assert item.values["labels"] == [x for x, p in cats.items() if p >= probabilities[3]]
    assert sum(len(item.values["labels"]) for item in items) == len(probabilities) - 3


def test_confidences_where_they_are_stated(heads):
    nlp = spacy.blank("fr")
    checkpoint = heads / "distilbert"
    nlp.add_pipe("hf_token_ner", name="ner").wrap(
        AutoTokenizer.from_pretrained(checkpoint),
        AutoModelForTokenClassification.from_pretrained(checkpoint),
    )
    items = list(annotated(nlp, rows_at(1, TEXTS), task_labels(nlp)))
    stated = [e["confidence"] for item in items for e in item.values["entities"]]
    assert stated and all(type(value) is float and 0 < value <= 1 for value in stated)


def test_texts_on_which_the_pipeline_fails(broken):
    tasks = task_labels(broken)
    texts = TEXTS * 20
    texts[7], texts[30], texts[31] = "cela casse", "Paris " * 60, "et casse encore"
    items = list(annotated(broken, rows_at(1, texts), tasks))
    bad = {item.number: item for item in items if isinstance(item, BadRow)}
    assert sorted(bad) == [8, 31, 32] and len(items) == len(texts)
    assert bad[8].reason == "the pipeline failed (RuntimeError: cannot read)"
    assert bad[31].reason == "360 characters, over the pipeline's limit of 200"
    assert str(bad[32]).startswith("x:32: the pipeline failed")
    good = [item for item in items if isinstance(item, Annotated)]
    clean = list(annotated(broken, rows_at(1, [item.row.text for item in good]), tasks))
    assert [item.values for item in good] == [item.values for item in clean]


def test_a_file_of_bad_texts_and_a_broken_pipeline(broken):
    tasks = task_labels(broken)
    items = list(annotated(broken, rows_at(1, ["casse", "casse !"]), tasks))
    assert [item.number for item in items] == [1, 2] and {type(item) for item in items} == {BadRow}
    broken.remove_pipe("breaks")
    Language.component("always", func=lambda doc: 1 / 0)
    broken.add_pipe("always")
    with pytest.raises(ZeroDivisionError):
        list(annotated(broken, rows_at(1, TEXTS), tasks))


def test_nothing_of_a_text_stays_in_the_pipeline(both, monkeypatch):
    """Each chunk has a memory zone of its own, and none is open between two rows."""
    monkeypatch.setattr(annotating, "CHUNK_CHARACTERS", 100)
    texts = (f"Le mot{n} de Jean Nom{n} à Ville{n}." for n in range(60))
    items = annotated(both, iter(rows_at(1, texts)), task_labels(both))
    list(islice(items, 20))
    before = len(both.vocab.strings), len(both.vocab)
    for _ in items:
        assert both("Un texte entre deux.").text
    items.close()
    assert "mot59" not in both.vocab.strings and "Ville59" not in both.vocab.strings
    assert (len(both.vocab.strings), len(both.vocab)) <= (before[0] + 8, before[1] + 8)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_files_read_back(both, write, annotate, suffix):
    identifiers = ["007", "", 'é;\t"x"', "=SUM(A1)"]
    output = annotate(both, write(suffix, id=identifiers, text=TEXTS))
    if suffix in (".csv", ".tsv"):
        frame = pandas.read_csv(
            output, sep=",\t"[suffix == ".tsv"], dtype={"id": str}, keep_default_na=False
        )
        for column in ("entities", "cats"):
            frame[column] = frame[column].map(json.loads)
        rows = frame.to_dict("records")
        path = str(output)
        others = datasets.load_dataset("csv", data_files=path, delimiter=",\t"[suffix == ".tsv"])
        assert others["train"]["label"][:] == [row["label"] for row in rows]
    else:
        kind = "json" if suffix == ".jsonl" else "parquet"
        rows = datasets.load_dataset(kind, data_files=str(output))["train"].to_list()
        read = pandas.read_parquet if kind == "parquet" else pandas.read_json
        options = {} if kind == "parquet" else {"lines": True, "dtype": {"id": str}}
        frame = read(output, **options)
        assert frame["id"].tolist() == identifiers and frame["label"].tolist() == [
            row["label"] for row in rows
        ]
    assert found(rows) == [(entities, pytest.approx(cats)) for entities, cats in wanted(both)]
    assert [(row["id"], row["text"]) for row in rows] == list(zip(identifiers, TEXTS))
    assert list(rows[0]) == ["id", "text", "entities", "cats", "label", "score", "error"]
    assert {row["error"] for row in rows} == {""}


def test_plain_text_comes_back_as_json_lines(both, tmp_path, annotate):
    path = tmp_path / "in.txt"
    path.write_bytes("\r\n\r\n".join(TEXTS).encode())
    rows = [json.loads(line) for line in annotate(both, path).read_text("utf8").splitlines()]
    lines = "\n".join(TEXTS).split("\n")
    assert [row["text"] for row in rows] == lines and found(rows) == wanted(both, lines)


def test_csv_keeps_its_delimiter_and_its_mark(both, tmp_path, annotate):
    path = tmp_path / "in.csv"
    path.write_bytes('sep=;\r\nTexte;n\r\n"Vu à\r\nParis";1\r\n'.encode("utf-8-sig"))
    with annotate(both, path).open("rb") as stream:
        content = stream.read().decode()
    assert content.startswith(
        '\ufeffTexte;n;entities;cats;label;score;error\r\n"Vu à\r\nParis";1;"['
    )


def test_bad_rows_keep_their_place_and_columns(both, tmp_path, write, annotate):
    path = write(".parquet", n=[1, 2, 3], text=["Paris", None, "Lyon"])
    rows = pyarrow.parquet.read_table(annotate(both, path)).to_pylist()
    assert [row["n"] for row in rows] == [1, 2, 3] and rows[1]["entities"] is None
    assert [row["error"] for row in rows] == ["", f"{path}: row 2: no text in column 'text'", ""]
    path = tmp_path / "in.csv"
    path.write_text("n,text\n1,Paris\n2,a,b\n3,Lyon\n")
    with annotate(both, path).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["n"] for row in rows] == ["1", "", "3"] and rows[1]["entities"] == ""
    assert rows[1]["error"].startswith(f"{path}:3: expected 2 columns")


def test_parquet_keeps_its_schema(both, tmp_path, annotate):
    types = {
        "text": pyarrow.dictionary(pyarrow.int32(), pyarrow.string()),
        "time": pyarrow.time64("ns"),
        "stamp": pyarrow.timestamp("ns", "Europe/Paris"),
        "map": pyarrow.map_(pyarrow.string(), pyarrow.int8()),
        "decimal": pyarrow.decimal128(5, 2),
        "list": pyarrow.list_(pyarrow.struct({"a": pyarrow.float32()})),
        "binary": pyarrow.large_binary(),
    }
    row = {"text": "Paris", "time": 1, "stamp": 3, "map": [("a", 1)], "decimal": 1, "binary": b"\xff",
           "list": [{"a": 0.1}, None]}  # fmt: skip
    schema = pyarrow.schema(types, {"note": "kept"})
    rows = [row | {"text": str(n), "time": n} for n in range(1500)] + [{"text": "a"}]
    table = pyarrow.Table.from_pylist(rows, schema)
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet", row_group_size=700)
    got = pyarrow.parquet.read_table(annotate(both, tmp_path / "in.parquet"))
    assert got.select(list(types)).equals(table) and got.schema.metadata[b"note"] == b"kept"
    for field, kind in fields(task_labels(both)).items():
        assert got.schema.field(field).type == kind


def test_what_pandas_and_datasets_note_in_parquet(both, tmp_path, annotate):
    path = tmp_path / "in.parquet"
    frame = pandas.DataFrame({"text": TEXTS}, index=pandas.Index(list("abcd"), name="key"))
    frame.to_parquet(path)
    got = pandas.read_parquet(annotate(both, path))
    assert got.index.equals(frame.index) and len(got["entities"]["b"]) == len(wanted(both)[1][0])
    features = datasets.Features(
        {"text": datasets.Value("string"), "stars": datasets.ClassLabel(names=["bad", "good"])}
    )
    data = datasets.Dataset.from_dict({"text": TEXTS, "stars": [0, 1, 1, 0]}, features)
    data.to_parquet(path)
    again = datasets.Dataset.from_parquet(str(annotate(both, path)))
    assert again.features["stars"] == features["stars"] and again["stars"][:] == [0, 1, 1, 0]
    assert again["label"][:] == [max(cats, key=cats.get) for _, cats in wanted(both)]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_columns_that_are_there_keep_their_names(both, write, annotate, suffix):
    gold = ["a", "b", "c", "d"]
    path = write(suffix, text=TEXTS, label=gold, Score=["1"] * 4)
    columns = ["text", "label", "Score", "entities", "cats", "predicted_label", "predicted_score", "error"]  # fmt: skip
    rows = Rows(annotate(both, path))
    assert rows.names == columns and [row.columns["label"] for row in rows] == gold
    full = write(suffix, text=TEXTS, label=gold, predicted_label=gold)
    with pytest.raises(UserError, match="has columns 'label' and 'predicted_label'"):
        annotate(both, full)


def test_a_name_that_only_a_late_row_has(both, tmp_path, annotate):
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "a"}\n' * 2000 + '{"text": "b", "label": "gold"}\n')
    *_, last = map(json.loads, annotate(both, path).read_text("utf8").splitlines())
    assert last["label"] == "gold" and last["predicted_label"] in last["cats"]
