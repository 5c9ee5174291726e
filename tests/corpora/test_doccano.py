"""doccano: every spelling of its JSONL and JSON, its CSV, and what is refused."""

import json

import pytest

from scripts.common.errors import UserError
from scripts.corpora.examples import LabelledText, SpannedText
from scripts.corpora.readers import doccano, recognise

from .reading import check_refused, convert, counts, docs, name_of, read

TEXT = "Ada Lovelace est née à Londres."
SPANS = [(0, 12, "PER"), (23, 30, "LOC")]
TRIPLES = [[0, 12, "PER"], [23, 30, "LOC"]]
OBJECTS = [
    {"id": 5 + start, "label": label, "start_offset": start, "end_offset": end}
    for start, end, label in SPANS
]


@pytest.fixture
def parse(write):
    """Read rows as a JSONL export; return the examples and the log."""

    def call(*rows, **options):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        return read(doccano, write("all.jsonl", text), **options)

    return call


def annotations(examples) -> list:
    return [
        example.spans if isinstance(example, SpannedText) else list(example.all_labels)
        for example in examples
    ]


NUMBERED = [{**x, "label": number, "user": 1} for number, x in enumerate(OBJECTS, 1)]
ENTITIES = {
    "1.8": {"text": TEXT, "label": TRIPLES, "Comments": ["vu"]},
    "1.4": {"data": TEXT, "label": TRIPLES},
    "1.0, text labels": {"text": TEXT, "labels": TRIPLES, "meta": {}, "annotation_approver": None},
    "1.0": {"text": TEXT, "annotations": NUMBERED, "meta": {}, "annotation_approver": "admin"},
    "relations": {"text": TEXT, "entities": OBJECTS, "relations": [], "Comments": []},
    "strings": {"text": TEXT, "label": [["0", "12", "PER"], [23.0, 30, "LOC"]], "Comments": []},
}
LABELS = {
    "1.8": {"text": TEXT, "label": ["bon"], "Comments": []},
    "one": {"text": TEXT, "label": "bon", "comments": []},
    "1.4": {"data": TEXT, "label": ["bon"]},
    "1.0, text labels": {"text": TEXT, "labels": ["bon"], "annotation_approver": None},
    "1.0": {"text": TEXT, "annotations": [{"label": 3, "user": 1}], "annotation_approver": None},
    "cats": {"text": TEXT, "cats": ["bon"], "entities": [], "Comments": []},
}
NAMES = "1=PER,2=LOC,3=bon"


@pytest.mark.parametrize("rows, expected", [(ENTITIES, SPANS), (LABELS, ["bon"])])
@pytest.mark.parametrize("shape", ["jsonl", "array"])
def test_all_spellings(write, rows, expected, shape):
    for version, row in rows.items():
        values = [{"id": 1, **row}]
        text = json.dumps(values if shape == "array" else values[0])
        path = write("all.json", text)
        assert recognise(path) == "doccano", version
        names = NAMES if version == "1.0" else None
        examples, log = read(doccano, path, label_names=names)
        assert annotations(examples) == [expected] and examples[0].text == TEXT, version
        assert not log.skipped.counts and not log.repaired.counts, version


@pytest.mark.parametrize("rows", [ENTITIES, LABELS])
def test_labels_that_are_numbers_need_names(parse, rows):
    with pytest.raises(UserError, match=r"jsonl:1: the label \d is a number.*--label-names \d=PER"):
        parse({"id": 1, **rows["1.0"]})


def test_texts_without_annotation_stay(parse):
    nothing = {"text": "Rien.", "label": [], "Comments": []}
    assert annotations(parse(ENTITIES["1.8"], nothing)[0]) == [SPANS, []]
    assert annotations(parse(LABELS["1.8"], nothing)[0]) == [["bon"], []]
    two = {"text": "Deux.", "label": ["bon", "cher"], "Comments": []}
    assert annotations(parse(nothing, two)[0]) == [[], ["bon", "cher"]]


def test_relations_and_entities_without_label_are_counted(parse):
    relation = {"id": 1, "from_id": 5, "to_id": 28, "type": "née à"}
    bare = {**OBJECTS[0], "label": None}
    row = {"id": 1, "text": TEXT, "entities": [bare, OBJECTS[1]], "relations": [relation] * 2}
    examples, log = parse(row)
    assert annotations(examples) == [SPANS[1:]]
    assert counts(log.repaired) == {"entity without label, left out": 1, "relation, not used": 2}


def test_annotation_of_another_user_is_not_mixed_in(parse):
    users = [{**NUMBERED[0], "user": 2}, *NUMBERED]
    examples, log = parse({"id": 1, "text": TEXT, "annotations": users}, label_names=NAMES)
    assert annotations(examples) == [SPANS[:1]]
    assert counts(log.repaired) == {"further annotation of a task, not used": 1}


def test_offsets_in_utf16_units(parse):
    text = "🎂 Ada, Londres"
    examples, log = parse({"id": 1, "text": text, "label": [[3, 6, "PER"], [8, 15, "LOC"]]})
    assert annotations(examples) == [[(2, 5, "PER"), (7, 14, "LOC")]]
    assert counts(log.repaired) == {"offsets in UTF-16 units, converted": 2}


def test_labels_and_entities_in_one_project(parse):
    row = {"id": 1, "text": TEXT, "cats": ["bon"], "entities": TRIPLES}
    with pytest.raises(UserError, match="in each of entities, cats; name one with --label-column"):
        parse(row)
    assert annotations(parse(row, label_column="cats")[0]) == [["bon"]]
    assert annotations(parse(row, label_column="Entities")[0]) == [SPANS]


@pytest.mark.parametrize(
    "rows, message",
    [
        ([{"text": TEXT, "label": [[0, "x", "PER"]]}], "is not an entity; expected"),
        (
            [{"text": TEXT, "label": TRIPLES}, {"text": TEXT, "label": ["bon"]}],
            "jsonl:2: bon is not",
        ),
        ([{"text": TEXT, "label": ["bon"]}, {"text": TEXT, "label": TRIPLES}], "is not a label"),
        ([{"text": TEXT, "annotations": [{"text": "résumé"}]}], "is not a label"),
        ([{"text": TEXT, "label": [[0, 99, "PER"]]}], "entity 0–99 is empty or outside"),
        ([{"text": TEXT, "label": [[0, 3, "A"], [0, 12, "B"]]}], "overlap; fix them, or pass"),
        ([{"corps": TEXT, "label": TRIPLES}], "no text: text or data is not in corps, label; name"),
        ([{"text": TEXT}], "no key label or labels or entities"),
        ([["a"]], "not a JSON object"),
    ],
)
def test_refusals_are_one_line(parse, rows, message):
    with pytest.raises(UserError, match=message) as error:
        parse(*rows)
    assert "\n" not in str(error.value)


def test_csv_joins_labels(write, tmp_path):
    text = (
        "id,text,label,Comments\r\n"
        '1,"a, b",repas,\r\n2,c,accueil#prix,"vu#à revoir"\r\n3,d,,\r\n4,e,prix,\r\n'
    )
    path = write("all.csv", "\ufeff" + text)
    assert recognise(path) == "doccano"
    examples, log = read(doccano, path)
    assert [(x.text, list(x.all_labels)) for x in examples] == [
        ("a, b", ["repas"]),
        ("c", ["accueil", "prix"]),
        ("e", ["prix"]),
    ]
    assert counts(log.skipped) == {"without label": 1}
    report = convert("auto", path, tmp_path / "out", label_separator="none")
    assert report["splits"]["train"]["labels"] == {"accueil#prix": 1, "prix": 1, "repas": 1}
    assert len(docs(tmp_path / "out" / "train.spacy")) == 3


def test_csv_with_a_row_for_each_label(write):
    path = write("all.csv", "id,text,label,user\n1,a,x,1\n1,a,y,1\n2,a,x,1\n")
    examples, _ = read(doccano, path)
    assert [list(x.all_labels) for x in examples] == [["x", "y"], ["x"]]


def test_a_label_with_the_separator_of_the_csv(write):
    path = write("all.csv", "id,text,label,Comments\n1,a,C#,\n2,b,Java,\n")
    with pytest.raises(UserError, match="csv:2: the label 'C#' may hold a # of its own"):
        read(doccano, path)
    examples, _ = read(doccano, path, label_separator="none")
    assert [x.label for x in examples] == ["C#", "Java"]
    assert all(isinstance(x, LabelledText) for x in examples)


def test_others_are_not_recognised(write):
    for name, content in {
        "a.jsonl": '{"id": 1, "text": "a", "label": "b"}\n',
        "b.jsonl": '{"id": 1, "text": "a", "labels": ["b"]}\n',
        "c.csv": "id,text,label\n1,a,b\n",
        "d.json": '[["a", {"entities": [[0, 1, "B"]]}]]',
        "e.jsonl": '{"id": 1, "tokens": ["a"], "ner_tags": [0], "Comments": []}',
    }.items():
        assert name_of(write(name, content)) != "doccano"


@pytest.mark.parametrize(
    "content", ["", b"\x00\xff" * 40, '{"id": 1, "text": "a", "label": [[0,', '{"text": 1}', "[]"]
)
@pytest.mark.parametrize("name", ["all.jsonl", "all.csv"])
def test_hostile_input_is_one_line(write, name, content, tmp_path):
    check_refused("doccano", write(name, content), tmp_path / "out")


def test_csv_with_the_text_under_data(write):
    path = write("all.csv", "\ufeffid,data,label\r\n1,Bien,pos\r\n2,Mal,neg\r\n")
    assert recognise(path) == "doccano"
    assert [x.label for x in read(doccano, path)[0]] == ["pos", "neg"]
