"""`annotate`: every kind of file, the same columns in all parts, ids, and rows that cannot be annotated."""

import json
from datetime import date

import datasets
import pandas
import pyarrow.parquet
import pytest
import spacy
import srsly
from spacy.tokens import DocBin

from scripts.corpora.options import Options
from scripts.scale import inputs, local
from scripts.scale.inputs import find_inputs, surveyed
from scripts.serving.predictions import CONFIDENCE

from .reading import annotated, entities_of, errors, parts, predicted, table


def test_every_kind_of_file(run, kinds, texts, nlp, tmp_path):
    result = run(kinds, "--part-rows", 15)
    assert result.code == 0, result.err
    rows = table(tmp_path / "out")
    # Of the files by their names: lines, array, rows, tab, table, z.
    order = [*range(20), *range(60, 80), *range(40, 60), 100, *range(20, 40), *range(80, 100)]
    assert [row["text"] for row in rows] == [texts[n] for n in order]
    assert annotated(rows) == predicted(nlp, [texts[n] for n in order])
    assert list(rows[0]) == [
        "id", "text", "m", "n", "tags", "mark", "day", "entities", "cats", "label", "score"
    ]  # fmt: skip
    by_id = {row["id"]: row for row in rows}
    assert len(by_id) == len(rows) == 101
    assert by_id["a/lines.txt:3"]["text"] == texts[1]
    assert by_id["array.json.xz:2"]["m"] is True
    assert by_id["rows.jsonl.bz2:2"]["n"] == 1.0 and by_id["rows.jsonl.bz2:2"]["tags"] == '[1, "x"]'
    assert by_id["table.csv.gz:3"]["mark"] == "1" and by_id["table.csv.gz:3"]["day"] is None
    assert by_id["z.parquet:9"]["day"] == date(2020, 1, 1)
    listed = {(each["file"], each["line"]): each["reason"] for each in errors(tmp_path / "out")}
    assert listed.keys() == {
        ("latin.txt", None), ("empty.csv", None), ("rows.jsonl.bz2", 21), ("rows.jsonl.bz2", 22),
        ("table.csv.gz", 22), ("z.parquet", 21),
    }  # fmt: skip
    assert "not valid UTF-8" in listed["latin.txt", None]
    assert listed["z.parquet", 21] == "no text in column 'text'"
    manifest = srsly.read_json(tmp_path / "out" / "_manifest.json")
    assert manifest["counts"] == {
        "rows": 105, "annotated": 101, "bad_rows": 4, "bad_files": 2, "parts": 7
    }  # fmt: skip
    assert manifest["input"]["files"] == 8 and manifest["pipeline"]["labels"]["textcat"]
    assert "left out, of other kinds: 1" in result.err and "page.pdf" in result.err
    assert "4 rows could not be annotated" in result.err
    assert not (tmp_path / "out" / "_unfinished").exists()


def test_read_by_other_libraries(run, texts, tmp_path):
    (tmp_path / "in.txt").write_text("\n".join(texts[:30]), "utf8")
    run(tmp_path / "in.txt", "--part-rows", 20)
    assert list(pandas.read_parquet(tmp_path / "out").text) == texts[:30]
    found = datasets.load_dataset(
        "parquet", data_files=f"{tmp_path}/out/*.parquet", cache_dir=tmp_path / "cache"
    )
    assert found["train"]["text"][:] == texts[:30]


def test_json_lines_keep_values_as_they_were(run, kinds, texts, nlp, tmp_path):
    assert run(kinds, "--format", "jsonl").code == 0
    rows = [row for path in parts(tmp_path / "out") for row in srsly.read_jsonl(path)]
    by_id = {row["id"]: row for row in rows}
    assert len(by_id) == 101 and by_id["rows.jsonl.bz2:2"]["tags"] == [1, "x"]
    assert by_id["z.parquet:9"]["day"] == "2020-01-01"
    assert annotated([by_id["rows.jsonl.bz2:2"]]) == predicted(nlp, [texts[41]])


def test_docbin(run, texts, nlp, tmp_path):
    rows = [{"text": text, "n": n} for n, text in enumerate(texts[:8])] + [{"text": " "}]
    srsly.write_jsonl(tmp_path / "in.jsonl", rows)
    assert run(tmp_path / "in.jsonl", "--format", "docbin").code == 0
    (part,) = parts(tmp_path / "out")
    docs = list(DocBin().from_disk(part).get_docs(spacy.blank("fr").vocab))
    assert [doc.user_data["columns"] for doc in docs] == rows[:8]
    assert [doc.user_data["id"] for doc in docs] == [f"in.jsonl:{n}" for n in range(1, 9)]
    assert CONFIDENCE not in docs[0].user_data
    found = [(entities_of(doc), doc.cats) for doc in docs]
    assert found == predicted(nlp, texts[:8])


def test_texts_of_whole_files(run, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "ab":
        (folder / f"{name}.txt").write_text(f"Une ligne de {name}.\nUne autre.\n", "utf8")
    assert run(folder, "--whole").code == 0
    rows = table(tmp_path / "out")
    assert [(row["id"], row["text"]) for row in rows] == [
        (f"{name}.txt:1", f"Une ligne de {name}.\nUne autre.\n") for name in "ab"
    ]


def test_columns_with_names_of_ours(run, texts, tmp_path):
    rows = [{"id": 5, "text": texts[0], "label": "mine"}]
    srsly.write_jsonl(tmp_path / "in.jsonl", rows)
    run(tmp_path / "in.jsonl")
    (row,) = table(tmp_path / "out")
    assert (row["row_id"], row["id"], row["label"]) == ("in.jsonl:1", 5, "mine")
    assert row["predicted_label"] in ("negative", "positive")


def test_one_file_of_many_gets_its_path(run, texts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("x/a.txt", "x/y/b.txt", "x/y/c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(texts[0], "utf8")
    assert run("x/**/*.txt").code == 0
    assert [row["id"] for row in table(tmp_path / "out")] == ["a.txt:1", "y/b.txt:1", "y/c.txt:1"]


def test_columns_without_a_type_in_common(run, texts, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    srsly.write_jsonl(folder / "a.jsonl", [{"text": texts[0], "x": 2**60, "y": 1, "z": None}])
    srsly.write_jsonl(folder / "b.jsonl", [{"text": texts[1], "x": "une", "y": 1.5, "z": None}])
    assert run(folder).code == 0
    found = [(row["x"], row["y"], row["z"]) for row in table(tmp_path / "out")]
    assert found == [(str(2**60), 1.0, None), ("une", 1.5, None)]
    pyarrow.parquet.write_table(
        pyarrow.table({"text": texts[:1], "x": [b"bytes"]}), folder / "c.parquet"
    )
    result = run(folder, output=tmp_path / "other")
    assert "c.parquet: column 'x' holds binary, but string in files before it" in result.line


def test_numbers_that_the_type_cannot_hold(run, texts, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    srsly.write_jsonl(folder / "a.jsonl", [{"text": texts[0], "x": 2**60 + 1}])
    srsly.write_jsonl(folder / "b.jsonl", [{"text": texts[0], "x": 0.5}])
    assert "a.jsonl:1: column 'x' of the output holds double" in run(folder).line
    assert not parts(tmp_path / "out")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["nowhere"], "nowhere: no such file or folder"),
        (["{}/*.md"], "no such file or folder"),
        (["{}/others"], "no file of a known kind"),
        (["{}/in", "--strict"], "b.csv: no rows in it"),
        (["{}/b.csv"], "b.csv: no rows in it"),
        (["{}/in/a.jsonl", "--strict"], "a.jsonl:2: no text in column 'text'; correct it"),
        (["{}/in/a.jsonl", "--precision", "float8"], "--precision 'float8'"),
        (["{}/in/a.jsonl", "--text-column", "body"], "body"),
    ],
)
def test_refused(run, texts, tmp_path, arguments, message):
    (tmp_path / "in").mkdir()
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "x.pdf").touch()
    srsly.write_jsonl(tmp_path / "in" / "a.jsonl", [{"text": texts[0]}, {"text": ""}])
    (tmp_path / "in" / "b.csv").touch()
    (tmp_path / "b.csv").touch()
    result = run(*(argument.format(tmp_path) for argument in arguments))
    assert result.code == 1 and message in result.line
    assert not parts(tmp_path / "out")


def test_output_in_the_input_is_refused(run, tmp_path):
    (tmp_path / "a.txt").write_text("Une phrase.")
    assert "would be read as input" in run(tmp_path).line


def test_two_processes_write_what_one_does(run, kinds, tmp_path):
    run(kinds, "--part-rows", 15)
    assert run(kinds, "--part-rows", 15, "--processes", 2, output=tmp_path / "two").code == 0
    assert table(tmp_path / "two") == table(tmp_path / "out")
    assert errors(tmp_path / "two") == errors(tmp_path / "out")


def test_processes_are_chosen_by_measuring(run, kinds, tmp_path, monkeypatch):
    assert "processes of one thread" not in run(kinds, "--part-rows", 15).out
    monkeypatch.setattr(local, "WORTHWHILE", 0)
    monkeypatch.setattr(local, "core_count", lambda: 2)
    result = run(kinds, "--part-rows", 15, output=tmp_path / "two")
    assert "2 processes of one thread annotate" in result.out
    assert table(tmp_path / "two") == table(tmp_path / "out")


def test_much_input_is_read_through_by_processes(kinds, tmp_path, monkeypatch):
    found = find_inputs([str(kinds)], tmp_path / "out")
    alone = list(surveyed(found, Options(), False))
    monkeypatch.setattr(inputs, "WORTHWHILE", 0)
    monkeypatch.setattr(inputs, "core_count", lambda: 2)
    assert list(surveyed(found, Options(), False)) == alone


def test_long_texts_and_those_that_a_pipeline_refuses(run, texts, tmp_path):
    lines = [texts[0], "mot " * 300_000, texts[1]]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": x}) + "\n" for x in lines))
    assert run(tmp_path / "in.jsonl").code == 0
    assert [row["text"] for row in table(tmp_path / "out")] == texts[:2]
    (bad,) = errors(tmp_path / "out")
    assert bad["line"] == 2 and "1,200,000 characters, over the pipeline's limit" in bad["reason"]
