"""Label Studio's JSON-MIN, CSV and TSV: a record an annotation."""

import csv
import io
import json

import pytest

from scripts.common.errors import UserError
from scripts.corpora.readers import label_studio, recognise

from .reading import counts, read
from .test_label_studio import ADA, TEXT, labels, spans

FIXED = ("annotator", "annotation_id", "created_at", "updated_at", "lead_time")


def record(id, results, annotation=1, at="2024-01-01T10:00:00Z", text=TEXT, **data):
    values = (1, annotation, at, at, 1.5) if annotation else (None,) * 5
    return {"text": text, **data, "id": id, **results, **dict(zip(FIXED, values))}


def minimal(start, end, *labels):
    return {"start": start, "end": end, "text": TEXT[start:end], "labels": list(labels)}


def table(records, delimiter=",", order=lambda keys: keys):
    """Return records as Label Studio's CSV."""
    keys = order(list(dict.fromkeys(key for record in records for key in record)))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, keys, delimiter=delimiter)
    writer.writeheader()
    for values in records:
        cells = {
            key: json.dumps(x, ensure_ascii=False) if isinstance(x, (list, dict)) else x
            for key, x in values.items()
        }
        writer.writerow(cells)
    return stream.getvalue()


ENTITIES = [
    record(1, {"label": [minimal(2, 14, "PER"), minimal(25, 32, "LOC")]}, 7),
    record(1, {"label": [minimal(2, 14, "PER")]}, 5, "2023-12-31T10:00:00Z"),
    record(2, {}, 8),
    record(3, {}, None),
]
CHOICES = [
    record(1, {"avis": "bon"}),
    record(2, {"avis": {"choices": ["bon", "cher"]}}),
    record(3, {}),
]
SHAPES = {
    "export.json": lambda records: json.dumps(records),
    "export.csv": table,
    "sorted.csv": lambda records: table(records, order=sorted),
    "export.tsv": lambda records: table(records, "\t"),
    "semicolon.csv": lambda records: table(records, ";"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_json_min_and_csv(write, name):
    path = write(name, SHAPES[name](ENTITIES))
    assert recognise(path) == "label-studio"
    examples, log = read(label_studio, path)
    assert spans(examples) == [[ADA], []] and examples[0].text == TEXT
    assert counts(log.skipped) == {
        "further annotation of a task": 1,
        "task without annotation": 1,
    }
    path = write(name, SHAPES[name](CHOICES))
    assert recognise(path) == "label-studio"
    assert labels(read(label_studio, path)[0]) == [["bon"], ["bon", "cher"], []]


def test_json_min_tells_data_from_choices_by_their_order(write):
    rows = [record(n, {"avis": x}, source="web", lieu="ici") for n, x in enumerate("abb")]
    path = write("export.json", json.dumps(rows))
    examples, log = read(label_studio, path)
    assert labels(examples) == [["a"], ["b"], ["b"]] and log.layout["label_column"] == "avis"
    # Sorted columns do not tell.
    path = write("export.csv", table(rows, order=sorted))
    with pytest.raises(UserError, match=r"which of avis, lieu, source, text is the text and which"):
        read(label_studio, path)
    assert labels(read(label_studio, path, label_column="avis")[0]) == [["a"], ["b"], ["b"]]


def test_json_min_with_several_tags_and_other_results(write):
    rows = [record(1, {"label": [minimal(2, 14, "PER")], "avis": "bon", "note": [{"rating": 4}]})]
    path = write("export.json", json.dumps(rows))
    with pytest.raises(UserError, match=r"several tags are annotated"):
        read(label_studio, path)
    examples, log = read(label_studio, path, label_column="label")
    assert spans(examples) == [[ADA]]
    assert counts(log.repaired) == {
        "result of the tag avis (choices), not used": 1,
        "result of the tag note (rating), not used": 1,
    }
    assert labels(read(label_studio, path, label_column="avis")[0]) == [["bon"]]


def test_csv_of_pandas_with_numbers_as_floats(write):
    rows = [{**record(1.0, {"avis": "a"}), "annotation_id": "51.0"}, record(2.0, {"avis": "b"})]
    assert labels(read(label_studio, write("export.csv", table(rows)))[0]) == [["a"], ["b"]]


def test_csv_with_moved_columns(write):
    path = write(
        "p.csv", "sentiment,text,id,annotator,annotation_id\npos,Bien,1,1,1\nneg,Mal,2,1,2\n"
    )
    assert [(x.text, x.label) for x in read(label_studio, path)[0]] == [
        ("Bien", "pos"),
        ("Mal", "neg"),
    ]
