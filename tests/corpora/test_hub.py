"""Rows of the hub's data sets in raw formats: label names, and rows without a label."""

import datasets
import pytest

from scripts.common.errors import UserError
from scripts.corpora.examples import Log
from scripts.corpora.hub import INSIDE, UNLABELLED, WRITERS, Rows, names_of
from scripts.corpora.readers import iob, sst2, table, wikiner

from .reading import counts, read

OURS = ["O", "I-LOC", "I-PER", "I-MISC", "I-ORG"]
THEIRS = ["B-PER", "I-PER", "O", "B-LOC"]
READERS = {"iob": iob, "wikiner": wikiner, "table": table, "sst2": sst2}
NUMBERS, STRINGS = datasets.Value("int64"), datasets.Value("string")


def tagged(tags: list, kind, tokens=None) -> datasets.Dataset:
    tokens = tokens or [[f"w{n}" for n in range(len(of or []))] for of in tags]
    features = {"tokens": datasets.List(STRINGS), "ner_tags": datasets.List(kind)}
    columns = {"tokens": tokens, "ner_tags": tags}
    return datasets.Dataset.from_dict(columns, datasets.Features(features))


def labelled(labels: list, kind, text: str = "text") -> datasets.Dataset:
    columns = {text: [f"texte {n}" for n in range(len(labels))], "label": labels}
    features = {text: STRINGS, "label": kind}
    if text == "sentence":
        columns["idx"], features["idx"] = list(range(len(labels))), NUMBERS
    return datasets.Dataset.from_dict(columns, datasets.Features(features))


def classes(*names: str) -> datasets.ClassLabel:
    return datasets.ClassLabel(names=list(names))


def lines(format: str, rows: datasets.Dataset, ours=None) -> tuple[list[str], Log]:
    log = Log()
    name = names_of(rows, format, ours, "a/b, train")
    return list(WRITERS[format].lines(Rows(rows, name, log, "a/b, train"))), log


def back(format: str, rows: datasets.Dataset, write, ours=None):
    """Write rows and read them back with their format's reader."""
    written, log = lines(format, rows, ours)
    path = write(f"train.{WRITERS[format].suffix}", "".join(f"{line}\n" for line in written))
    examples, read_log = read(READERS[format], path)
    return examples, log, read_log


@pytest.mark.parametrize("format", ["iob", "wikiner"])
@pytest.mark.parametrize(
    "tags, kind, ours, entities",
    [
        ([[0, 1, 2, 3]], classes(*THEIRS), None, [(0, 2, "PER"), (3, 4, "LOC")]),
        ([[2, 2, 0, 1]], NUMBERS, OURS, [(0, 2, "PER"), (3, 4, "LOC")]),
        # WikiNER's card names only the types.
        ([[2, 2, 0, 1]], classes("O", "LOC", "PER", "MISC", "ORG"), OURS, None),
        ([["B-PER", "I-PER", "O", "B-LOC"]], STRINGS, None, [(0, 2, "PER"), (3, 4, "LOC")]),
        ([["B-PER", "I-PER", "O", "B-LOC"]], STRINGS, OURS, [(0, 2, "PER"), (3, 4, "LOC")]),
    ],
)
def test_tags_have_their_data_sets_names(write, format, tags, kind, ours, entities):
    (sentence,), log, _ = back(format, tagged(tags, kind), write, ours)
    assert sentence.entities == (entities or [(0, 2, "PER"), (3, 4, "LOC")])
    assert counts(log.skipped) == counts(log.repaired) == {}


@pytest.mark.parametrize("format", ["iob", "wikiner"])
@pytest.mark.parametrize(
    "kind, ours, message",
    [
        (NUMBERS, None, "ner_tags: numbers without names; .*--id, .* `labels`"),
        (datasets.Value("float32"), None, "ner_tags: numbers without names"),
        (classes("O", "LOC", "PER"), None, "'LOC', which does not say where an entity begins"),
        (classes(*THEIRS), OURS, r"the names B-PER, .*, where configs/sources.yml has O, I-LOC"),
        (classes("O", "PER", "LOC", "MISC", "ORG"), OURS, "has the names O, PER, LOC"),
        (classes("I-PER", "B-PER"), ["B-PER", "I-PER"], "has the names I-PER, B-PER"),
    ],
)
def test_contradicting_names_are_refused(format, kind, ours, message):
    with pytest.raises(UserError, match=f"a/b, train: .*{message}"):
        lines(format, tagged([[0, 1]], kind), ours)


@pytest.mark.parametrize("format", ["iob", "wikiner"])
def test_a_sentence_with_an_unlabelled_tag_is_left_out(write, format):
    tags = [[0, 1], [2, -1, 2], None, [2, None], [-100, -100], [3]]
    tokens = [["a", "b"], ["c", "d", "e"], ["f"], ["g", "h"], ["i", "j"], ["k"]]
    rows = tagged(tags, classes(*THEIRS), tokens)
    sentences, log, _ = back(format, rows, write)
    assert [s.words for s in sentences] == [["a", "b"], ["k"]]
    assert [s.entities for s in sentences] == [[(0, 2, "PER")], [(0, 1, "LOC")]]
    assert log.skipped.counts == {UNLABELLED: 4}
    assert log.skipped.locations[UNLABELLED][0] == "a/b, train: row 2"


@pytest.mark.parametrize("format", ["iob", "wikiner"])
@pytest.mark.parametrize(
    "rows, message",
    [
        (tagged([[0], [4]], NUMBERS), "row 2: class 4 has no name; there are names for 0 to 3 "),
        (tagged([[0, 1]], NUMBERS, [["a"]]), "row 1: 1 tokens and 2 tags"),
        (tagged([["O"], ["LOC"]], STRINGS), "row 2: ner_tags holds 'LOC', which does not say"),
    ],
    ids=["number", "lengths", "string"],
)
def test_rows_that_cannot_be_written_are_reported(format, rows, message):
    with pytest.raises(UserError, match=f"a/b, train: {message}"):
        lines(format, rows, THEIRS)


@pytest.mark.parametrize("format, inner", [("iob", " "), ("wikiner", "\u00a0")])
def test_a_line_break_inside_a_token_does_not_end_the_sentence(write, format, inner):
    rows = tagged([[2, 0, 2]], classes(*THEIRS), [["a\tb", "Lens", "c\r\nd"]])
    (sentence,), log, _ = back(format, rows, write)
    assert sentence.words == [f"a{inner}b", "Lens", f"c{inner}{inner}d"]
    assert log.repaired.counts == {INSIDE: 2}


@pytest.mark.parametrize(
    "labels, kind, ours, names",
    [
        ([0, 1, 2], classes("sport", "monde", "art"), None, ["sport", "monde", "art"]),
        (
            [0, 1, 0],
            classes("neg", "pos"),
            ["négatif", "positif"],
            ["négatif", "positif", "négatif"],
        ),
        ([0, -1, 1, None], classes("neg", "pos"), None, ["neg", "pos"]),
        ([-1, 1, -100], NUMBERS, ["négatif", "positif"], ["positif"]),
        (["a", None, "b"], STRINGS, ["négatif", "positif"], ["a", "b"]),
    ],
)
@pytest.mark.parametrize("text", ["text", "review"])
def test_table_labels(write, labels, kind, ours, names, text):
    examples, _, log = back("table", labelled(labels, kind, text), write, ours)
    assert [example.label for example in examples] == names
    assert log.skipped.counts["without label"] == len(labels) - len(names)


@pytest.mark.parametrize("kind", [NUMBERS, datasets.Value("float64"), datasets.Value("bool")])
def test_a_table_of_numbers_without_names_is_refused(kind):
    with pytest.raises(UserError, match="label: numbers without names"):
        lines("table", labelled([0, 1], kind))


def test_a_number_without_a_name_is_refused_with_its_row():
    rows = labelled([0, 1, 2], NUMBERS)
    with pytest.raises(
        UserError, match=r"row 3: class 2 has no name; there are names for 0 to 1 \(no, yes\)"
    ):
        lines("table", rows, ["no", "yes"])


SST2 = ["negative", "positive", "negative"]


@pytest.mark.parametrize(
    "labels, kind, polarities",
    [
        ([0, 1, 0], classes("negative", "positive"), SST2),
        # In any order and spelling.
        ([1, 0, 1], classes("Positive", "Negative"), SST2),
        (["neg", "pos", "neg"], STRINGS, SST2),
        # The first row does not decide.
        ([-1, 1, None, 0], classes("negative", "positive"), ["positive", "negative"]),
        ([1, -1, 0], classes("negative", "positive"), ["positive", "negative"]),
    ],
)
def test_sst2_polarities(write, labels, kind, polarities):
    texts, _, log = back("sst2", labelled(labels, kind, "sentence"), write)
    assert [text.label for text in texts] == polarities
    assert log.skipped.counts["without label"] == len(labels) - len(polarities)


def test_sst2_without_labels_is_written_as_in_glue():
    got, _ = lines("sst2", labelled([-1, -1], classes("negative", "positive"), "sentence"))
    assert got == ["index\tsentence", "0\ttexte 0", "1\ttexte 1"]


def test_sst2_with_other_labels_is_refused():
    rows = labelled([0, 1], classes("unacceptable", "acceptable"), "sentence")
    with pytest.raises(UserError, match="'unacceptable', where negative and positive"):
        lines("sst2", rows)
