"""Prodigy: entities, choices and yes or no to a label; which answers count, and what is refused."""

import json

import pytest

from scripts.common.errors import UserError
from scripts.corpora.examples import SpannedText
from scripts.corpora.readers import prodigy, recognise

from .reading import check_refused, convert, counts, name_of, read

TEXT = "Ada Lovelace est née à Londres."
SPANS = [
    {"start": 0, "end": 12, "token_start": 0, "token_end": 1, "label": "PER"},
    {"start": 23, "end": 30, "token_start": 5, "token_end": 5, "label": "LOC"},
]
MARKED = [(0, 12, "PER"), (23, 30, "LOC")]
EITHER = [{"id": "bon", "text": "Bon"}, {"id": "cher", "text": "Cher"}]


def row(view="ner_manual", answer="accept", **more):
    return {"text": TEXT, "_view_id": view, "answer": answer, **more}


def asked(label, answer, text=TEXT, **more):
    return row("classification", answer, label=label, text=text, _input_hash=hash(text), **more)


def chosen(*names, answer="accept", style="single", **more):
    config = {"choice_style": style}
    return row("choice", answer, options=EITHER, accept=list(names), config=config, **more)


@pytest.fixture
def parse(write):
    """Read rows as `db-out` writes them; return the examples and the log."""

    def call(*rows, **options):
        path = write("out.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        if all(isinstance(row, dict) for row in rows):
            assert recognise(path) == "prodigy"
        return read(prodigy, path, **options)

    return call


def annotations(examples) -> list:
    return [
        example.spans if isinstance(example, SpannedText) else list(example.all_labels)
        for example in examples
    ]


def test_entities(parse):
    tokens = [{"text": "Ada", "start": 0, "end": 3, "id": 0}]
    examples, log = parse(
        row(spans=SPANS, tokens=tokens),
        row(tokens=tokens),
        row(spans=None),
        row(answer="reject", spans=SPANS),
        row(answer="ignore"),
        {"text": TEXT, "_input_hash": 1, "spans": SPANS},
        row("spans_manual", spans=SPANS[:1]),
    )
    assert annotations(examples) == [MARKED, [], [], MARKED[:1]]
    assert counts(log.skipped) == {"answer: reject": 1, "answer: ignore": 1, "without answer": 1}


def test_entities_without_view_or_with_others(parse):
    assert annotations(parse({"text": TEXT, "answer": "accept", "spans": SPANS})[0]) == [MARKED]
    assert annotations(parse(row("blocks", tokens=[], spans=SPANS))[0]) == [MARKED]
    reviewed = row("review", view_id="ner_manual", spans=SPANS, versions=[], sessions=["a"])
    assert annotations(parse(reviewed)[0]) == [MARKED]
    related = row("relations", spans=SPANS, relations=[{"head": 0, "child": 1, "label": "in"}])
    examples, log = parse(related)
    assert annotations(examples) == [MARKED] and counts(log.repaired) == {"relation, not used": 1}


def test_spans_of_tokens_without_label_and_overlapping(parse):
    tokens = [{"start": 0, "end": 3}, {"start": 4, "end": 12}]
    spans = [{"token_start": 0, "token_end": 1, "label": "PER"}, {"start": 4, "end": 12}]
    examples, log = parse(row(spans=spans, tokens=tokens))
    assert annotations(examples) == [MARKED[:1]]
    assert counts(log.repaired) == {"entity without label, left out": 1}
    nested = [SPANS[0], {"start": 4, "end": 12, "label": "NAME"}]
    with pytest.raises(UserError, match="jsonl:1: entities 0–12 and 4–12 overlap"):
        parse(row("spans_manual", spans=nested))
    assert annotations(parse(row(spans=nested), overlaps="longest")[0]) == [MARKED[:1]]


def test_the_first_accepted_annotation_of_a_task_counts(parse):
    examples, log = parse(
        row(answer="ignore", _task_hash=5),
        row(_task_hash=5, spans=SPANS, _session_id="a"),
        row(_task_hash=5, _session_id="b"),
        row(_task_hash=6),
    )
    assert annotations(examples) == [MARKED, []]
    assert counts(log.skipped) == {"answer: ignore": 1, "further annotation of a task": 1}


def test_choices(parse):
    examples, log = parse(
        chosen("bon"), chosen(), chosen(answer="ignore"), chosen("cher", answer="reject")
    )
    assert annotations(examples) == [["bon"], []] and not any(x.several for x in examples)
    assert counts(log.skipped) == {"answer: reject": 1, "answer: ignore": 1}
    examples, _ = parse(chosen("bon", style="multiple"), chosen(style="multiple"))
    assert annotations(examples) == [["bon"], []] and all(x.several for x in examples)
    assert annotations(parse(chosen("cher", "bon"))[0]) == [["bon", "cher"]]


def test_options_with_numbers_as_ids_are_named_by_their_text(parse):
    options = [{"id": 0, "text": "non"}, {"id": 1, "text": "oui"}]
    examples, _ = parse(row("choice", options=options, accept=[1]))
    assert annotations(examples) == [["oui"]]
    examples, _ = parse(row("choice", options=EITHER, accept="bon"), label_names="bon=+,cher=-")
    assert annotations(examples) == [["+"]]


def test_yes_or_no_to_one_label(parse, tmp_path):
    examples, log = parse(
        asked("A", "accept"), asked("A", "reject", "b"), asked("A", "ignore", "c")
    )
    assert annotations(examples) == [["A"], []]
    assert counts(log.skipped) == {"answer: ignore": 1} and not log.repaired.counts
    report = convert("auto", tmp_path / "out.jsonl", tmp_path / "out")
    assert report["several labels"] and report["splits"]["train"]["labels"] == {"A": 1}


def test_several_questions_about_a_text(parse):
    examples, log = parse(
        asked("A", "accept"),
        asked("A", "reject", "b"),
        asked("B", "accept"),
        asked("B", "ignore", "b"),
        asked("A", "reject"),
        asked("A", "accept", _session_id="b"),
        asked(None, "accept", "c"),
    )
    assert [(x.text, list(x.all_labels)) for x in examples] == [(TEXT, ["A", "B"]), ("b", [])]
    assert counts(log.repaired) == {
        "answer that contradicts an earlier one, not used": 1,
        "question that was answered before, not used": 1,
        "text that was not asked about every label; of the others it is taken to have none": 1,
    }
    assert counts(log.skipped) == {"without label": 1}


def test_several_kinds_in_one_file(parse):
    both = row("blocks", spans=SPANS, options=EITHER, accept=["bon"])
    with pytest.raises(UserError, match=r"several kinds of annotation: choices \(1\), entities"):
        parse(both)
    assert annotations(parse(both, label_column="spans")[0]) == [MARKED]
    assert annotations(parse(both, label_column="accept")[0]) == [["bon"]]
    with pytest.raises(UserError, match="--label-column x: not a key with annotation; name one of"):
        parse(both, label_column="x")


@pytest.mark.parametrize(
    "value, message",
    [
        (row("ner", spans=SPANS[:1]), r"yes or no to single entities \(_view_id ner\)"),
        (row("image_manual", spans=[]), "annotated in the interface 'image_manual'; only"),
        (row("audio"), "annotated in the interface 'audio'"),
        (row("dep", arcs=[]), "annotated in the interface 'dep'"),
        (row("blocks"), "lines with neither spans, nor options, nor a label"),
        (row(answer="yes"), "the answer 'yes' is not one of accept, reject, ignore"),
        (row(spans=[{"label": "A"}]), "is not an entity; expected an object with start, end"),
        (row(spans=[[0, 1, "A"]]), "is not an entity"),
        (row(spans=[{"start": 0, "end": 99, "label": "A"}]), "entity 0–99 is empty or outside"),
        (chosen({"id": 1}), "is not a label"),
    ],
)
def test_refusals_are_one_line(parse, value, message):
    with pytest.raises(UserError, match=message) as error:
        parse(value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content", ["", b"\x00\xff" * 40, '{"text": "a", "_view_id": "choi', "[]", "{}", '{"answer":1}']
)
def test_hostile_input_is_one_line(write, content, tmp_path):
    check_refused("prodigy", write("out.jsonl", content), tmp_path / "out")


def test_others_are_not_recognised(write):
    for name, content in {
        "a.jsonl": '{"text": "a", "label": "b"}\n',
        "b.jsonl": '{"text": "a", "spans": [{"start": 0, "end": 1, "label": "B"}]}\n',
        "c.jsonl": '{"question": "a", "text": "b", "answer": "accept"}\n',
    }.items():
        assert name_of(write(name, content)) != "prodigy"
