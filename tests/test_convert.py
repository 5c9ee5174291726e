"""Conversion of raw files to DocBin on the command line."""

import hashlib
from collections import Counter

import pytest
import spacy
import srsly
from spacy.tokens import DocBin

from scripts import convert
from scripts.corpora import splits, writer

from .conftest import SAMPLE


def docs(path, language="fr"):
    return list(DocBin().from_disk(path).get_docs(spacy.blank(language).vocab))


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("*.spacy")}


def test_sample_reviews(command, tmp_path):
    result = command(convert, "cls", SAMPLE / "cls-fr", tmp_path / "out", "--lang", "fr")
    assert result.code == 0
    report = srsly.read_json(tmp_path / "out" / "report.json")
    counts = {name: split["labels"] for name, split in report["splits"].items()}
    assert counts == {
        "train": {"negative": 911, "positive": 911},
        "dev": {"negative": 53, "positive": 53},
        "test": {"negative": 106, "positive": 106},
    }
    assert set(report["shared"].values()) == {0}
    assert all(split["duplicates"] == 0 for split in report["splits"].values())
    texts = [doc.text for name in counts for doc in docs(tmp_path / "out" / f"{name}.spacy")]
    assert max(len(text.split()) for text in texts) <= 120
    assert min(len(text.split()) for text in texts) == 1


def test_sample_sentences(command, tmp_path):
    result = command(convert, "wikiner", SAMPLE / "ner-fr", tmp_path / "out", "--lang", "fr")
    assert result.code == 0
    report = srsly.read_json(tmp_path / "out" / "report.json")
    assert {name: split["examples"] for name, split in report["splits"].items()} == {
        "train": 1259,
        "dev": 109,
        "test": 187,
    }
    entities = Counter()
    for doc in docs(tmp_path / "out" / "test.spacy"):
        entities.update(entity.label_ for entity in doc.ents)
    assert dict(entities) == report["splits"]["test"]["entities"]
    assert sum(split["unaligned"]["count"] for split in report["splits"].values()) <= 5


@pytest.mark.parametrize(
    "format, folder, language, counts",
    [("sst2", "sst2-en", "en", (42, 2, 20)), ("iob", "conll-en", "en", (40, 10, 14))],
)
def test_english_samples(command, tmp_path, format, folder, language, counts):
    result = command(convert, format, SAMPLE / folder, tmp_path / "out", "--lang", language)
    assert result.code == 0
    found = [
        len(docs(tmp_path / "out" / f"{name}.spacy", "en")) for name in ("train", "dev", "test")
    ]
    assert tuple(found) == counts


def sentences(tmp_path, n, name="corpus.wikiner"):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"mot{i}|_|O à|_|O Lyon|_|I-LOC .|_|O\n" for i in range(n)), "utf8")
    return path


def test_conversion_is_reproducible_and_depends_on_the_seed(command, tmp_path):
    path = sentences(tmp_path, 200)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        ratios = ("--dev-ratio", 0.1, "--test-ratio", 0.2, "--seed", seed)
        assert command(convert, "wikiner", path, tmp_path / name, "--lang", "fr", *ratios).code == 0
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert digests(tmp_path / "a")["dev.spacy"] != digests(tmp_path / "c")["dev.spacy"]
    sizes = [len(docs(tmp_path / "a" / f"{name}.spacy")) for name in ("train", "dev", "test")]
    assert sizes == [140, 20, 40]
    texts = [
        d.text for name in ("train", "dev", "test") for d in docs(tmp_path / "a" / f"{name}.spacy")
    ]
    assert len(set(texts)) == 200


def test_train_size_is_exact_and_stratified(command, tmp_path):
    folder = tmp_path / "sst2"
    folder.mkdir()
    rows = "".join(f"text {i}\t{int(i % 4 == 0)}\n" for i in range(400))
    (folder / "train.tsv").write_text("sentence\tlabel\n" + rows)
    options = ("--lang", "en", "--dev-ratio", 0.1, "--train-size", 100)
    assert command(convert, "sst2", folder, tmp_path / "out", *options).code == 0
    report = srsly.read_json(tmp_path / "out" / "report.json")
    assert report["splits"]["train"]["labels"] == {"negative": 75, "positive": 25}
    assert report["splits"]["dev"]["labels"] == {"negative": 30, "positive": 10}
    (read,) = report["read"].values()
    assert read["examples"] == 400 and read["written"] == {"train": 100, "dev": 40}
    assert read["skipped"]["left out by --train-size"]["count"] == 260


def test_apportion_distributes_the_exact_total():
    assert splits.apportion(10, {"a": 1, "b": 1, "c": 1}) == {"a": 4, "b": 3, "c": 3}
    assert splits.apportion(0, {"a": 5}) == {"a": 0}


def test_large_split_becomes_a_folder_of_shards_readable_by_spacy(command, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "SHARD_TOKENS", 100)
    path = sentences(tmp_path, 90)
    options = ("--lang", "fr", "--dev-ratio", 0, "--test-ratio", 0)
    assert command(convert, "wikiner", path, tmp_path / "out", *options).code == 0
    assert len(list((tmp_path / "out" / "train.spacy").glob("*.spacy"))) == 4
    corpus = spacy.training.Corpus(tmp_path / "out" / "train.spacy")
    assert len(list(corpus(spacy.blank("fr")))) == 90
    # Converted again into a single shard, the folder becomes a file.
    monkeypatch.undo()
    assert command(convert, "wikiner", path, tmp_path / "out", *options).code == 0
    assert (tmp_path / "out" / "train.spacy").is_file()


def test_duplicates_and_shared_texts_are_counted(command, tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "train.wikiner").write_text("a|_|O\nb|_|I-LOC\na|_|O\n")
    (folder / "test.wikiner").write_text("b|_|O\nc|_|O\n")
    assert (
        command(convert, "wikiner", folder, tmp_path / "out", "--lang", "fr", "--dev-ratio", 0).code
        == 0
    )
    report = srsly.read_json(tmp_path / "out" / "report.json")
    assert report["splits"]["train"]["duplicates"] == 1
    assert report["shared"] == {"train/test": 1}


def test_unaligned_entities_are_counted_with_their_location(command, tmp_path):
    path = tmp_path / "train.iob"
    path.write_text("chez O\nAT&T B-ORG\n. O\n\nà O\nLens B-LOC\n. O\n", "utf8")
    assert command(convert, "iob", path, tmp_path / "out", "--lang", "fr").code == 0
    train = srsly.read_json(tmp_path / "out" / "report.json")["splits"]["train"]
    assert train["entities"] == {"LOC": 1, "ORG": 1}
    # spaCy's French tokenizer keeps "AT&T." as one token.
    assert train["unaligned"] == {"count": 1, "first": [f"{path}:1: AT&T"]}


def test_original_wikiner_file_is_carved_into_splits(command, tmp_path):
    folder = sentences(tmp_path / "wikiner", 50, "aij-wikiner-fr-wp2").parent
    assert command(convert, "wikiner", folder, tmp_path / "out", "--lang", "fr").code == 0
    splits = srsly.read_json(tmp_path / "out" / "report.json")["splits"]
    assert {name: s["examples"] for name, s in splits.items()} == {"train": 40, "dev": 5, "test": 5}


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("iob", "nowhere", "out", "--lang", "fr"), "nowhere: no such file or folder"),
        (("iob", "empty", "out", "--lang", "fr"), "no corpus files found"),
        (
            ("iob", "empty/notes.txt", "out", "--lang", "fr"),
            "no examples found (the file is empty)",
        ),
        (
            ("iob", "bad.iob", "out", "--lang", "fr"),
            "bad.iob:3: expected 2 columns, found 1: 'end'",
        ),
        (("iob", "good.iob", "out", "--lang", "zz"), "spaCy has no language 'zz'"),
        (
            ("iob", "good.iob", "out", "--lang", "fr", "--split", "dev", "--test-ratio", ".2"),
            "no train split",
        ),
    ],
)
def test_errors_are_one_line_and_leave_existing_files_unchanged(
    command, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("")
    (tmp_path / "empty" / "other.txt").write_text("")
    (tmp_path / "bad.iob").write_text("Paris B-LOC\n\nend\n")
    (tmp_path / "good.iob").write_text("Paris B-LOC\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "train.spacy").write_bytes(b"before")
    result = command(convert, *arguments)
    assert result.code == 1
    assert message in result.line
    assert "Traceback" not in result.out + result.err
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["train.spacy"]
    assert (tmp_path / "out" / "train.spacy").read_bytes() == b"before"
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".out")]


@pytest.mark.parametrize("name", ["iob", "table"])
def test_token_longer_than_an_encoder_accepts_is_reported(command, tmp_path, name):
    word = "x" * 501
    if name == "iob":
        (tmp_path / "a.conll").write_text(f"Lens B-LOC\n{word} O\n\n{word[1:]} O\n")
        source, place = tmp_path / "a.conll", "a.conll:1"
    else:
        rows = [f"Lens {word} !", f"Lens {word[1:]}\u00a0!", "a/" * 300]
        lines = [{"text": t, "label": "ab"[i % 2]} for i, t in enumerate(rows)]
        (tmp_path / "a.jsonl").write_text("\n".join(map(srsly.json_dumps, lines)))
        source, place = tmp_path / "a.jsonl", "a.jsonl:1"
    result = command(convert, name, source, tmp_path / "out", "--lang", "fr")
    assert result.code == 0 and "token of more than 500 characters" in result.out
    found = srsly.read_json(tmp_path / "out" / "report.json")["splits"]["train"]["long tokens"]
    assert found["count"] == 1 and found["first"] == [f"{tmp_path / place}: {'x' * 40}"]
