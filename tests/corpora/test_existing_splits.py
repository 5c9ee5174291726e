"""Converting a file into a folder keeps its other splits, and the report covers all of them."""

import gzip
import shutil
from pathlib import Path

import pytest
import srsly

from scripts import convert as command_line
from scripts.common.errors import UserError
from scripts.corpora import writer
from scripts.corpora.options import Plan

from .reading import convert, docs
from .test_conversion import check_counts, rows, texts

TEST, DEV = Plan(split="test"), Plan(split="dev")
IOB = "\n".join(f"Lens B-LOC\nm{i} O\n" for i in range(20))
WIKINER = "".join(f"Lens|N|B-LOC m{i}|A|O\n" for i in range(20))


def splits(folder: Path) -> dict[str, int]:
    """Return the sizes of the splits in a folder, checking them against its report."""
    report = srsly.read_json(folder / "report.json")
    check_counts(report)
    sizes = {path.stem: len(docs(path)) for path in folder.glob("*.spacy")}
    assert sizes == {name: split["examples"] for name, split in report["splits"].items()}
    return sizes


def test_test_split_is_added_to_train(write, tmp_path):
    out = tmp_path / "out"
    first = convert("table", write("a.jsonl", rows("a+", "b-", "b-", "c+")), out)
    before = (out / "train.spacy").read_bytes()
    report = convert("table", write("b.jsonl", rows("b-", "c-", "d+", "d+")), out, TEST)
    assert (out / "train.spacy").read_bytes() == before
    assert splits(out) == {"train": 4, "test": 4}
    assert report["splits"]["train"] == first["splits"]["train"]
    assert {name: split["duplicates"] for name, split in report["splits"].items()} == {
        "train": 1,
        "test": 1,
    }
    assert report["shared"] == {"train/test": 2}
    assert report["texts annotated in several ways"] == 1
    assert [(Path(n).name, r["split"]) for n, r in report["read"].items()] == [
        ("a.jsonl", "train"),
        ("b.jsonl", "test"),
    ]
    assert all(len(read["sha256"]) == 64 for read in report["read"].values())
    # The same as after converting both at once, except for the location of the files.
    write("raw/train.jsonl", (tmp_path / "a.jsonl").read_text())
    write("raw/test.jsonl", (tmp_path / "b.jsonl").read_text())
    both = convert("table", tmp_path / "raw", tmp_path / "both")
    for key in ("splits", "shared", "texts annotated in several ways", "seed", "carved"):
        assert both[key] == report[key]


@pytest.mark.parametrize("shards", [False, True])
def test_sentences_of_existing_splits_are_recognised(write, tmp_path, monkeypatch, shards):
    """Although an empty token was written as U+FFFD; their annotation is the entities."""
    if shards:
        monkeypatch.setattr(writer, "SHARD_TOKENS", 2)
    out = tmp_path / "out"
    text = "l' O\n\tO\nan B-X\n\nLens B-LOC\n\nOise B-LOC\n".replace(" ", "\t")
    convert("iob", write("a.iob", text), out, language="fr")
    report = convert("iob", write("b.iob", text.replace("LOC", "ORG", 1)), out, TEST, "fr")
    assert report["shared"] == {"train/test": 3}
    assert report["texts annotated in several ways"] == 1
    assert (out / "train.spacy").is_dir() == shards


def test_texts_with_entities_of_existing_splits_are_recognised(write, tmp_path):
    out = tmp_path / "out"
    line = '{"text": " Marie  à Lens", "entities": [[1, 6, "%s"]]}\n'
    convert("table", write("a.jsonl", line % "PER"), out)
    report = convert("table", write("b.jsonl", line % "PER" + line % "LOC"), out, TEST)
    assert report["shared"] == {"train/test": 1}
    assert report["texts annotated in several ways"] == 1


def test_carved_splits_are_replaced_with_their_train_split(command, write, tmp_path):
    out = tmp_path / "out"
    convert("wikiner", write("a.wikiner", WIKINER), out)
    assert splits(out) == {"train": 16, "dev": 2, "test": 2}
    options = ("--lang", "xx", "--dev-ratio", 0, "--test-ratio", 0)
    result = command(command_line, "wikiner", write("b.wikiner", WIKINER), out, *options)
    assert result.code == 0
    lines = [line for line in result.out.splitlines() if "removed" in line]
    assert [line.split()[0] for line in lines] == ["dev", "test"]
    assert splits(out) == {"train": 20}
    report = srsly.read_json(out / "report.json")
    assert report["removed"] == ["dev", "test"]
    assert [Path(name).name for name in report["read"]] == ["b.wikiner"]


def test_carved_split_is_replaced_with_a_file(write, tmp_path):
    out = tmp_path / "out"
    convert("wikiner", write("a.wikiner", WIKINER), out)
    report = convert("wikiner", write("b.wikiner", WIKINER.replace("m", "n")), out, TEST)
    assert splits(out) == {"train": 16, "dev": 2, "test": 20}
    one, other = report["read"].values()
    assert one["written"] == {"train": 16, "dev": 2} and other["written"] == {"test": 20}
    assert [note["count"] for note in one["skipped"].values()] == [2]
    assert report["carved"]["by"] == "sentence" and report["carved"]["asked"]["dev"] == 2
    # The test split is no longer a carved one: it is kept when train is replaced, unlike dev.
    report = convert("wikiner", write("c.wikiner", WIKINER), out, Plan(seed=3))
    assert splits(out) == {"train": 18, "dev": 2, "test": 20}
    assert report["removed"] == [] and report["seed"] == 3
    with pytest.raises(
        UserError, match="out: the corpus has a test split already; omit --test-ratio"
    ):
        convert("wikiner", tmp_path / "c.wikiner", out, Plan(test_ratio=0.1))


def test_files_with_the_same_name(write, tmp_path, monkeypatch):
    out = tmp_path / "out"
    for folder, plan in (("a", Plan()), ("b", TEST), ("c", DEV), ("d", Plan())):
        write(f"{folder}/in.jsonl", rows(f"{folder}+", "y-"))
        monkeypatch.chdir(tmp_path / folder)
        report = convert("table", Path("in.jsonl"), out, plan)
    assert splits(out) == {"train": 2, "dev": 2, "test": 2}
    assert sorted(read["split"] for read in report["read"].values()) == ["dev", "test", "train"]
    assert report["shared"] == {"train/dev": 1, "train/test": 1, "dev/test": 1}


def test_folder_is_a_complete_corpus(write, tmp_path):
    out = tmp_path / "out"
    convert("table", write("a.jsonl", rows("a+", "b-")), out, TEST)
    path = write("raw/train.jsonl", rows("a+", "b-"))
    report = convert("table", path.parent, out)
    assert splits(out) == {"train": 2} and report["removed"] == ["test"]
    # Even without a report on the existing splits.
    (out / "report.json").unlink()
    (out / "dev.spacy").write_bytes(b"?")
    convert("table", path.parent, out)
    assert splits(out) == {"train": 2}


def test_texts_shared_by_train_and_test_are_printed(command, write, tmp_path):
    item = "<item><category>Livres</category><rating>{}</rating><text>{}</text></item>"
    for split, reviews in (("train", ((5, "bon"), (1, "mal"))), ("test", ((1, "bon"), (1, "nul")))):
        xml = f"<items>{''.join(item.format(*review) for review in reviews)}</items>"
        path = write(f"{split}.review.gz", gzip.compress(xml.encode()))
        options = ("--lang", "fr", "--split", split, *(["--dev-ratio", 0] * (split == "train")))
        result = command(command_line, "cls", path, tmp_path / "out", *options)
        assert result.code == 0
    (line,) = [line for line in result.out.splitlines() if "text in both" in line]
    assert line.split()[:7] == ["train/test", "1", "text", "in", "both", "train", "and"]
    assert splits(tmp_path / "out") == {"train": 2, "test": 2}


def test_leaks_into_existing_splits_are_dropped(write, tmp_path):
    out = tmp_path / "out"
    convert("table", write("a.jsonl", rows("a+", "b-")), out, TEST)
    path = write("b.jsonl", rows("a+", "c-", "d+"))
    report = convert("table", path, out, Plan(drop_leaks=True))
    assert texts(out, "train") == ["c", "d"] and report["shared"] == {"train/test": 0}


def cats(folder: Path, split: str) -> list[str]:
    return sorted(docs(folder / f"{split}.spacy")[0].cats)


def test_split_with_fewer_labels_has_values_for_all_labels(write, tmp_path):
    out = tmp_path / "out"
    convert("table", write("a.csv", "text,label\na,x\nb,y\nc,z\n"), out)
    convert("table", write("b.csv", "text,label\nd,y\n"), out, TEST)
    assert cats(out, "train") == cats(out, "test") == ["x", "y", "z"]
    assert docs(out / "test.spacy")[0].cats["y"] == 1.0


CSV = "text,label\na,x\nb,y\n"


@pytest.mark.parametrize(
    "name, content, plan, language, message",
    [
        (
            "table",
            CSV + "c,z\n",
            TEST,
            "xx",
            "label 'z' is not in the existing splits .train, dev., which have x, y; convert",
        ),
        ("table", CSV, TEST, "fr", "the existing corpus has language 'xx', not 'fr'"),
        (
            "iob",
            IOB,
            TEST,
            "xx",
            "existing splits .train, dev. have labels, but this file has entities",
        ),
        (
            "wikiner",
            WIKINER,
            Plan(),
            "xx",
            "existing splits .dev. have labels, but this file has entities",
        ),
        (
            "sst2",
            "sentence\tlabel\na\t1\nb\t0\n",
            TEST,
            "xx",
            "label 'negative' is not in .*, which have x, y",
        ),
        (
            "table",
            "text,label\na,x\nb,z\n",
            Plan(),
            "xx",
            "label 'z' is not in the existing splits .dev.",
        ),
        (
            "table",
            "text,label\na,x\nb,x\n",
            Plan(),
            "xx",
            "existing splits .dev. have the label 'y', which is",
        ),
    ],
)
def test_incompatible_splits_are_refused(write, tmp_path, name, content, plan, language, message):
    out = tmp_path / "out"
    for plan_before in (Plan(), DEV):
        convert("table", write("a.csv", CSV), out, plan_before)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    path = write("in.csv" if name == "table" else "in.txt", content)
    with pytest.raises(UserError, match=message):
        convert(name, path, out, plan, language)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_labels_beside_entities_are_refused(write, tmp_path):
    out = tmp_path / "out"
    convert("iob", write("a.iob", IOB), out)
    with pytest.raises(
        UserError, match="existing splits .train. have entities, but this file has labels"
    ):
        convert("table", write("a.csv", CSV), out, TEST)


@pytest.mark.parametrize("report", [None, "{", "[]", '{"splits": {"train": {}}, "language": "xx"}'])
def test_existing_splits_without_a_valid_report_are_refused(write, tmp_path, report):
    out = tmp_path / "out"
    path = write("a.csv", CSV)
    convert("table", path, out)
    (out / "report.json").unlink() if report is None else (out / "report.json").write_text(report)
    with pytest.raises(UserError, match=r"report.json: missing, or .* the existing splits .train."):
        convert("table", path, out, TEST)
    # Without other splits, there is nothing to mix.
    convert("table", path, out)
    assert splits(out) == {"train": 2}
    shutil.copy(out / "train.spacy", out / "dev.spacy")
    with pytest.raises(UserError, match=r"the existing splits .dev."):
        convert("table", path, out)
