"""Label Studio: JSON of every age, JSON-MIN, CSV; which annotation of a task counts, what is refused."""

import json

import pytest

from scripts.common.errors import UserError
from scripts.corpora.examples import LabelledText, SpannedText
from scripts.corpora.readers import label_studio

from .reading import check_refused, convert, counts, docs, name_of, read

TEXT = "🎉 Ada Lovelace est née à Londres."
ADA, LONDON = (2, 14, "PER"), (25, 32, "LOC")


def region(start, end, *labels, text=TEXT, kind="labels", name="label", **more):
    value = {"start": start, "end": end, "text": text[start:end], kind: list(labels), **more}
    return {"value": value, "id": "a", "from_name": name, "to_name": "text", "type": kind}


def choice(*names, name="sentiment", **more):
    value = {"choices": list(names), **more}
    return {"value": value, "from_name": name, "to_name": "text", "type": "choices"}


def annotation(*results, **more):
    return {"id": 1, "was_cancelled": False, "ground_truth": False, "result": list(results), **more}


def task(*annotations, text=TEXT, key="annotations", **data):
    return {"id": 1, key: list(annotations), "predictions": [], "data": {"text": text, **data}}


@pytest.fixture
def parse(write):
    """Read values as an export; return the examples and the log."""

    def call(*values, name="export.json", **options):
        path = write(name, json.dumps(values, ensure_ascii=False))
        return read(label_studio, path, **options)

    return call


def spans(examples) -> list:
    assert all(isinstance(example, SpannedText) for example in examples)
    return [example.spans for example in examples]


def labels(examples) -> list:
    assert all(isinstance(example, LabelledText) for example in examples)
    return [list(example.all_labels) for example in examples]


def test_entities(parse):
    relation = {"from_id": "a", "to_id": "b", "type": "relation", "direction": "right"}
    both = region(2, 14, "PER"), region(25, 32, "LOC")
    examples, log = parse(task(annotation(*both, relation)), task(annotation()))
    assert spans(examples) == [[ADA, LONDON], []] and examples[0].text == TEXT
    assert counts(log.repaired) == {"relation, not used": 1}
    assert log.layout == {"text_column": "text", "label_column": "label"}


def test_of_several_annotations_the_ground_truth_counts_then_the_first(parse):
    early = annotation(region(2, 14, "PER"), id=9, created_at="2024-01-01T10:00:00Z")
    late = annotation(region(25, 32, "LOC"), id=3, created_at="2024-01-02T10:00:00Z")
    same = annotation(region(25, 32, "LOC"), id=2, created_at="2024-01-01T10:00:00Z")
    cancelled = annotation(id=1, was_cancelled=True, created_at="2023-01-01T10:00:00Z")
    examples, log = parse(
        task(late, cancelled, early),
        task(early, {**late, "ground_truth": True}),
        task(early, same),
        task(cancelled),
        task(),
    )
    assert spans(examples) == [[ADA], [LONDON], [LONDON]]
    assert counts(log.repaired) == {"further annotation of a task, not used": 3}
    assert counts(log.skipped) == {"cancelled annotation only": 1, "task without annotation": 1}


def test_predictions_and_drafts_are_not_annotation(parse):
    values = {"predictions": [annotation(region(2, 14, "PER"))], "drafts": [annotation()]}
    examples, log = parse({**task(), **values}, {"data": {"text": "x"}, "predictions": []})
    assert examples == [] and counts(log.skipped) == {"task without annotation": 2}


def test_completions_of_old_versions(parse):
    old = {"id": 1, "result": [region(2, 14, "PER")], "created_at": 1590583323}
    examples, _ = parse(task({**old, "skipped": True}, old, key="completions"))
    assert spans(examples) == [[ADA]]


def test_choices_one_or_several(parse):
    one = [task(annotation(choice("bon"))), task(annotation(choice("mauvais"))), task(annotation())]
    assert labels(parse(*one)[0]) == [["bon"], ["mauvais"], []]
    several = task(annotation(choice("bon", "cher"), choice("Paris, Texas")))
    assert labels(parse(*one, several)[0])[-1] == ["Paris, Texas", "bon", "cher"]


def test_texts_submitted_without_a_choice_are_none_of_the_labels_where_there_are_several(
    parse, tmp_path
):
    one = [task(annotation(choice(x)), text=f"text {x}") for x in ("bon", "mauvais")]
    none = task(annotation(), text="nothing")
    for extra, kept in (([], 2), ([task(annotation(choice("bon", "cher")), text="two")], 4)):
        parse(*one, none, *extra)
        report = convert("auto", tmp_path / "export.json", tmp_path / "out")
        assert len(docs(tmp_path / "out" / "train.spacy")) == kept
        assert report["several labels"] is bool(extra)


def test_other_results_are_counted(parse):
    area = {
        "value": {"text": ["so"]}, "from_name": "why", "to_name": "text", "type": "textarea"
    }  # fmt: skip
    of_region = choice("sure", name="sureness", start=2, end=14, text="Ada")
    examples, log = parse(task(annotation(region(2, 14, "PER"), area, of_region)))
    assert spans(examples) == [[ADA]]
    assert counts(log.repaired) == {
        "result of the tag sureness (choices of a region), not used": 1,
        "result of the tag why (textarea), not used": 1,
    }


def test_regions_without_label_and_with_several(parse):
    examples, log = parse(task(annotation(region(2, 14, "PER"), region(25, 32))))
    assert spans(examples) == [[ADA]]
    assert counts(log.repaired) == {"entity without label, left out": 1}
    two = task(annotation(region(2, 14, "PER", "MISC")))
    with pytest.raises(UserError, match=r"item 1: entities 2–14 and 2–14 overlap"):
        parse(two)
    assert spans(parse(two, overlaps="longest")[0]) == [[ADA]]


def test_one_of_several_tags_is_chosen(parse):
    both = task(annotation(region(2, 14, "PER"), choice("bon"), region(25, 32, "X", name="more")))
    with pytest.raises(UserError, match=r"several tags are annotated: label \(entities, 1\), sent"):
        parse(both)
    examples, log = parse(both, label_column="Label")
    assert spans(examples) == [[ADA]] and log.repaired.counts.total() == 2
    assert labels(parse(both, label_column="sentiment")[0]) == [["bon"]]
    with pytest.raises(
        UserError, match=r"no entities or choices of the tag 'topic'; there are: la"
    ):
        parse(both, label_column="topic")


@pytest.mark.parametrize(
    "value, message",
    [
        (
            task(annotation({**choice(), "type": "rating", "value": {"rating": 4}})),
            "but rating; on",
        ),
        (task(annotation({**choice(), "type": "taxonomy"})), "but taxonomy; only"),
        (task(annotation()), "neither entities nor choices in 1 annotations, but nothing"),
        (task(annotation(choice("a")), text="/data/upload/1/cat.jpg"), "'text' holds addresses"),
        (task(annotation(choice("a")), text="https://x.org/a.mp3"), "'text' holds addresses"),
        (task(annotation(choice("a")), text=["Hi", "Ho"]), "is not a string but a list"),
        (task(annotation(choice({"a": 1}))), r"item 1: \{'a': 1\} is not a label"),
        (task(annotation({**region(0, 1, "A"), "value": {"labels": ["A"], "x": 2}})), "not a span"),
        (task(annotation(region(2, 99, "A"))), "entity 2–99 is empty or outside"),
        ({"annotations": [], "data": "x"}, "item 1: no data"),
        ({"annotations": ["x"], "data": {"text": "x"}}, "no list of objects"),
        (task({"result": "x"}), "the result is not a list of objects"),
    ],
)
def test_what_is_not_annotation_of_texts_is_refused_in_one_line(write, value, message):
    # As a task among others, by which the format is told.
    path = write("export.json", json.dumps([value, task()]))
    with pytest.raises(UserError, match=message) as error:
        read(label_studio, path)
    assert "\n" not in str(error.value)


def test_the_text_has_any_name(parse):
    regions = annotation(region(2, 14, "PER"))
    data = {"titre": "Un titre", "corps": TEXT, "url": "https://x.org"}
    value = {"id": 1, "annotations": [regions], "data": data}
    examples, log = parse(value)
    assert spans(examples) == [[ADA]] and log.layout["text_column"] == "corps"
    chosen = {"id": 1, "annotations": [annotation(choice("a"))], "data": data}
    with pytest.raises(
        UserError, match="is one of the data's titre, corps, url; name it with --te"
    ):
        parse(chosen)
    assert parse(chosen, text_column="TITRE")[0][0].text == "Un titre"
    with pytest.raises(UserError, match="no text 'x' in the data, which has: titre, corps, url"):
        parse(chosen, text_column="x")
    with pytest.raises(UserError, match="is not of the data's titre"):
        parse({**value, "data": {"titre": "Un titre", "lieu": "Ici"}})


def test_line_ends_and_hypertext(parse):
    text = "Ada\nLovelace dort"
    value = region(0, 12, "PER", text=text)
    value["value"]["text"] = "Ada\\nLovelace"
    assert spans(parse(task(annotation(value), text=text))[0]) == [[(0, 12, "PER")]]
    page = region(2, 14, "PER", kind="hypertextlabels")
    page["value"].update(start="/text()[1]", end="/text()[1]", startOffset=2, endOffset=14)
    assert spans(parse(task(annotation(page)))[0]) == [[ADA]]
    page["value"].update(start="/p[1]/text()[1]", globalOffsets={"start": 2, "end": 14})
    assert spans(parse(task(annotation(page)))[0]) == [[ADA]]
    with pytest.raises(UserError, match="marked in a page of HTML"):
        parse(task(annotation(page), text=f"<p>{TEXT}</p>"))


def test_offsets_in_utf16_units_and_as_strings(parse):
    value = region(3, 15, "PER")
    value["value"].update(text="Ada Lovelace", start="3")
    examples, log = parse(task(annotation(value)))
    assert spans(examples) == [[ADA]] and log.layout["offsets in"] == "UTF-16 units"


# JSON-MIN and CSV ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[",
        "[]",
        b"\x00\x01\xff" * 40,
        json.dumps([task(annotation(choice("a")))])[:-30],
        "{}",
        '[{"data": {}, "annotations": [{}]}]',
        '[{"id": null, "annotator": {}, "annotation_id": []}]',
    ],
)
@pytest.mark.parametrize("name", ["export.json", "export.csv"])
def test_hostile_input_is_one_line(write, name, content, tmp_path):
    check_refused("label-studio", write(name, content), tmp_path / "out")


def test_others_are_not_recognised(write):
    for name, content in {
        "a.jsonl": '{"text": "a", "label": "b"}\n',
        "b.csv": "id,text,label\n1,a,b\n",
        "c.conll": "Ada B-PER\n",
        "d.json": '[{"data": "a", "label": []}]',
    }.items():
        assert name_of(write(name, content)) != "label-studio"
