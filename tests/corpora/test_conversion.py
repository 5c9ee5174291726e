"""The report, options that drop examples, and round trips of arbitrary tokens."""

import re
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.corpora.options import Plan

from .reading import (
    BYTE_ORDER_MARK,
    NO_BREAK_SPACE,
    SCHEMES,
    ZERO_WIDTH_SPACE,
    convert,
    docs,
    found,
    json_lines,
    lines_of,
    text_of,
)


def rows(*pairs: str) -> str:
    """Return JSON Lines of "a+" and "b-", texts with labels; "c?" has no label, "+" no text."""
    labels = {"+": "pos", "-": "neg", "?": None}
    return json_lines([(pair[:-1], labels[pair[-1]]) for pair in pairs], "text", "label")


def check_counts(report: dict) -> None:
    """Check that the report accounts for every example."""
    for read in report["read"].values():
        skipped = sum(note["count"] for note in read["skipped"].values())
        assert read["examples"] == sum(read["written"].values()) + skipped
    for name, split in report["splits"].items():
        assert split["examples"] == sum(r["written"].get(name, 0) for r in report["read"].values())


def texts(folder: Path, split: str) -> list[str]:
    path = folder / f"{split}.spacy"
    return [doc.text for doc in docs(path)] if path.exists() else []


@pytest.fixture
def three_splits(write, tmp_path):
    write("raw/train.jsonl", rows("a+", "b-", "a+", "a-", "c+", "d-", "e?", "+", "f+", "g-"))
    write("raw/dev.jsonl", rows("b-", "h+", "h+", "c+", "i-"))
    write("raw/test.jsonl", rows("c-", "j+", "d-", "d-"))
    return tmp_path / "raw"


@pytest.mark.parametrize(
    "plan, train, dev, test",
    [
        (Plan(), "abaacdfg", "bhhci", "cjdd"),
        (Plan(drop_duplicates=True), "abcdfg", "bhci", "cjd"),
        (Plan(drop_leaks=True), "aaafg", "bhhi", "cjdd"),
        (Plan(drop_duplicates=True, drop_leaks=True), "afg", "bhi", "cjd"),
    ],
)
def test_report_accounts_for_every_example(three_splits, tmp_path, plan, train, dev, test):
    report = convert("table", three_splits, tmp_path / "out", plan)
    got = {split: "".join(texts(tmp_path / "out", split)) for split in ("train", "dev", "test")}
    assert got == {"train": train, "dev": dev, "test": test}
    check_counts(report)
    assert [read["examples"] for read in report["read"].values()] == [10, 5, 4]
    skipped = Counter()
    for read in report["read"].values():
        skipped.update({kind: note["count"] for kind, note in read["skipped"].items()})
    assert skipped["without label"] == 1 and skipped["empty text"] == 1
    assert sum(skipped.values()) == 19 - len(train + dev + test)
    assert {name: split["duplicates"] for name, split in report["splits"].items()} == {
        name: len(split) - len(set(split)) for name, split in got.items()
    }
    assert report["shared"] == {
        f"{x}/{y}": len(set(got[x]) & set(got[y]))
        for x, y in (("train", "dev"), ("train", "test"), ("dev", "test"))
    }


@pytest.mark.parametrize("size", [None, 30])
@pytest.mark.parametrize("seed", range(3))
def test_leaks_between_carved_splits_are_dropped(write, tmp_path, seed, size):
    # Half of them are copies of four texts, too many to be kept in one split.
    pairs = [f"t{i if i < 100 else i % 4}{'+-'[i % 2]}" for i in range(200)]
    path = write("corpus.jsonl", rows(*pairs))
    plan = Plan(dev_ratio=0.2, test_ratio=0.2, seed=seed, train_size=size)
    leaky = convert("table", path, tmp_path / "leaky", plan)
    assert all(leaky["shared"].values())
    report = convert("table", path, tmp_path / "out", plan._replace(drop_leaks=True))
    check_counts(report)
    (read,) = report["read"].values()
    assert read["examples"] == 200
    train, dev, test = (set(texts(tmp_path / "out", name)) for name in ("train", "dev", "test"))
    assert not train & dev and not train & test and not dev & test
    # Nothing is dropped from test, and from dev only what is in test.
    before = {name: texts(tmp_path / "leaky", name) for name in ("train", "dev", "test")}
    assert texts(tmp_path / "out", "test") == before["test"]
    kept = [text for text in before["dev"] if text not in set(before["test"])]
    assert texts(tmp_path / "out", "dev") == kept
    evaluated = set(before["dev"]) | set(before["test"])
    assert texts(tmp_path / "out", "train") == [
        text for text in before["train"] if text not in evaluated
    ]
    assert set(report["shared"].values()) == {0}


def test_dev_is_carved_if_there_is_a_test_split(write, tmp_path):
    write("raw/train.jsonl", rows(*[f"t{i % 40}{'+-'[i % 2]}" for i in range(100)]))
    write("raw/test.jsonl", rows("t0+", "t1-", "u-"))
    plan = Plan(dev_ratio=0.2, drop_leaks=True)
    report = convert("table", tmp_path / "raw", tmp_path / "out", plan)
    check_counts(report)
    assert set(report["shared"].values()) == {0}
    assert texts(tmp_path / "out", "test") == ["t0", "t1", "u"]


def test_texts_with_different_annotations_are_counted(write, tmp_path):
    write("a/train.jsonl", rows("x+", "x-", "x+", "y+", "z-"))
    write("a/test.jsonl", rows("y-", "z-", "w+"))
    report = convert("table", tmp_path / "a", tmp_path / "out")
    assert report["texts annotated in several ways"] == 2
    text = "à O\nLyon B-LOC\n\nà O\nLyon B-ORG\n\nà O\nLyon B-LOC\n\nLyon B-LOC\n"
    report = convert("iob", write("train.iob", text), tmp_path / "tagged")
    assert report["texts annotated in several ways"] == 1
    assert report["splits"]["train"]["duplicates"] == 2


@pytest.mark.parametrize(
    "name, file, content, options",
    [
        ("iob", "train.conll", "a\tB-PER\nb\tI-LOC\nc\tB-LOC\n", {}),
        ("iob", "train.conll", f"a\tB-PER\nb\tO{ZERO_WIDTH_SPACE}\nc\tO\n", {}),
        ("iob", "train.conll", "a\tB-PER\n\tO\n", {}),
        ("iob", "train.conll", "a\tB-PER\n" * 10, {"max_words": 5}),
        ("table", "train.jsonl", '{"text": "a b ", "spans": [[0, 2, "X"]]}', {}),
        (
            "table",
            "train.jsonl",
            '{"text": "a b ", "spans": [[0, 1, "X"], [0, 3, "X"]]}',
            {"overlaps": "longest"},
        ),
    ],
)
def test_strict_refuses_repairs(write, tmp_path, name, file, content, options):
    path = write(file, content)
    report = convert(name, path, tmp_path / "out", **options)
    check_counts(report)
    (read,) = report["read"].values()
    assert sum(note["count"] for note in read["repaired"].values()) == 1
    with pytest.raises(UserError, match=rf"{file}:\d+: .*--strict"):
        convert(name, path, tmp_path / "strict", Plan(strict=True), **options)
    assert not (tmp_path / "strict").exists()


def test_strict_accepts_what_needs_no_repair(write, tmp_path):
    for scheme in SCHEMES:
        path = write("train.conll", text_of(lines_of("wt", scheme)))
        report = convert("iob", path, tmp_path / scheme, Plan(strict=True))
        check_counts(report)
        assert report["splits"]["train"]["entities"] == {"PER": 1, "LOC": 2, "creative-work": 1}


# Arbitrary tokens ----------------------------------------------------------------------------------------

EDGES = [
    "#",
    "# ",
    "-",
    "|",
    '"',
    "'",
    "B-PER",
    "O",
    "I-LOC",
    "fr:a",
    "1",
    "0",
    " ",
    "  ",
    "\u200b",
]
EDGES += [NO_BREAK_SPACE, BYTE_ORDER_MARK, "\x85", "\u2028", "\x1c", "x-DOCSTART-", "NP", "_", ""]
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r\0")
ANY_WORD = st.one_of(st.text(CHARACTERS, max_size=8), st.sampled_from(EDGES))


@st.composite
def tagged(draw) -> tuple[list[str], list[tuple[int, int, str]]]:
    """Draw a sentence and entities in it that do not overlap."""
    words = draw(st.lists(ANY_WORD, min_size=1, max_size=12))
    entities = []
    start = 0
    while start < len(words):
        length = draw(st.integers(0, 4))
        end = min(start + length, len(words))
        # Whitespace at the edges of an entity would be trimmed.
        if length and not (words[start][:1].isspace() or words[end - 1][-1:].isspace()):
            entities.append((start, end, draw(st.sampled_from(["PER", "creative-work", "NP"]))))
            start = end
        else:
            start += 1
    return words, entities


def prefixes(length: int, scheme: str) -> str:
    if scheme == "IOB2":
        return "B" + "I" * (length - 1)
    single, last = "SE" if scheme == "IOBES" else "UL"
    return single if length == 1 else "B" + "I" * (length - 2) + last


@settings(max_examples=60, deadline=None)
@given(
    sentences=st.lists(tagged(), min_size=1, max_size=5),
    scheme=st.sampled_from(["IOB2", "IOBES", "BILUO"]),
    columns=st.sampled_from(["{w}\t{t}", "{t}\t{w}", "{i}\t{w}\t{t}", "{w}\tX\t{t}"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig"]),
    language=st.sampled_from(["en", "xx"]),
)
def test_arbitrary_tokens_survive_conversion(sentences, scheme, columns, encoding, language):
    every = [word for words, _ in sentences for word in words]
    # A corpus without an entity is refused.
    assume(any(entities for _, entities in sentences))
    # Begins a document, also after zero-width characters.
    assume(
        not any(word.lstrip("\u200b\u200c\u200d\u2060\ufeff").startswith("-DOC") for word in every)
    )
    # A byte order mark at the start of the file is not part of the text.
    assume(encoding == "utf-8-sig" or not every[0].startswith(BYTE_ORDER_MARK))
    # The magic number of bzip2.
    assume(not every[0].startswith("BZh"))
    # Read as WikiANN if all tokens have the same language prefix.
    assume(len({word[: word.find(":") + 1] for word in every}) > 1 or ":" not in every[0])
    # With tags in both columns, the user has to choose.
    like_tags = [re.fullmatch(r"O|[BISUELMW]-.+", word, re.DOTALL) for word in every]
    assume(sum(map(bool, like_tags)) <= len(every) / 2)
    # Tokens 1, 2, 3 before other columns are read as an index.
    assume("X" not in columns or not all(re.match(r"\d|# ", word) for word in every))
    lines = []
    for words, entities in sentences:
        tags = ["O"] * len(words)
        for start, end, label in entities:
            tags[start:end] = [f"{p}-{label}" for p in prefixes(end - start, scheme)]
        for index, (word, tag) in enumerate(zip(words, tags), 1):
            lines.append(columns.format(i=index, w=word, t=tag))
        lines.append("")
    event(columns)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.conll"
        path.write_bytes("\n".join(lines).encode(encoding))
        report = convert("iob", path, Path(folder) / "out", language=language)
        got = [found(doc) for doc in docs(Path(folder) / "out" / "train.spacy")]
    assert got == [([w or "\ufffd" for w in words], entities) for words, entities in sentences]
    (read,) = report["read"].values()
    assert read["lines"]["tokens"] == len(every) and read["examples"] == len(sentences)
    assert sum(note["count"] for note in read["repaired"].values()) == every.count("")
