"""Texts with any number of labels: lists, objects, columns of 0 and 1; and corpora that have one each."""

import pytest

from scripts.common.errors import UserError
from scripts.corpora.conversion import look
from scripts.corpora.examples import labelled
from scripts.corpora.options import Options, Plan
from scripts.corpora.readers import AUTO, recognise, table

from .reading import convert, counts, docs, read

LISTS = '{"text": "a b", "labels": ["x", "y"]}\n{"text": "c", "labels": []}\n{"text": "d", "labels": ["x"]}\n'


def given(path) -> list[list[str]]:
    return [sorted(label for label, value in doc.cats.items() if value) for doc in docs(path)]


def test_lists_of_labels_and_empty_ones(write, tmp_path):
    report = convert("table", write("a.jsonl", LISTS), tmp_path / "out")
    assert given(tmp_path / "out/train.spacy") == [["x", "y"], [], ["x"]]
    assert report["several labels"] and report["texts with several labels or none"] == 2
    assert report["splits"]["train"]["labels"] == {"x": 2, "y": 1}


def test_a_list_of_one_label_is_that_label_and_an_empty_one_is_left_out(write, tmp_path):
    text = LISTS.replace('["x", "y"]', '["y"]')
    report = convert("table", write("a.jsonl", text), tmp_path / "out")
    assert given(tmp_path / "out/train.spacy") == [["y"], ["x"]]
    assert not report["several labels"]
    (read,) = report["read"].values()
    assert {kind: note["count"] for kind, note in read["skipped"].items()} == {"without label": 1}


def test_columns_of_0_and_1(write):
    rows = "id,comment,toxic,insult\n1,bof,1,0\n2,oui,0,0\n3,non,-1,-1\n4,ah,1.0,1\n"
    examples, log = read(table, write("a.csv", rows))
    assert examples == [
        labelled("bof", ["toxic"], 2, several=True),
        labelled("oui", [], 3, several=True),
        labelled("ah", ["toxic", "insult"], 5, several=True),
    ]
    assert counts(log.skipped) == {"without label": 1}
    assert log.layout["a column per label"] == "toxic, insult"
    with pytest.raises(
        UserError, match=r"a.csv:3: '2' in column 'insult', which tells with 0 or 1"
    ):
        read(table, write("a.csv", "text,toxic,insult\na,1,0\nb,0,2\n"))
    named, _ = read(table, write("a.csv", rows), label_column="insult, toxic")
    assert named == examples


def test_objects_of_0_and_1(write):
    rows = (
        '{"text": "a", "cats": {"x": 1, "y": 0.0}}\n{"text": "b", "cats": {"x": true, "y": true}}\n'
    )
    examples, _ = read(table, write("a.jsonl", rows))
    assert [example.labels for example in examples] == [("x",), ("x", "y")]
    with pytest.raises(UserError, match="'0.7' in column 'x'"):
        read(table, write("a.jsonl", rows.replace('"x": 1', '"x": 0.7')))


@pytest.mark.parametrize("cell", ['[""joie"", ""peur""]', "['joie', 'peur']"])
def test_a_list_in_a_cell(write, cell):
    examples, _ = read(table, write("a.csv", f'text,label\na,"{cell}"\nb,"[]"\n'))
    assert [example.labels for example in examples] == [("joie", "peur"), ()]


def test_json_of_an_annotation_tool_in_a_cell_is_refused(write):
    path = write("a.csv", 'text,sentiment\na,"{""choices"": [""x"", ""y""]}"\n')
    with pytest.raises(UserError, match=r"a.csv:2: the label is JSON.*export JSON instead of CSV"):
        read(table, path)


def test_a_plural_column_whose_cells_join_labels_is_refused(write):
    path = write("a.csv", 'text,labels\na,"x,y"\nb,x\nc,z\n')
    with pytest.raises(UserError, match="split them with --label-separator ','"):
        read(table, path)
    examples, _ = read(table, path, label_separator=",")
    assert [example.labels for example in examples] == [("x", "y"), ("x",), ("z",)]


@pytest.mark.parametrize(
    "header, column",
    [
        ("avis,sentiment", "sentiment"), ("content,rating", "rating"), ("review,stars", "stars"),
        ("commentaire,catégorie", "catégorie"), ("phrase,étiquette", "étiquette"),
        ("id,body,class", "class"),
    ],
)  # fmt: skip
def test_known_names_of_columns(write, header, column):
    fields = ["Bonjour."] * (header.count(",") + 1)
    fields[header.split(",").index(column)] = "5"
    (example,), _ = read(table, write("a.csv", f"{header}\n{','.join(fields)}\n"))
    assert example.text == "Bonjour." and example.label == "5"


def test_columns_that_may_all_be_meant_are_not_chosen_from(write):
    path = write("a.csv", "text,rating,sentiment\na,5,pos\n")
    with pytest.raises(UserError, match="'sentiment', 'rating' may all be meant; choose one"):
        read(table, path)


@pytest.mark.parametrize("pair", ["sentence1,sentence2", "premise,hypothesis", "text_a,text_b"])
def test_two_texts_and_a_label_are_refused(write, pair):
    path = write("a.csv", f"{pair},label\nun,deux,1\n")
    with pytest.raises(UserError, match=f"two texts in a row.*--text-column {pair.split(',')[0]}"):
        read(table, path)
    assert recognise(path) == "table"
    (example,), _ = read(table, path, text_column=pair.split(",")[1])
    assert example.text == "deux"


def test_words_in_rows_are_not_led_into_text_classification(write):
    with pytest.raises(UserError, match="a row seems to be a word and its tag.*`convert gmb`"):
        read(table, write("a.csv", "Sentence #,Word,POS,Tag\nSentence: 1,Rome,NNP,B-geo\n"))


def test_a_test_split_with_several_labels_is_refused_beside_a_train_split_with_one(write, tmp_path):
    convert("table", write("a.csv", "text,label\na,x\nb,y\n"), tmp_path / "out")
    several = write("b.jsonl", '{"text": "c", "labels": ["x", "y"]}\n')
    with pytest.raises(
        UserError, match="have one label each, but this file has texts with several"
    ):
        convert("table", several, tmp_path / "out", Plan(split="test"))
    convert("table", write("a.jsonl", LISTS), tmp_path / "several")
    one = write("c.jsonl", '{"text": "e", "labels": ["y"]}\n{"text": "f", "labels": []}\n')
    convert("table", one, tmp_path / "several", Plan(split="test"))
    assert given(tmp_path / "several/test.spacy") == [["y"], []]


def test_what_a_corpus_holds_is_told_before_anything_is_written(write, tmp_path):
    found = look(AUTO, write("a.jsonl", LISTS), "fr", Plan(), Options())
    assert (found.format, found.task, dict(found.examples)) == (
        "table", "textcat_multilabel", {"train": 3},
    )  # fmt: skip
    assert dict(found.labels) == {"x": 2, "y": 1} and found.texts == ["a b", "c", "d"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl"]


def test_columns_that_number_or_count_are_no_labels(write):
    rows = "a,1,1,0,1\nb,0,2,1,0\nc,1,3,0,0\nd,0,40,1,1\ne,1,5,0,0\n"
    examples, log = read(table, write("a.csv", f"text,rater_id,votes,joie,colère\n{rows}"))
    assert log.layout["a column per label"] == "joie, colère"
    assert [x.all_labels for x in examples] == [("colère",), ("joie",), (), ("colère", "joie"), ()]


def test_a_column_of_labels_beside_columns_of_yes_and_no_is_refused(write):
    path = write("a.csv", "text,sentiment,verified,retweet\na,pos,0,1\nb,neg,1,1\n")
    with pytest.raises(UserError, match="may be in column 'sentiment', or in verified, retweet"):
        read(table, path)
    assert [x.label for x in read(table, path, label_column="sentiment")[0]] == ["pos", "neg"]


def test_only_the_label_column_tells_lists_of_labels_from_entities(write):
    rows = '{"text": "a", "entities": [], "tags": ["x"]}\n{"text": "à Lyon", "entities": [[2, 6, "LOC"]]}\n'
    examples, _ = read(table, write("a.jsonl", rows))
    assert [example.spans for example in examples] == [[], [(2, 6, "LOC")]]
