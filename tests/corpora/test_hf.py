"""Hugging Face's token classification: tokens and tags, as strings or as numbers."""

import io
import json

import pyarrow
import pyarrow.parquet
import pytest

from scripts.common.errors import UserError
from scripts.corpora.readers import hf, recognise

from .reading import counts, docs, read

TOKENS = [["Ada", "Lovelace", "vit", "à", "Londres"], ["Rien"]]
TAGS = [["B-PER", "I-PER", "O", "O", "B-LOC"], ["O"]]
NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
NUMBERS = [[NAMES.index(tag) for tag in tags] for tags in TAGS]
ENTITIES = [[(0, 2, "PER"), (4, 5, "LOC")], []]
NAMED = ",".join(f"{number}={name}" for number, name in enumerate(NAMES))
CLASSES = {"names": NAMES, "_type": "ClassLabel"}


def lines(*rows: dict) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def parquet(feature=None, **columns) -> bytes:
    """A Parquet file with the metadata of `datasets`, in which ner_tags are described as `feature`."""
    table = pyarrow.table(columns)
    if feature is not None:
        info = {"info": {"features": {"tokens": {}, "ner_tags": feature}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    stream = io.BytesIO()
    pyarrow.parquet.write_table(table, stream)
    return stream.getvalue()


@pytest.mark.parametrize("tokens", ["tokens", "words"])
@pytest.mark.parametrize("tags", ["ner_tags", "tags", "labels", "ner"])
@pytest.mark.parametrize("array", [False, True], ids=["lines", "array"])
def test_string_tags_in_json(write, tokens, tags, array):
    rows = [{"id": n, tokens: x, tags: y, "pos_tags": ["X"] * len(x)} for n, (x, y) in enumerate(zip(TOKENS, TAGS))]  # fmt: skip
    path = write("train.json", json.dumps(rows, indent=1) if array else lines(*rows))
    assert recognise(path) == "hf"
    sentences, log = read(hf, path)
    assert [x.words for x in sentences] == TOKENS and [x.entities for x in sentences] == ENTITIES
    assert log.layout["tag_column"] == tags and log.layout["tags"] == "IOB2"
    assert log.layout["also in the file"] == "pos_tags"


def test_numbers_in_json_need_names(write):
    path = write(
        "train.jsonl", lines(*({"tokens": x, "ner_tags": y} for x, y in zip(TOKENS, NUMBERS)))
    )
    assert recognise(path) == "hf"
    with pytest.raises(
        UserError, match="train.jsonl:1: tag 1 is a number without a name; .*--label-names"
    ):
        read(hf, path)
    sentences, _ = read(hf, path, label_names=NAMED)
    assert [x.entities for x in sentences] == ENTITIES
    with pytest.raises(
        UserError, match="tag 3 is a number without a name; there are names for 0, 1, 2"
    ):
        read(hf, path, label_names="0=O,1=B-PER,2=I-PER")


@pytest.mark.parametrize(
    "feature",
    [
        {"feature": CLASSES, "_type": "List"},
        {"feature": CLASSES, "_type": "LargeList"},
        {"feature": {"num_classes": 5, "id": None, **CLASSES}, "length": -1, "_type": "Sequence"},
        [CLASSES],
    ],
    ids=["List", "LargeList", "Sequence", "list"],
)
@pytest.mark.parametrize("large", [False, True])
def test_parquet_with_names_in_its_schema(write, feature, large):
    kind = pyarrow.large_list if large else pyarrow.list_
    columns = {
        "tokens": pyarrow.array(TOKENS, kind(pyarrow.string())),
        "ner_tags": pyarrow.array(NUMBERS, kind(pyarrow.int64())),
    }
    path = write("train.parquet", parquet(feature, **columns))
    assert recognise(path) == "hf"
    sentences, _ = read(hf, path)
    assert [x.words for x in sentences] == TOKENS and [x.entities for x in sentences] == ENTITIES
    # The user's names come before those of the file.
    sentences, _ = read(hf, path, label_names=NAMED.replace("PER", "Personne"))
    assert sentences[0].entities[0] == (0, 2, "Personne")


def test_parquet_of_strings_and_of_numbers_without_names(write):
    path = write("train.parquet", parquet(tokens=TOKENS, tags=TAGS))
    assert recognise(path) == "hf"
    assert [x.entities for x in read(hf, path)[0]] == ENTITIES
    for feature in (
        None,
        {"feature": {"dtype": "int64"}},
        "x",
        {"feature": {**CLASSES, "names": 3}},
    ):
        path = write("train.parquet", parquet(feature, tokens=TOKENS, ner_tags=NUMBERS))
        with pytest.raises(UserError, match="row 1: tag 1 is a number without a name"):
            read(hf, path)


def test_types_without_prefixes(write):
    """As in Few-NERD: neighbours of one type are one entity."""
    tags = [["person", "person", "O", "O", "place"], ["O"]]
    rows = [{"tokens": x, "ner_tags": y, "fine_ner_tags": y} for x, y in zip(TOKENS, tags)]
    sentences, log = read(hf, write("train.jsonl", lines(*rows)))
    assert sentences[0].entities == [(0, 2, "person"), (4, 5, "place")]
    assert log.layout["tags"] == "I-only" and log.layout["also in the file"] == "fine_ner_tags"
    # Parts of speech have no O: they are never entities.
    rows = [{"tokens": ["Ada", "vit"], "tags": ["PROPN", "VERB"]}]
    with pytest.raises(UserError, match="'PROPN' is not a tag.*--label-column"):
        read(hf, write("train.jsonl", lines(*rows)))


def test_rows_without_tokens_or_tags_are_counted(write):
    rows = [
        {"tokens": ["a"], "ner_tags": ["B-X"]},
        {"tokens": [], "ner_tags": []},
        {"tokens": None, "ner_tags": None},
        {"tokens": ["a"], "ner_tags": None},
        {"tokens": ["a"]},
    ]
    sentences, log = read(hf, write("train.jsonl", lines(*rows)))
    assert len(sentences) == 1
    assert counts(log.skipped) == {"empty text": 2, "without annotation": 2}


@pytest.mark.parametrize(
    "row, message",
    [
        ({"tokens": ["a", "b"], "ner_tags": ["O"]}, "2 tokens but 1 ner_tags"),
        ({"tokens": ["a"], "ner_tags": [None]}, "'None' is not a tag"),
        ({"tokens": ["a"], "ner_tags": [1.0]}, "'1.0' is not a tag"),
        ({"tokens": ["a"], "ner_tags": [-100]}, "tag -100 is a number without a name"),
        ({"tokens": ["a"], "ner_tags": ["PER"]}, "'PER' is not a tag"),
        ({"tokens": ["a"], "ner_tags": "O"}, "must be lists"),
        ({"tokens": [3], "ner_tags": ["O"]}, "must be lists"),
        ({"tokens": [{"text": "a"}], "ner_tags": ["O"]}, "must be lists"),
    ],
)
def test_invalid_rows_are_refused_with_their_line(write, row, message):
    path = write("train.jsonl", lines({"tokens": ["Ada"], "ner_tags": ["B-PER"]}, row))
    with pytest.raises(UserError, match=f"train.jsonl:2: .*{message}"):
        read(hf, path)


def test_missing_columns_are_named(write):
    path = write("train.jsonl", lines({"tokens": ["a"], "classes": ["O"]}))
    with pytest.raises(UserError, match="--label-column"):
        read(hf, path)
    assert len(read(hf, path, label_column="classes")[0]) == 1


@pytest.mark.parametrize(
    "name, content",
    [
        ("train.jsonl", lines({"text": "a b", "label": "x"})),
        ("train.jsonl", lines({"text": "a", "tokens": [{"text": "a", "id": 0}], "spans": [], "label": "x"})),
        ("train.jsonl", lines({"text": "a b", "tokens": ["a", "b"], "labels": ["x", "y", "z"]})),
        ("train.parquet", parquet(text=["a", "b"], label=[0, 1])),
        ("train.parquet", parquet(text=["a"], tokens=[["a"]], label=["x"])),
        ("train.parquet", b"PAR1"),
        ("train.parquet", b""),
        ("train.conll", "Ada B-PER\nvit O\n"),
    ],
)  # fmt: skip
def test_other_files_are_not_recognised(write, name, content):
    try:
        assert recognise(write(name, content)) != "hf"
    except UserError as error:
        assert "not recognised" in str(error)


def test_damaged_files_give_one_line(write):
    content = parquet(tokens=TOKENS, ner_tags=TAGS)
    for damaged in (b"", b"PAR1", content[:-20], content[: len(content) // 2]):
        with pytest.raises(UserError, match="invalid or truncated Parquet"):
            read(hf, write("train.parquet", damaged))
    for damaged in ("[", '{"tokens": ["a"', "\x00", "3\n"):
        with pytest.raises(UserError):
            read(hf, write("train.json", damaged))


def test_shards_of_a_split_are_read_together(write, tmp_path, command):
    for number in range(2):
        tokens, tags = [[f"mot{number}"]], [["B-X"]]
        write(f"data/train-0000{number}-of-00002.parquet", parquet(tokens=tokens, ner_tags=tags))
    write("data/validation-00000-of-00001.parquet", parquet(tokens=[["dev"]], ner_tags=[["O"]]))
    result = command("convert", "auto", tmp_path / "data", tmp_path / "out", "--lang", "fr")
    assert result.code == 0
    assert [d.text for d in docs(tmp_path / "out/train.spacy")] == ["mot0", "mot1"]
    (tmp_path / "data/train-00001-of-00002.parquet").unlink()
    result = command("convert", "auto", tmp_path / "data", tmp_path / "out", "--lang", "fr")
    assert result.code == 1 and "only 1 of 2 parts" in result.line
