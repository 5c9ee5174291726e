"""Each reader on small files in the published formats, with exact counts."""

import bz2

import pytest

from scripts.common.errors import UserError
from scripts.common.raw_text import read_lines
from scripts.common.rawfile import RawFile
from scripts.common.split_names import find_files, split_of
from scripts.corpora.examples import Log, Notes
from scripts.corpora.options import Options
from scripts.corpora.readers import cls, iob, sst2, wikiner


def read(reader, path, **options):
    log = Log()
    return list(reader.read(RawFile(path), Options(**options), log)), log.skipped, log.repaired


CONLL = """-DOCSTART- -X- -X- O

EU NNP B-NP I-ORG
rejects VBZ B-VP O
German JJ B-NP I-MISC
call NN I-NP O

-DOCSTART- -X- O O

Peter NNP B-NP I-PER
Blackburn NNP I-NP I-PER
Paris NNP B-NP I-LOC
Rome NNP B-NP B-LOC
"""


def test_conll_columns_and_iob1(write):
    sentences, _, repaired = read(iob, write("eng.train", CONLL))
    assert [s.words for s in sentences] == [
        ["EU", "rejects", "German", "call"],
        ["Peter", "Blackburn", "Paris", "Rome"],
    ]
    assert sentences[0].entities == [(0, 1, "ORG"), (2, 3, "MISC")]
    assert sentences[1].entities == [(0, 2, "PER"), (2, 3, "LOC"), (3, 4, "LOC")]
    # IOB1 entities begin with I-: there is nothing to repair.
    assert repaired.to_json() == {}


def test_two_tab_separated_columns_and_labels_with_hyphens(write):
    text = "\ufeffStar\tB-creative-work\nWars\tI-creative-work\n\t\nok\tO\nLyon\tI-location\n"
    sentences, _, repaired = read(iob, write("train.conll", text))
    assert [s.entities for s in sentences] == [[(0, 2, "creative-work")], [(1, 2, "location")]]
    assert sentences[0].words == ["Star", "Wars"]
    (note,) = repaired.to_json().values()
    assert note["count"] == 1 and note["first"][0].endswith("train.conll:5")


def test_index_column_is_detected(write):
    sentences, _, _ = read(iob, write("val.conllu", "0\tRue\tB-LOC\n1\t7\tI-LOC\n\n0\tNon\tO\n"))
    assert [s.words for s in sentences] == [["Rue", "7"], ["Non"]]


@pytest.mark.parametrize(
    "tags, entities",
    [
        ("B-P E-P S-P", [(0, 2, "P"), (2, 3, "P")]),
        ("B-P L-P U-P", [(0, 2, "P"), (2, 3, "P")]),
        ("B-P I-L I-L", [(0, 1, "P"), (1, 3, "L")]),
        ("O I-P I-P", [(1, 3, "P")]),
        ("B-P B-P I-P", [(0, 1, "P"), (1, 3, "P")]),
    ],
)
def test_tag_schemes(write, tags, entities):
    text = "".join(f"w {tag}\n" for tag in tags.split())
    sentences, _, _ = read(iob, write("train.iob", text))
    assert sentences[0].entities == entities


def test_file_without_blank_lines_is_split_outside_entities(write):
    text = "".join(f"w{i} {'I-PER' if 248 <= i <= 252 else 'O'}\n" for i in range(600))
    sentences, _, repaired = read(iob, write("train.bio", text))
    assert [len(s.words) for s in sentences] == [253, 250, 97]
    assert sum(len(s.entities) for s in sentences) == 1
    assert sum(note["count"] for note in repaired.to_json().values()) == 2


def test_wikiner_plain_and_bz2(write):
    text = "L'|DET:ART|O Express|NAM|I-ORG a|b|VER|O\n\nParis|NAM|I-LOC Lyon|NAM|B-LOC\n"
    plain, _, _ = read(wikiner, write("train.wikiner", text))
    packed, _, _ = read(wikiner, write("train.bz2", bz2.compress(text.encode("utf8"))))
    assert plain == packed
    assert plain[0].words == ["L'", "Express", "a|b"]
    assert plain[1].entities == [(0, 1, "LOC"), (1, 2, "LOC")]


def test_sst2_columns_are_found_by_name_and_text_is_stripped(write):
    path = write("train.tsv", 'label\tsentence\r\n1\ta "quoted film \r\n0\t \r\n0\tflat .\r\n')
    texts, skipped, _ = read(sst2, path)
    assert [(t.text, t.label) for t in texts] == [
        ('a "quoted film', "positive"),
        ("flat .", "negative"),
    ]
    assert skipped.to_json()["empty text"]["count"] == 1


def test_sst2_validation_becomes_test_and_unlabelled_test_is_reported(write):
    folder = write("train.tsv", "sentence\tlabel\nx\t1\n").parent
    write("dev.tsv", "sentence\tlabel\ny\t0\n")
    write("test.tsv", "index\tsentence\n0\tz\n1\tzz\n")
    skipped = Notes()
    files = sst2.find(folder, "en", Options(), skipped)
    assert {split: path.name for split, (path,) in files.items()} == {
        "train": "train.tsv",
        "test": "dev.tsv",
    }
    assert skipped.counts["without label"] == 2


REVIEWS = """<?xml version="1.0" encoding="UTF-8"?>
<items>
<item><category>Livres</category><rating>2.0</rating><text>Trop long,
 &amp;amp; plat\u0085</text><title>T</title></item>
<item><category>Livres</category><rating>5.0</rating><text>Un c\u009cur e\u0301norme</text></item>
<item><category>Livres</category><rating>3.0</rating><text>moyen</text></item>
<item><category>Livres</category><rating>4.0</rating><text> </text></item>
<item><category>Livres</category><text>sans note</text></item>
</items>
"""


def test_cls_rating_and_cleaning(write):
    texts, skipped, _ = read(cls, write("train.review", REVIEWS))
    assert [(t.text, t.label, t.stratum) for t in texts] == [
        ("Trop long, & plat…", "negative", "Livres/negative"),
        ("Un cœur énorme", "positive", "Livres/positive"),
    ]
    assert sum(skipped.counts.values()) == 3


def test_cls_reads_the_folder_of_the_language(write, tmp_path):
    for language in ("de", "fr"):
        for category in ("books", "dvd"):
            write(f"cls/{language}/{category}/train.review", REVIEWS)
            write(f"cls/{language}/{category}/unlabeled.review", REVIEWS)
    skipped = Notes()
    files = cls.find(tmp_path, "fr", Options(), skipped)
    assert [path.parent.name for path in files["train"]] == ["books", "dvd"]
    assert all("fr" in path.parts for path in files["train"])
    assert skipped.counts["file without labels"] == 2


@pytest.mark.parametrize(
    "name, split",
    [
        ("eng.train", "train"),
        ("eng.testa", "dev"),
        ("eng.testb", "test"),
        ("valid.txt", "dev"),
        ("validation.tsv", "dev"),
        ("emerging.dev.conll", "dev"),
        ("emerging.test.annotated", "test"),
        ("wnut17train.conll", "train"),
        ("en_tale-ud-train.conllu", "train"),
        ("train-00000-of-00001.parquet", "train"),
        ("test_data_allocine.csv", "test"),
        ("FRE_valid_2.tsv", "dev"),
        ("TrainSet.tsv", "train"),
        ("devel2.bio", "dev"),
        ("train.review.gz", "train"),
        ("notes.txt", None),
        # Parts of words do not count.
        ("medieval.conll", None),
        ("latest.txt", None),
        ("contest.tsv", None),
        ("restrain.conll", None),
        ("valentine.txt", None),
        ("é" + "test.txt", None),
        ("unlabeled.review", None),
    ],
)
def test_split_is_identified_by_file_name(tmp_path, name, split):
    assert split_of(tmp_path / name) == split


def test_file_not_named_after_a_split_is_ignored(write):
    folder = write("train.conll", "a O\n").parent
    write("latest.txt", "b O\n")
    ignored = Notes()
    files = find_files(folder, ignored.add)
    assert {split: path.name for split, (path,) in files.items()} == {"train": "train.conll"}
    assert ignored.locations == {"file not named after a split": [str(folder / "latest.txt")]}


@pytest.mark.parametrize(
    "name, lines",
    [
        ("a.TRS", ["euh oui"]),
        ("a.trs.gz", ["euh oui"]),
        ("notes.trs.txt", ["<Turn><Sync/>euh oui</Turn>"]),
    ],
)
def test_transcript_is_identified_by_its_suffix(write, name, lines):
    path = write(name, "<Turn><Sync/>euh oui</Turn>")
    assert list(read_lines(path)) == lines
    assert list(read_lines(path.parent)) == lines


def test_two_files_named_after_one_split_are_refused(write):
    folder = write("train.conll", "a O\n").parent
    write("train2.conll", "a O\n")
    with pytest.raises(
        UserError, match="both train.conll and train2.conll are named after the train"
    ):
        find_files(folder, Notes().add)


@pytest.mark.parametrize(
    "reader, name, content, message",
    [
        (
            iob,
            "train.iob",
            "Paris B-LOC\nword\n",
            r"train.iob:2: expected 2 columns, found 1: 'word'",
        ),
        (iob, "train.iob", "Paris LOC\n", r"train.iob:1: no column of tags"),
        (iob, "train.iob", "à O\nParis -LOC\n. O\n", r"train.iob:2: '-LOC' is not a tag"),
        (iob, "train.iob", "à O\nParis BI-LOC\n. O\n", r"train.iob:2: 'BI-LOC' is not a tag"),
        (iob, "train.iob", "w O\n" * 260 + "w\t\n", r"'' is not a tag"),
        (iob, "train.iob", b"caf\xe9 O\n", r"train.iob:1: not valid UTF-8"),
        (wikiner, "train.wikiner", "a|b|O\nParis\n", r"train.wikiner:2: 'Paris' is not word"),
        (wikiner, "train.bz2", bz2.compress(b"a|X|O\n" * 50000)[:-20], "truncated"),
        (sst2, "train.tsv", "a film\t1\n", r"train.tsv:1: no column 'sentence'"),
        (
            sst2,
            "train.tsv",
            "sentence\tlabel\nx\t1\textra\n",
            r"train.tsv:2: expected 2 columns .*, found 3",
        ),
        (sst2, "train.tsv", "sentence\tlabel\nx\tpos\n", r"train.tsv:2: invalid label 'pos'"),
        (cls, "train.review", "<items><item></items>", r"train.review:1: malformed XML"),
        (cls, "train.review", "", r"train.review.*(no XML|malformed XML)"),
    ],
)
def test_invalid_input_is_reported_with_its_location(write, reader, name, content, message):
    with pytest.raises(UserError, match=message):
        read(reader, write(name, content))
