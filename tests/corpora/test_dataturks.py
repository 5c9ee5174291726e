"""Dataturks: inclusive ends, entries of several labels or points, labels of texts."""

import json

import pytest

from scripts.common.errors import UserError
from scripts.corpora.examples import SpannedText
from scripts.corpora.readers import dataturks, recognise

from .reading import check_refused, counts, name_of, read

TEXT = "Ada Lovelace est née à Londres."
DONE = {"status": "done", "sec_taken": 3}


def entry(labels, *points):
    return {
        "label": labels,
        "points": [{"start": a, "end": b, "text": TEXT[a : b + 1]} for a, b in points],
    }


@pytest.fixture
def parse(write):
    """Read annotations of TEXT, or whole lines; return the examples and the log."""

    def call(*values, **options):
        rows = [
            value
            if isinstance(value, dict) and "content" in value
            else {"content": TEXT, "annotation": value, "extras": None, "metadata": DONE}
            for value in values
        ]
        path = write("export.json", "".join(json.dumps(row) + "\n" for row in rows))
        return read(dataturks, path, **options)

    return call


def annotations(examples) -> list:
    return [
        example.spans if isinstance(example, SpannedText) else list(example.all_labels)
        for example in examples
    ]


def test_entities(parse, tmp_path):
    people = entry(["PER"], (0, 11))
    examples, log = parse(
        [people, entry("LOC", (22, 29))], [], None, [entry(["X"], (0, 2), (4, 11))]
    )
    assert annotations(examples) == [
        [(0, 12, "PER"), (23, 30, "LOC")],
        [],
        [],
        [(0, 3, "X"), (4, 12, "X")],
    ]
    assert counts(log.repaired) == {"entity with leading or trailing whitespace, trimmed": 1}
    assert recognise(tmp_path / "export.json") == "dataturks"


def test_entries_without_label_and_with_several(parse):
    examples, log = parse([entry([], (0, 11)), entry(["PER"], (0, 11))])
    assert annotations(examples) == [[(0, 12, "PER")]]
    assert counts(log.repaired) == {"entity without label, left out": 1}
    with pytest.raises(UserError, match="json:1: entities 0–12 and 0–12 overlap"):
        parse([entry(["PER", "MISC"], (0, 11))])
    examples, _ = parse([entry(["PER", "MISC"], (0, 11))], overlaps="longest")
    assert annotations(examples) == [[(0, 12, "PER")]]


def test_what_nobody_annotated_is_left_out(parse):
    examples, log = parse(
        [entry(["PER"], (0, 11))],
        {"content": TEXT, "annotation": None, "metadata": {"status": "notDone"}},
        {"content": TEXT, "annotation": None},
        {"content": None, "annotation": []},
        {"content": " ", "annotation": []},
    )
    assert annotations(examples) == [[(0, 12, "PER")]]
    assert counts(log.skipped) == {
        "task without annotation": 2,
        "text that is not a string": 1,
        "empty text": 1,
    }


def test_labels_of_texts(parse, tmp_path):
    examples, _ = parse(
        {"labels": ["bon"], "note": ""}, {"labels": ["bon", "cher"]}, {"labels": []}
    )
    assert annotations(examples) == [["bon"], ["bon", "cher"], []]
    assert recognise(tmp_path / "export.json") == "dataturks"
    assert annotations(parse({"labels": ["a"]}, label_names="a=b")[0]) == [["b"]]


@pytest.mark.parametrize(
    "value, message",
    [
        (
            [{"label": ["X"], "points": [{"x": 0.1, "y": 0.2}]}],
            "is not an entity; expected a label",
        ),
        ([{"label": ["X"], "points": [[0.1, 0.2]]}], "is not an entity"),
        (["x"], "is not an entity"),
        ([entry(["X"], (0, 99))], "entity 0–100 is empty or outside"),
        ({"labels": [["x"]]}, "is not a label"),
    ],
)
def test_refusals_are_one_line(parse, value, message):
    with pytest.raises(UserError, match=f"json:1: .*{message}") as error:
        parse(value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["", b"\x00\xff" * 40, '{"content": "a", "annot', "[]", "{}"])
def test_hostile_input_is_one_line(write, content, tmp_path):
    check_refused("dataturks", write("export.json", content), tmp_path / "out")


def test_others_are_not_recognised(write):
    for name, content in {
        "a.jsonl": '{"content": "a", "label": "b"}\n',
        "b.jsonl": '{"content": "a", "annotation": "b"}\n',
    }.items():
        assert name_of(write(name, content)) != "dataturks"
