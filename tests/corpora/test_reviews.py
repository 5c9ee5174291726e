"""Webis-CLS-10 and FLUE: archives, folders, categories, cleaning."""

import bz2
import csv
import gzip
import json
import lzma
import tarfile
import tempfile
from pathlib import Path

import pytest

from scripts.common.errors import UserError
from scripts.corpora.examples import LabelledText
from scripts.corpora.options import Plan
from scripts.corpora.readers import cls

from .reading import NO_BREAK_SPACE, convert, docs, read


def review(text: str, rating: float, category: str) -> str:
    return (
        f"<item><category>{category}</category><rating>{rating}</rating><text>{text}</text>"
        "<title>T</title></item>\n"
    )


def review_file(language: str, category: str, split: str, n: int) -> str:
    items = [
        review(f"{language} {category} {split} {i}", (1.0, 2.0, 4.0, 5.0, 3.0)[i % 5], category)
        for i in range(n)
    ]
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<items>\n{"".join(items)}</items>\n'


CATEGORIES = ("books", "dvd", "music")


@pytest.fixture
def reviews(tmp_path) -> Path:
    """A folder as in the archive, with two languages and three categories."""
    root = tmp_path / "cls-acl10-unprocessed"
    for language in ("de", "fr"):
        for category in CATEGORIES:
            folder = root / language / category
            folder.mkdir(parents=True)
            for split, n in (("train", 20), ("test", 10), ("unlabeled", 5)):
                (folder / f"{split}.review").write_text(
                    review_file(language, category, split, n), "utf8"
                )
    return root


def test_archive_and_folder_give_the_same_report(reviews, tmp_path):
    archive = tmp_path / "cls.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(reviews, reviews.name)
    folder_report = convert("cls", reviews, tmp_path / "a", language="fr")
    archive_report = convert("cls", archive, tmp_path / "b", language="fr")
    assert len(folder_report["read"]) == 6
    assert sum(read["examples"] for read in folder_report["read"].values()) == 90
    assert folder_report["ignored"]["file without labels"]["count"] == 3
    written = json.dumps(archive_report, ensure_ascii=False)
    assert tempfile.gettempdir() not in written.replace(str(tmp_path), "")
    same = written.replace(f"{archive}/{reviews.name}", str(reviews))
    assert json.loads(same) == json.loads(json.dumps(folder_report))
    for split in ("train", "dev", "test"):
        a, b = ((tmp_path / x / f"{split}.spacy").read_bytes() for x in "ab")
        assert a == b


PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


@pytest.mark.parametrize("suffix", PACKERS)
def test_compressed_reviews_are_found(reviews, tmp_path, suffix):
    plain = convert("cls", reviews, tmp_path / "plain", language="fr")
    for path in reviews.rglob("*.review"):
        path.with_name(path.name + suffix).write_bytes(PACKERS[suffix](path.read_bytes()))
        path.unlink()
    archive = tmp_path / "cls.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(reviews, reviews.name)
    for source, output in ((reviews, tmp_path / "a"), (archive, tmp_path / "b")):
        report = convert("cls", source, output, language="fr")
        assert report["splits"] == plain["splits"] and len(report["read"]) == 6
    (tmp_path / "x.tsv.review").write_text(review_file("fr", "dvd", "train", 10), "utf8")
    assert len(read(cls, tmp_path / "x.tsv.review")[0]) == 8


def test_reviews_also_present_in_compressed_form_are_refused(reviews, tmp_path):
    path = reviews / "fr" / "dvd" / "train.review"
    path.with_name("train.review.gz").write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(
        UserError, match="both train.review and train.review.gz are named after the train"
    ):
        convert("cls", reviews, tmp_path / "out", language="fr")


@pytest.mark.parametrize("category", CATEGORIES)
def test_one_category(reviews, tmp_path, category):
    report = convert("cls", reviews, tmp_path / "out", language="fr", category=category)
    assert [Path(name).parent.name for name in report["read"]] == [category] * 2
    assert all(f"/fr/{category}/" in name for name in report["read"])
    assert {name: s["examples"] for name, s in report["splits"].items()} == {
        "train": 13,
        "dev": 3,
        "test": 8,
    }


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
def test_unknown_category_is_refused(reviews, tmp_path, packed):
    source = reviews
    if packed:
        source = tmp_path / "cls.tar.gz"
        with tarfile.open(source, "w:gz") as tar:
            tar.add(reviews, reviews.name)
    with pytest.raises(
        UserError, match="no category 'games'; use one of books, dvd, music"
    ) as info:
        convert("cls", source, tmp_path / "out", language="fr", category="games")
    assert str(info.value).startswith(str(source))


FLUE_ROWS = [
    ('Un "bon" livre\tà lire', 1),
    ("Plat.\nEt long", 0),
    ("&quot;Bof&quot;", 0),
    ("C\x9cur", 1),
]


@pytest.mark.parametrize("suffix", ["", *PACKERS])
def test_flue_tsv(tmp_path, suffix):
    for category in CATEGORIES:
        for split in ("train", "dev", "test"):
            path = tmp_path / "flue" / category / f"{split}.tsv"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", encoding="utf8", newline="") as stream:
                writer = csv.writer(stream, delimiter="\t")
                writer.writerow(["Text", "Label"])
                writer.writerows([f"{text} {category} {split}", label] for text, label in FLUE_ROWS)
            if suffix:
                packed = PACKERS[suffix](path.read_bytes())
                path.with_name(path.name + suffix).write_bytes(packed)
                path.unlink()
    report = convert("cls", tmp_path / "flue", tmp_path / "out", Plan(drop_leaks=True), "fr")
    assert {name: split["labels"] for name, split in report["splits"].items()} == {
        name: {"negative": 6, "positive": 6} for name in ("train", "dev", "test")
    }
    assert {doc.text for doc in docs(tmp_path / "out" / "dev.spacy") if "music" in doc.text} == {
        'Un "bon" livre à lire music dev',
        "Plat. Et long music dev",
        '"Bof" music dev',
        "Cœur music dev",
    }
    one = convert("cls", tmp_path / "flue", tmp_path / "one", language="fr", category="dvd")
    assert [split["examples"] for split in one["splits"].values()] == [4, 4, 4]


@pytest.mark.parametrize(
    "written, cleaned",
    [
        (" a\n\t b\r\n", "a b"),
        ("&amp;eacute;t&amp;eacute; &amp;amp; &lt;b&gt;", "été & <b>"),
        ("c\u009cur \u0085 l\u0092an \u0080", "cœur … l’an €"),
        ("e\u0301te\u0301", "été"),
        ("&amp;#233;t&amp;#xe9;", "été"),
        (f"a{NO_BREAK_SPACE}!", "a !"),
        ("<![CDATA[a & b]]>", "a & b"),
    ],
)
def test_reviews_are_cleaned(write, written, cleaned):
    text = f'<?xml version="1.0" encoding="UTF-8"?><items>{review(written, 5, "Livres")}</items>'
    (got,), _ = read(cls, write("train.review", text))
    assert got == LabelledText(cleaned, "positive", "Livres/positive", 1)


def test_language_not_in_the_corpus_is_refused(reviews, tmp_path):
    with pytest.raises(UserError, match="no reviews for --lang en; use one of de, fr"):
        convert("cls", reviews, tmp_path / "out", language="en")
