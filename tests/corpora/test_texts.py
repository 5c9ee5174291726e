"""Variants of texts with labels, and of texts with entities given by offsets."""

import csv
import gzip
import io
import json

import pyarrow
import pyarrow.parquet
import pytest

from scripts.common.errors import UserError
from scripts.corpora.examples import SpannedText
from scripts.corpora.readers import sst2, table

from .reading import convert, counts, docs, json_lines, read

# sst2 ---------------------------------------------------------------------------------------------

RATED = [
    ('a "quoted film', "positive"),
    ("it 's flat , isn't it ?", "negative"),
    ("#1", "positive"),
]


@pytest.mark.parametrize(
    "text, columns",
    [
        ("sentence\tlabel\n{0}\t1\n{1}\t0\n{2}\t1\n", None),
        ("label\tsentence\n1\t{0}\n0\t{1}\n1\t{2}\n", None),
        ("Sentence\tLABEL\n{0}\t1\n{1}\t0\n{2}\t1", None),
        ("index\tsentence\tlabel\n0\t{0}\t1\n1\t{1}\t0\n2\t{2}\t1\n", None),
        ("sentence\tsource\tlabel\tid\n{0}\tx\t1\t1\n{1}\t\t0\t1\n{2}\ty\t1\t2\n", None),
        ("\ufeffsentence\tlabel\r\n{0} \t1\r\n{1}  \t0\r\n\r\n{2}\t1\r\n", None),
        ("sentence\tlabel\r{0}\t1\r{1}\t0\r{2}\t1\r", None),
        ("{0}\t1\n{1}\t0\n{2}\t1\n", "sentence,label"),
        ("1\t{0}\n0\t{1}\n1\t{2}\n", "label,sentence"),
        ("0\t1\t{0}\n1\t0\t{1}\n2\t1\t{2}\n", "index, Label, Sentence"),
    ],
)
def test_sst2_variants(write, text, columns):
    path = write("train.tsv", text.format(*(sentence for sentence, _ in RATED)))
    texts, log = read(sst2, path, columns=columns)
    assert [(t.text, t.label) for t in texts] == RATED
    assert counts(log.skipped) == {} and log.lines["rows"] == 3


def test_sst2_rows_without_label_are_skipped(write):
    text = "sentence\tlabel\nx\t-1\ny\t0\n \t1\nz\t1\n"
    texts, log = read(sst2, write("train.tsv", text))
    assert [(t.text, t.label) for t in texts] == [("y", "negative"), ("z", "positive")]
    assert counts(log.skipped) == {"empty text": 1, "without label": 1}
    assert log.skipped.locations["without label"][0].endswith("train.tsv:2")


@pytest.mark.parametrize("columns", ["text,label", "sentence", "label", "sentence;label"])
def test_sst2_refuses_columns_without_sentence_and_label(write, columns):
    with pytest.raises(UserError):
        read(sst2, write("train.tsv", "x\t1\ny\t0\n"), columns=columns)


def test_sst2_without_header_suggests_the_columns_option(write):
    path = write("train.tsv", "x\t1\ny\t0\n")
    with pytest.raises(UserError, match=r"--columns sentence,label"):
        read(sst2, path)


# table --------------------------------------------------------------------------------------------

LABELLED = [
    ('Un « bon » film, "vraiment"; oui', "positive"),
    ("Deux\nlignes\tet une\ttabulation", "negative"),
    ("Très, très long 😴", "negative"),
]


def delimited(rows, delimiter: str, header=("text", "label"), end: str = "\n", quoting=0) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([header, *rows] if header else rows)
    return stream.getvalue()


SWAPPED = [(label, text) for text, label in LABELLED]
NUMBERED = [(text, int(label == "positive")) for text, label in LABELLED]
WIDE = [(str(i), "x;y", label, text) for i, (text, label) in enumerate(LABELLED)]
NAMES = "0=negative,1=positive"


@pytest.mark.parametrize(
    "name, content, options",
    [
        ("train.csv", delimited(LABELLED, ","), {}),
        ("train.csv", delimited(LABELLED, ";"), {}),
        ("train.csv", delimited(LABELLED, "\t"), {}),
        ("train.tsv", delimited(LABELLED, "\t"), {}),
        ("train.txt", delimited(LABELLED, ";"), {}),
        ("train.csv", delimited(LABELLED, ",", end="\r\n"), {}),
        ("train.csv", delimited(LABELLED, ";", quoting=csv.QUOTE_ALL), {}),
        ("train.csv", "\ufeff" + delimited(LABELLED, ",", quoting=csv.QUOTE_ALL), {}),
        ("train.csv", delimited(SWAPPED, ";", ("label", "text")), {}),
        ("train.csv", delimited(SWAPPED, ",", ("LABEL", "Review")), {}),
        ("train.csv", delimited(WIDE, ",", ("id", "a;b;c;d", "label", "text")), {}),
        ("train.csv", delimited(LABELLED, ",", ()), {"columns": "text,label"}),
        ("train.csv", delimited(LABELLED, ";", ()), {"columns": "text,label"}),
        ("train.csv", delimited(SWAPPED, ",", ()), {"columns": "Label, Text"}),
        (
            "train.csv",
            delimited(LABELLED, ";", ("Verbatim", "Note")),
            {"text_column": "verbatim", "label_column": "Note"},
        ),
        ("train.csv", delimited(NUMBERED, ","), {"label_names": NAMES}),
        ("train.jsonl", json_lines(LABELLED, "text", "label"), {}),
        ("train.ndjson", json_lines(SWAPPED, "Label", "Text"), {}),
        ("train.jsonl", json_lines(NUMBERED, "text", "label"), {"label_names": NAMES}),
        (
            "train.json",
            json_lines(LABELLED, "body", "kind"),
            {"text_column": "Body", "label_column": "kind"},
        ),
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_tables_of_labels(write, name, content, options, packed):
    data = content.encode()
    path = write(f"{name}.gz", gzip.compress(data)) if packed else write(name, data)
    texts, log = read(table, path, **options)
    assert [(t.text, t.label) for t in texts] == LABELLED
    assert counts(log.skipped) == {} and log.lines["rows"] == 3


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiter_of_a_table_without_header_fits_its_columns(write, delimiter):
    for text in ("Un, deux, trois, quatre", "Un; deux; trois; quatre"):
        content = delimited([(text, "a"), ("b", "b")], delimiter, ())
        (got, _), _ = read(table, write("train.csv", content), columns="text,label")
        assert (got.text, got.label) == (text, "a")


@pytest.mark.parametrize("names", ["0=neg,1=pos", "0=neg, 1=pos", " 0 = neg , 1 = pos "])
def test_label_names(write, names):
    texts, _ = read(table, write("train.csv", "text,label\na,0\nb,1\n"), label_names=names)
    assert [t.label for t in texts] == ["neg", "pos"]


@pytest.mark.parametrize("names", ["neg,pos", "0:neg,1:pos", "0=neg,pos"])
def test_label_names_that_are_not_pairs_are_refused(write, tmp_path, names):
    path = write("train.csv", "text,label\na,0\nb,1\n")
    with pytest.raises(UserError, match="--label-names"):
        convert("table", path, tmp_path / "out", label_names=names)


def test_nan_means_no_label(tmp_path):
    rows = pyarrow.table({"text": ["a", "b", "c"], "label": [1.0, float("nan"), 0.0]})
    pyarrow.parquet.write_table(rows, tmp_path / "train.parquet")
    texts, log = read(table, tmp_path / "train.parquet")
    assert len(texts) == 2 and counts(log.skipped) == {"without label": 1}


@pytest.mark.parametrize("classes, options", [(True, {}), (False, {"label_names": NAMES})])
def test_parquet_with_and_without_class_labels(tmp_path, classes, options):
    rows = pyarrow.table(
        {
            "text": [text for text, _ in LABELLED],
            "Label": [int(label == "positive") for _, label in LABELLED],
            "idx": [1, 2, 3],
        }
    )
    if classes:
        features = {
            "text": {"dtype": "string", "_type": "Value"},
            "Label": {"names": ["negative", "positive"], "_type": "ClassLabel"},
        }
        info = json.dumps({"info": {"features": features}})
        rows = rows.replace_schema_metadata({"huggingface": info})
    pyarrow.parquet.write_table(rows, tmp_path / "train.parquet")
    texts, log = read(table, tmp_path / "train.parquet", **options)
    assert [(t.text, t.label) for t in texts] == LABELLED
    assert log.lines["rows"] == 3


def test_class_minus_one_means_no_label(tmp_path):
    rows = pyarrow.table({"text": ["a", "b", "c"], "label": [0, -1, 1]})
    features = {"label": {"names": ["negative", "positive"], "_type": "ClassLabel"}}
    info = json.dumps({"info": {"features": features}})
    rows = rows.replace_schema_metadata({"huggingface": info})
    pyarrow.parquet.write_table(rows, tmp_path / "test.parquet")
    texts, log = read(table, tmp_path / "test.parquet")
    assert [t.label for t in texts] == ["negative", "positive"]
    assert counts(log.skipped) == {"without label": 1}


def test_parquet_with_entities(tmp_path):
    entities = [[{"start": 0, "end": 5, "label": "LOC"}], []]
    rows = pyarrow.table({"text": ["Paris !", "Rien"], "entities": entities})
    pyarrow.parquet.write_table(rows, tmp_path / "train.parquet")
    texts, _ = read(table, tmp_path / "train.parquet")
    assert [t.spans for t in texts] == [[(0, 5, "LOC")], []]


PLACES = "Zoé 👩‍👧 à Aÿ, 東京 et 𝔓aris"


def span(text: str, part: str, label: str) -> tuple[int, int, str]:
    start = text.index(part)
    return start, start + len(part), label


SPANS = [span(PLACES, "Zoé", "PER"), span(PLACES, "👩‍👧", "MISC"), span(PLACES, "Aÿ", "LOC")]
SPANS += [span(PLACES, "東京", "LOC"), span(PLACES, "𝔓aris", "LOC")]
LISTS = [list(item) for item in SPANS]
DICTS = [dict(zip(("start", "end", "label"), item)) for item in SPANS]
DOCCANO = [dict(zip(("id", "start_offset", "end_offset", "label"), (7, *item))) for item in SPANS]


@pytest.mark.parametrize("escaped", [True, False])
@pytest.mark.parametrize(
    "row",
    [
        {"text": PLACES, "entities": LISTS},
        {"text": PLACES, "label": LISTS},
        {"text": PLACES, "labels": LISTS[::-1]},
        {"text": PLACES, "spans": DICTS, "tokens": [], "answer": "accept"},
        {"id": 1, "text": PLACES, "entities": DOCCANO, "relations": [], "Comments": []},
        {"Text": PLACES, "Spans": DICTS[::-1]},
    ],
    ids=lambda row: ",".join(row),
)
def test_entities_given_by_offsets(write, tmp_path, row, escaped):
    path = write("train.jsonl", json.dumps(row, ensure_ascii=escaped) + "\n")
    texts, _ = read(table, path)
    assert texts == [SpannedText(PLACES, SPANS, 1)]
    convert("table", path, tmp_path / "out")
    (doc,) = docs(tmp_path / "out" / "train.spacy")
    assert doc.text == PLACES
    assert [(e.start_char, e.end_char, e.label_) for e in doc.ents] == SPANS


def test_overlapping_entities(write):
    text = "Université de Paris Cité"
    spans = [[0, 24, "ORG"], [14, 19, "LOC"], [14, 24, "LOC"]]
    path = write("train.jsonl", json.dumps({"text": text, "entities": spans}))
    with pytest.raises(UserError, match=r"train.jsonl:1: entities 0–24 and 14–19 overlap"):
        read(table, path)
    ((got,), log) = read(table, path, overlaps="longest")
    assert got.spans == [(0, 24, "ORG")]
    assert sum(counts(log.repaired).values()) == 2


@pytest.mark.parametrize(
    "text, part",
    [
        ("vers Saint-Malo.fr demain", "Malo"),
        ("un ex-Parisien,né", "Parisien"),
        ("😀Paris😀", "Paris"),
        ("  le  Mans  ", "Mans"),
        ("a@b.fr", "b"),
    ],
)
def test_entity_that_splits_a_token_keeps_its_exact_text(write, tmp_path, text, part):
    start, end, label = span(text, part, "LOC")
    rows = [{"text": text, "spans": [[start, end, label]]}, {"text": "rien", "spans": []}]
    path = write("train.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    report = convert("table", path, tmp_path / "out", language="fr" if "Saint" in text else "en")
    doc, _ = docs(tmp_path / "out" / "train.spacy")
    assert doc.text == text
    assert [(e.text, e.start_char, e.label_) for e in doc.ents] == [(part, start, label)]
    cuts = text.split(part)
    unaligned = report["splits"]["train"]["unaligned"]
    if all(not side or side[-1 * (not i)].isspace() for i, side in enumerate(cuts)):
        assert unaligned["count"] == 0
    elif "@" in text or "Saint" in text:
        assert unaligned == {"count": 1, "first": [f"{path}:1: {part}"]}


def test_examples_rejected_by_the_annotator_are_skipped(write):
    rows = '{"text": "a", "label": "x", "answer": "accept"}\n'
    rows += '{"text": "b", "label": "y", "answer": "reject"}\n'
    texts, log = read(table, write("train.jsonl", rows))
    assert [text.text for text in texts] == ["a"] and counts(log.skipped) == {"answer: reject": 1}


@pytest.mark.parametrize(
    "content, options, message",
    [
        ('text,entities\na,"[[0,1,""A""]"\n', {}, "train.csv:2: the entities are a string"),
        ('text,label\na,"{""x"": 1}"\n', {}, "train.csv:2: the label is JSON"),
        (
            "text,label\na,0\n",
            {"label_names": "neg=0"},
            "--label-names neg=0: the file has none of these labels",
        ),
    ],
)
def test_tables_that_would_be_misread_are_refused(write, content, options, message):
    with pytest.raises(UserError, match=message):
        read(table, write("train.csv", content), **options)
