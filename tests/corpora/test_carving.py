"""Carving keeps documents, duplicate texts, and sentences with their phrases in one split."""

import random
from collections import Counter, defaultdict

import numpy
import pytest

from scripts.common.errors import UserError
from scripts.convert import remarks
from scripts.corpora.examples import LabelledText
from scripts.corpora.groups import Rows, group_rows
from scripts.corpora.options import Plan
from scripts.corpora.phrases import sentences_of
from scripts.corpora.splits import apportion, assign_groups

from .reading import convert, docs, json_lines
from .test_conversion import check_counts, rows

SPLITS = ("train", "dev", "test")
TENTHS = Plan(dev_ratio=0.1, test_ratio=0.1)


def articles(form: str, sizes: list[int]) -> str:
    """Return articles of the given sizes; a sentence names its article and its number in it."""
    parts = []
    for article, size in enumerate(sizes):
        sentences = [["Lens", f"a{article}", f"s{i}"] for i in range(size)]
        if form == "wikiner":
            lines = [f"{a}|N|B-LOC {b}|A|O {c}|A|O\n" for a, b, c in sentences]
            parts.append("".join(lines) + "\n")
        else:
            first = {"iob": "-DOCSTART- -X- O O\n\n", "newdoc": f"# newdoc id = d{article}\n"}[form]
            lines = [f"{a} B-LOC\n{b} O\n{c} O\n\n" for a, b, c in sentences]
            parts.append(first + "".join(lines))
    return "".join(parts)


def articles_by_split(folder) -> dict[str, set[str]]:
    """Return the articles in each split."""
    return {name: {doc[1].text for doc in docs(folder / f"{name}.spacy")} for name in SPLITS}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("form", ["iob", "newdoc", "wikiner"])
def test_documents_are_carved_with_exact_sizes(write, tmp_path, form, seed):
    path = write("corpus.txt", articles(form, [5] * 60))
    name = "wikiner" if form == "wikiner" else "iob"
    report = convert(name, path, tmp_path / "out", TENTHS._replace(seed=seed))
    check_counts(report)
    assert report["carved"]["by"] == "document"
    assert report["carved"]["asked"] == {"dev": 30, "test": 30}
    assert [split["examples"] for split in report["splits"].values()] == [240, 30, 30]
    assert set(report["shared"].values()) == {0}
    found = articles_by_split(tmp_path / "out")
    assert not found["train"] & found["dev"] and not found["test"] & (found["train"] | found["dev"])
    assert sum(map(len, found.values())) == 60


def test_without_boundaries_single_sentences_or_texts_are_carved(write, tmp_path):
    lines = "".join(f"Lens|N|B-LOC m{i}|A|O\n" for i in range(50))
    report = convert("wikiner", write("one.wikiner", f"\n{lines}\n\n"), tmp_path / "a")
    assert report["carved"]["by"] == "sentence"
    assert [split["examples"] for split in report["splits"].values()] == [40, 5, 5]
    pairs = [f"t{i}{'+-'[i % 2]}" for i in range(50)]
    report = convert("table", write("one.jsonl", rows(*pairs)), tmp_path / "b", TENTHS)
    assert report["carved"]["by"] == "text"
    assert [split["examples"] for split in report["splits"].values()] == [40, 5, 5]


def test_a_single_docstart_does_not_make_documents(write, tmp_path):
    """Some copies of CoNLL-2003 have kept only the first one."""
    path = write("corpus.iob", articles("iob", [50]))
    report = convert("iob", path, tmp_path / "out", TENTHS)
    assert report["carved"]["by"] == "sentence"
    assert [split["examples"] for split in report["splits"].values()] == [40, 5, 5]


def test_what_precedes_the_first_boundary_is_a_document(write, tmp_path):
    content = articles("iob", [5] * 20).removeprefix("-DOCSTART- -X- O O\n\n")
    for seed in range(5):
        plan = TENTHS._replace(seed=seed)
        convert("iob", write("a.iob", content), tmp_path / "out", plan)
        assert sum("a0" in found for found in articles_by_split(tmp_path / "out").values()) == 1


@pytest.mark.parametrize("seed", range(5))
def test_documents_that_share_a_text_are_kept_together(write, tmp_path, seed):
    sentence = "Lens|N|B-LOC {}|A|O\n"
    parts = [
        "".join(sentence.format(f"{x}{i}") for x in "abc") + sentence.format(f"same{i // 2}")
        for i in range(40)
    ]
    path = write("corpus.wikiner", "\n".join(parts))
    report = convert("wikiner", path, tmp_path / "out", Plan(dev_ratio=0.2, seed=seed))
    assert report["shared"] == {"train/dev": 0, "train/test": 0, "dev/test": 0}
    assert report["carved"]["texts in several splits"] == 0
    assert [s["examples"] for s in report["splits"].values()] == [112, 32, 16]


def test_text_in_many_documents_does_not_group_all_of_them(write, tmp_path):
    """Boilerplate at the end of each article may be in all splits, which is reported."""
    content = articles("wikiner", [4] * 60).replace("\n\n", "\nVoir|V|O Lens|N|B-LOC\n\n")
    report = convert("wikiner", write("corpus.wikiner", content), tmp_path / "out", TENTHS)
    assert [split["examples"] for split in report["splits"].values()] == [240, 30, 30]
    assert report["carved"]["texts in several splits"] == 1
    assert report["shared"] == {"train/dev": 1, "train/test": 1, "dev/test": 1}
    found = articles_by_split(tmp_path / "out")
    assert found["train"] & found["dev"] == {"Lens"}
    plan = TENTHS._replace(drop_leaks=True)
    report = convert("wikiner", tmp_path / "corpus.wikiner", tmp_path / "out", plan)
    assert set(report["shared"].values()) == {0}


def test_documents_too_large_for_a_split_are_reported_or_refused(write, tmp_path):
    path = write("corpus.iob", articles("iob", [40] * 5 + [4]))
    report = convert("iob", path, tmp_path / "out", Plan(dev_ratio=0.1))
    assert report["carved"]["asked"] == {"dev": 20} and report["carved"]["came out"] == {"dev": 4}
    assert report["splits"]["dev"]["examples"] == 4
    (remark,) = [kind for what, _, kind, _ in remarks(report) if what == "dev"]
    assert remark.endswith("by document, out of 20 requested; the other groups are too large")
    path = write("corpus.iob", articles("iob", [40] * 5))
    with pytest.raises(
        UserError, match=r"corpus.iob: dev would be empty, as no document.* 20 exam"
    ):
        convert("iob", path, tmp_path / "none", Plan(dev_ratio=0.1))
    with pytest.raises(UserError, match=r"--test-ratio 0.001 of 200 examples is less than one"):
        convert("iob", path, tmp_path / "none", Plan(test_ratio=0.001))
    assert not (tmp_path / "none").exists()


def test_empty_train_split_is_refused(write, tmp_path):
    write("raw/train.jsonl", rows("a+", "b-"))
    write("raw/test.jsonl", rows("a+", "b-"))
    with pytest.raises(UserError, match="no examples left for train .2 text also in a later split"):
        convert("table", tmp_path / "raw", tmp_path / "out", Plan(drop_leaks=True))


def test_groups_of_one_are_carved_exactly_and_stratified():
    strata = numpy.array([0] * 70 + [1] * 30)
    for seed in range(5):
        sizes = {"dev": 10, "test": 21}
        targets = assign_groups(numpy.arange(100), strata, ["a", "b"], sizes, seed)
        counts = Counter(zip(targets.tolist(), strata.tolist()))
        assert counts == {(0, 0): 48, (0, 1): 21, (1, 0): 7, (1, 1): 3, (2, 0): 15, (2, 1): 6}
    assert apportion(21, {"a": 63, "b": 27}) == {"a": 15, "b": 6}


def test_probability_of_a_group_is_proportional_to_its_size():
    """A group of three rows and seven of one: it fills a dev split of 3 with probability 3 / 10."""
    groups = numpy.array([0, 0, 0, *range(1, 8)])
    strata = numpy.zeros(10, dtype=numpy.int64)
    drawn = [assign_groups(groups, strata, [""], {"dev": 3}, seed) for seed in range(2000)]
    in_dev = sum(targets.tolist()[0] for targets in drawn)
    assert 0.26 < in_dev / 2000 < 0.34


def test_groups_depend_on_shared_texts_not_on_their_hashes():
    pairs = [("a", 1), ("b", 1), ("c", 2), ("a", 2), ("d", None), ("d", None), ("e", 3), ("b", 4)]
    rows_ = Rows(phrases=False)
    for number, (text, document) in enumerate(pairs):
        rows_.add("file" if document else "other", LabelledText(text, "x", "x", number, document))
    assert group_rows(rows_, limit=10).tolist() == [0, 0, 0, 0, 1, 1, 2, 0]
    # The documents with text a have four rows in total, those with b three.
    assert group_rows(rows_, limit=3).tolist() == [0, 0, 1, 1, 2, 2, 3, 0]


# Phrases ------------------------------------------------------------------------------------------


def contains(text: str, phrase: str) -> bool:
    return f" {phrase} " in f" {text} "


def treebank(draw: random.Random, sentences: int) -> list[str]:
    """Return sentences over a small vocabulary and some of their phrases, shuffled."""
    texts = set()
    for _ in range(sentences):
        words = [f"w{int(draw.paretovariate(0.6))}" for _ in range(draw.randint(3, 12))]
        texts.add(" ".join(words))
        for _ in range(8):
            start, end = sorted(draw.sample(range(len(words) + 1), 2))
            texts.add(" ".join(words[start:end]))
    found = sorted(texts)
    draw.shuffle(found)
    return found


def test_sentences_of_phrases():
    texts = treebank(random.Random(0), 60)
    found = sentences_of(texts)
    assert list(found) == texts
    for text in texts:
        holders = {other for other in texts if other != text and contains(other, text)}
        maximal = {h for h in holders if not any(o != h and contains(o, h) for o in texts)}
        assert set(found[text]) == maximal and len(found[text]) == len(maximal)


@pytest.mark.parametrize("seed", range(3))
def test_no_phrase_of_a_carved_split_is_in_another_split(write, tmp_path, seed):
    texts = treebank(random.Random(seed), 120)
    texts += texts[:30]
    lines = "".join(f"{text} \t{i % 3 // 2}\n" for i, text in enumerate(texts))
    path = write("train.tsv", f"sentence\tlabel\n{lines}")
    plan = TENTHS._replace(seed=seed)
    report = convert("sst2", path, tmp_path / "out", plan)
    check_counts(report)
    assert report["carved"]["by"] == "sentence with its phrases"
    found = {name: [d.text for d in docs(tmp_path / "out" / f"{name}.spacy")] for name in SPLITS}
    for name in ("dev", "test"):
        assert len(found[name]) == report["carved"]["asked"][name] == round(len(texts) / 10)
        others = [text for other in SPLITS if other != name for text in found[other]]
        assert not [p for p in found[name] for text in others if contains(text, p)]
    # It has sentences and phrases, with about the same label distribution as the corpus.
    sentences = [text for text in found["dev"] if not sentences_of(texts)[text]]
    assert 0 < len(sentences) < len(found["dev"])
    labels = report["splits"]["dev"]["labels"]
    assert 0.15 < labels["positive"] / len(found["dev"]) < 0.5
    again = convert("sst2", path, tmp_path / "again", plan)
    assert again["splits"] == report["splits"]


def test_text_with_more_copies_than_a_split_has_room_for(write, tmp_path):
    path = write("train.tsv", "sentence\tlabel\n" + "good film\t1\nflat\t0\n" * 30)
    report = convert("sst2", path, tmp_path / "out")
    assert [split["examples"] for split in report["splits"].values()] == [57, 3]
    assert report["carved"]["texts in several splits"] == report["shared"]["train/dev"] > 0


def test_train_size_samples_the_rows_assigned_to_train(write, tmp_path):
    path = write(
        "train.jsonl",
        json_lines([(f"t{i}", "ab"[i % 4 == 0]) for i in range(400)], "text", "label"),
    )
    report = convert("table", path, tmp_path / "out", Plan(dev_ratio=0.1, train_size=100))
    assert report["splits"]["train"]["labels"] == {"a": 75, "b": 25}
    assert report["splits"]["dev"]["labels"] == {"a": 30, "b": 10}
    sampled = defaultdict(set)
    for seed in range(2):
        convert("table", path, tmp_path / "out", Plan(train_size=100, seed=seed))
        sampled[seed] = {doc.text for doc in docs(tmp_path / "out" / "train.spacy")}
        assert len(sampled[seed]) == 100
    assert sampled[0] != sampled[1]
