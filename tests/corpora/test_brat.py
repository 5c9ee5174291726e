"""brat: a folder of texts with their annotations."""

import pytest

from scripts.common.errors import UserError
from scripts.corpora.readers import recognise

from .reading import convert, docs

TEXT = "Anne Roux vit\nà Lens.\n"
ANN = "T1\tPER 0 9\tAnne Roux\nT2\tLOC 16 20\tLens\n"


def entities(path) -> list[list[tuple[str, str]]]:
    return [[(entity.text, entity.label_) for entity in doc.ents] for doc in docs(path)]


@pytest.fixture
def read(write, tmp_path):
    """Convert pairs of a text and its annotations; return the entities of each text, and the report on
    the folder."""

    def read(*pairs, **options):
        for number, (text, ann) in enumerate(pairs):
            write(f"in/{number}.txt", text)
            write(f"in/{number}.ann", ann)
        report = convert("brat", tmp_path / "in", tmp_path / "out", **options)
        (entry,) = report["read"].values()
        return entities(tmp_path / "out/train.spacy"), entry

    return read


def test_texts_and_their_entities_are_read(read, tmp_path):
    found, entry = read((TEXT, ANN), ("Rien.\n", ""))
    assert found == [[("Anne Roux", "PER"), ("Lens", "LOC")], []]
    assert entry["written"] == {"train": 2} and not entry["skipped"] and not entry["repaired"]
    first, second = docs(tmp_path / "out/train.spacy")
    assert first.text == "Anne Roux vit\nà Lens."
    assert first.user_data == {"file": "in/0.txt", "line": 1}
    assert second.user_data == {"file": "in/1.txt", "line": 1}


def test_other_lines_are_counted(read):
    lines = "R1\tLit Arg1:T1 Arg2:T2\n*\tEquiv T1 T2\nA1\tNeg T1\nM1\tNeg T1\nN1\tRef T1 W:1\tx\n"
    found, entry = read((TEXT, ANN + lines + "\n#1\tAnnotatorNotes T1\tdoute\n"))
    assert found == [[("Anne Roux", "PER"), ("Lens", "LOC")]]
    assert entry["lines"] == {
        "entities": 2, "relations": 2, "attributes": 2, "normalizations": 1, "blank": 1, "notes": 1,
    }  # fmt: skip
    assert entry["layout"]["not used"] == "2 relations, 2 attributes, 1 normalizations, 1 notes"


def test_triggers_of_events_are_left_out_and_counted(read):
    found, entry = read((TEXT, f"{ANN}T3\tVivre 10 13\tvit\nE1\tVivre:T3 Qui:T1\nE2\tAutre:T1\n"))
    assert found == [[("Anne Roux", "PER"), ("Lens", "LOC")]]
    assert counts_of(entry) == {"trigger of an event, left out": 1}


def counts_of(entry) -> dict[str, int]:
    return {kind: note["count"] for kind, note in entry["repaired"].items()}


def test_fragments_are_joined_over_a_line_end_and_left_out_otherwise(read):
    text = "le parc\n  de Lens et de Lille"
    ann = "T1\tLOC 3 7;10 17\tparc de Lens\nT2\tLOC 3 10;21 29\tparc de Lille\n"
    found, entry = read((text, ann))
    assert found == [[("parc\n  de Lens", "LOC")]]
    assert counts_of(entry) == {
        "entity over a line end, joined": 1,
        "entity in several parts, left out": 1,
    }
    note = entry["repaired"]["entity in several parts, left out"]
    assert note["first"][0].endswith("in/0.ann:2")


def test_nested_entities_are_refused_or_the_longest_is_kept(read):
    pair = ("mairie de Lens", "T1\tLOC 10 14\tLens\nT2\tORG 0 14\tmairie de Lens\n")
    with pytest.raises(UserError, match="0.txt: entities 0–14 and 10–14 overlap"):
        read(pair)
    assert read(pair, overlaps="longest")[0] == [[("mairie de Lens", "ORG")]]


@pytest.mark.parametrize("ann", [ANN, ANN.replace("16 20", "17 21")])
def test_carriage_returns_are_counted_or_not(read, tmp_path, ann):
    found, entry = read((TEXT.replace("\n", "\r\n"), ann.replace("\n", "\r\n")))
    assert found == [[("Anne Roux", "PER"), ("Lens", "LOC")]]
    (doc,) = docs(tmp_path / "out/train.spacy")
    assert doc.text == "Anne Roux vit\nà Lens."
    expected = {"offsets that do not count carriage returns, converted": 1} if ann == ANN else {}
    assert counts_of(entry) == expected


@pytest.mark.parametrize("shift", [0, 1])
def test_a_byte_order_mark_is_counted_or_not(read, shift):
    ann = f"T1\tPER {shift} {9 + shift}\tAnne Roux\n"
    found, entry = read(("\ufeff" + TEXT, "\ufeff" + ann))
    assert found == [[("Anne Roux", "PER")]]
    expected = {"offsets that count the byte order mark, converted": 1} if shift else {}
    assert counts_of(entry) == expected


def test_offsets_in_utf_16_units_are_recognised(read):
    found, entry = read(("👋 Anne", "T1\tPER 3 7\tAnne\n"), ("Lens", "T1\tLOC 0 4\tLens\n"))
    assert found == [[("Anne", "PER")], [("Lens", "LOC")]]
    assert entry["layout"]["offsets in"] == "UTF-16 units"


def test_a_text_whose_entity_is_elsewhere_is_left_out(read):
    found, entry = read((TEXT, ANN), (TEXT, "T1\tPER 1 10\tAnne Roux\n"))
    assert len(found) == 1
    assert counts_in(entry) == {"text with an entity that is not at its offsets": 1}


def counts_in(entry) -> dict[str, int]:
    return {kind: note["count"] for kind, note in entry["skipped"].items()}


def test_files_without_their_pair_are_left_out_and_counted(write, tmp_path):
    for name, content in (("a.txt", TEXT), ("a.ann", ANN), ("b.txt", TEXT), ("c.ann", ANN)):
        write(f"in/{name}", content)
    write("in/annotation.conf", "[entities]\nPER\n")
    write("in/.stats_cache", "x")
    report = convert("brat", tmp_path / "in", tmp_path / "out")
    (entry,) = report["read"].values()
    assert counts_in(entry) == {"text without .ann file": 1, ".ann file without text": 1}
    assert report["ignored"]["file of another kind"]["count"] == 1
    assert entry["examples"] == 3 and entry["written"] == {"train": 1}


def test_folders_named_after_splits_are_the_splits(write, tmp_path):
    for folder in ("corpus/train/a/b", "corpus/dev", "corpus/Test", "corpus/other"):
        write(f"in/{folder}/x.v1.txt", TEXT)
        write(f"in/{folder}/x.v1.ann", ANN)
    report = convert("brat", tmp_path / "in", tmp_path / "out")
    assert {name: split["examples"] for name, split in report["splits"].items()} == {
        "train": 1, "dev": 1, "test": 1,
    }  # fmt: skip
    assert len(report["read"]) == 3
    assert report["ignored"]["file outside the folders of the splits"]["count"] == 2
    (doc,) = docs(tmp_path / "out/train.spacy")
    assert doc.user_data["file"] == "corpus/train/a/b/x.v1.txt"


def test_nested_folders_without_splits_are_train(write, tmp_path):
    for folder in ("a", "b/c", "b"):
        write(f"in/{folder}/x.txt", TEXT)
        write(f"in/{folder}/x.ann", ANN)
    report = convert("brat", tmp_path / "in", tmp_path / "out")
    assert report["splits"]["train"]["examples"] == 3


def test_two_folders_of_one_split_are_refused(write, tmp_path):
    for folder in ("train1", "train 2", "train"):
        write(f"in/{folder}/x.txt", TEXT)
        write(f"in/{folder}/x.ann", ANN)
    with pytest.raises(UserError, match="are named after the train split; rename or remove"):
        convert("brat", tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize(
    "ann",
    [
        "T1\tPER 0 9", "T1 PER 0 9 Anne Roux", "T1\tPER 0\tAnne", "T1\tPER x 9\tAnne", "x", "{}",
        "T1\tPER -1 9\tAnne", "T1\t0 9\tAnne",
    ],
)  # fmt: skip
def test_other_lines_are_refused_with_their_place(read, ann):
    with pytest.raises(UserError, match=r"in/0.ann:2: .* is no annotation of brat"):
        read((TEXT, f"\n{ann}\n"))


@pytest.mark.parametrize("offsets", ["0 0", "9 4", "0 99"])
def test_offsets_outside_the_text_are_refused(read, offsets):
    with pytest.raises(UserError, match=r"0.txt: entity \d+–\d+ is empty or outside its text"):
        read((TEXT, f"T1\tPER {offsets}\tAnne\n"))


@pytest.mark.parametrize("content", [b"\xff\xfe\0\0x", b"a\0b", b"caf\xe9"])
def test_what_is_not_text_is_refused_in_one_line(read, content):
    with pytest.raises(UserError, match=r"in/0.txt") as caught:
        read((content, ANN))
    assert "\n" not in str(caught.value)


def test_other_inputs_are_refused(write, tmp_path):
    with pytest.raises(UserError, match="two files; give their folder"):
        convert("brat", write("a.txt", TEXT), tmp_path / "out")
    write("in/a.csv", "text,label\n")
    with pytest.raises(UserError, match=r"in: no text \(.txt\) and .ann file found"):
        convert("brat", tmp_path / "in", tmp_path / "out")


def test_brat_is_recognised(write, tmp_path):
    write("in/deep/a.txt", TEXT)
    ann = write("in/deep/a.ann", ANN)
    assert recognise(tmp_path / "in") == recognise(ann) == "brat"
    write("alone/a.ann", ANN)
    with pytest.raises(UserError, match="not recognised"):
        recognise(tmp_path / "alone")
