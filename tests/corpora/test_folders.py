"""Folders of classes: a text a file."""

import tarfile

import pytest

from scripts.common.errors import UserError
from scripts.corpora.readers import recognise

from .reading import convert, docs


@pytest.fixture
def fill(write, tmp_path):
    """Write files below `in`; return its path."""

    def fill(**files):
        for name, content in files.items():
            write(f"in/{name}", content)
        return tmp_path / "in"

    return fill


def texts(path) -> list[tuple[str, str, str]]:
    return [
        (doc.text, *(name for name, value in doc.cats.items() if value), doc.user_data["file"])
        for doc in docs(path)
    ]


IMDB = {
    "acl/train/pos/0_9.txt": "Très bon.\nVraiment.\n",
    "acl/train/pos/1_8.txt": "Bien",
    "acl/train/neg/0_1.txt": "Nul\r\n",
    "acl/train/unsup/0_0.txt": "Peut-être",
    "acl/train/unsup/1_0.txt": "Sans avis",
    "acl/train/urls_pos.txt": "http",
    "acl/train/labeledBow.feat": "0:1",
    "acl/train/pos/.DS_Store": "x",
    "acl/test/pos/0_7.txt": "Chouette",
    "acl/test/neg/0_2.txt": "Raté",
    "acl/README": "x",
}


def test_folders_are_classes_and_those_above_splits(fill, tmp_path):
    root = fill(**IMDB)
    report = convert("folders", root, tmp_path / "out")
    assert texts(tmp_path / "out/train.spacy") == [
        ("Nul", "neg", "acl/train/neg/0_1.txt"),
        ("Très bon.\nVraiment.", "pos", "acl/train/pos/0_9.txt"),
        ("Bien", "pos", "acl/train/pos/1_8.txt"),
    ]
    assert texts(tmp_path / "out/test.spacy") == [
        ("Raté", "neg", "acl/test/neg/0_2.txt"),
        ("Chouette", "pos", "acl/test/pos/0_7.txt"),
    ]
    assert list(report["read"]) == [str(root / "acl/train"), str(root / "acl/test")]
    assert {kind: note["count"] for kind, note in report["ignored"].items()} == {
        "text without a class": 2,
        "file outside the folders of classes": 2,
        "file of another kind": 1,
    }


def test_without_splits_everything_is_train(fill, tmp_path):
    root = fill(**{"alt.atheism/49960": "a", "alt.atheism/5.1": "b", "sci.space/60": "c"})
    report = convert("folders", root, tmp_path / "out")
    assert report["splits"]["train"]["labels"] == {"alt.atheism": 2, "sci.space": 1}


def test_splits_are_named_as_words_of_folders(fill, tmp_path):
    root = fill(**{
        "news-bydate-train/a/1": "a", "news-bydate-train/b/1": "b", "news-bydate-test/a/2": "c",
        "news-bydate-test/c/2": "d",
    })  # fmt: skip
    report = convert("folders", root, tmp_path / "out")
    assert {name: split["examples"] for name, split in report["splits"].items()} == {
        "train": 2, "test": 2,
    }  # fmt: skip
    test = report["read"][str(root / "news-bydate-test")]
    assert test["layout"]["classes not in train"] == "c"
    train = report["read"][str(root / "news-bydate-train")]
    assert "classes not in train" not in train["layout"]


def test_a_class_may_have_the_name_of_a_split(fill, tmp_path):
    root = fill(**{"dev/1.txt": "a", "sales/1.txt": "b"})
    assert recognise(root) == "folders"
    report = convert("folders", root, tmp_path / "out")
    assert report["splits"]["train"]["labels"] == {"dev": 1, "sales": 1}


def test_empty_texts_are_left_out_and_counted(fill, tmp_path):
    root = fill(**{"a/1.txt": " \n", "a/2.txt": "x", "b/1.txt": "y"})
    report = convert("folders", root, tmp_path / "out")
    (entry,) = report["read"].values()
    assert entry["skipped"] == {"empty text": {"count": 1, "first": [f"{root}/a/1.txt"]}}
    assert entry["examples"] == 3 and entry["written"] == {"train": 2}


def test_encodings_are_told_and_others_refused(fill, tmp_path):
    root = fill(**{"a/1.txt": "caf\xe9".encode("iso-8859-1"), "b/1.txt": "thé"})
    with pytest.raises(UserError, match=r"in/a/1.txt:1: not valid UTF-8 .* --encoding iso-8859-1"):
        convert("folders", root, tmp_path / "out")
    convert("folders", root, tmp_path / "out", encoding="iso-8859-1")
    assert texts(tmp_path / "out/train.spacy")[0][0] == "café"
    root = fill(**{"a/1.txt": "café".encode("utf-16")})
    report = convert("folders", root, tmp_path / "out")
    (entry,) = report["read"].values()
    assert entry["layout"]["encoding"] == "utf-16, utf-8"


def test_labels_can_be_renamed_and_split(fill, tmp_path):
    root = fill(**{"pos/1.txt": "a", "neg/1.txt": "b"})
    convert("folders", root, tmp_path / "out", label_names="pos=bien,neg=mal")
    assert [label for _, label, _ in texts(tmp_path / "out/train.spacy")] == ["mal", "bien"]
    root = fill(**{"pos,joie/1.txt": "c"})
    report = convert("folders", root, tmp_path / "out2", label_separator=",")
    assert report["several labels"] and set(report["splits"]["train"]["labels"]) == {
        "pos", "neg", "joie",
    }  # fmt: skip


def test_archives_are_read(fill, tmp_path):
    root = fill(**IMDB)
    with tarfile.open(tmp_path / "acl.tar.gz", "w:gz") as tar:
        tar.add(root / "acl", "acl")
    report = convert("folders", tmp_path / "acl.tar.gz", tmp_path / "out")
    assert report["splits"]["train"]["examples"] == 3
    assert texts(tmp_path / "out/test.spacy")[0] == ("Raté", "neg", "test/neg/0_2.txt")


@pytest.mark.parametrize(
    "files, message",
    [
        ({"books/neg/1.txt": "a", "dvd/pos/1.txt": "b"}, "a folder within that of a class, books"),
        ({"a/1.txt": "a", "b/1.txt": "b", "b/c/1.txt": "c"}, "b/c/1.txt: a folder within that of"),
        ({"train/1.txt": "a", "test/1.txt": "b"}, "no folders of classes found"),
        ({"1.txt": "a", "2.txt": "b"}, "no folders of classes found"),
        ({"a/1.png": "a", "b/1.png": "b"}, "no folders of classes found"),
        ({"a/1.txt": "a", "a/2.txt": "b"}, "all texts have the same label, 'a'"),
        ({"train/a/1.txt": "a", "training/a/1.txt": "b"}, "both train and training are named"),
        ({"a/1.txt": b"a\0b", "b/1.txt": "b"}, "in/a/1.txt:1: NUL character"),
    ],
)
def test_other_folders_are_refused_in_one_line(fill, tmp_path, files, message):
    with pytest.raises(UserError, match=message) as caught:
        convert("folders", fill(**files), tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_a_single_file_is_refused(write, tmp_path):
    with pytest.raises(UserError, match="not a folder; give a folder with a folder of texts"):
        convert("folders", write("a.txt", "a"), tmp_path / "out")


def test_folders_of_classes_are_recognised(fill):
    assert recognise(fill(**IMDB)) == "folders"


@pytest.mark.parametrize(
    "files",
    [
        {"fr/train.txt": "x O\n", "fr/dev.txt": "x O\n", "en/train.txt": "x O\n"},
        {"train/1.txt": "a", "test/1.txt": "b"},
        {"a/1.txt": "a"},
        {"a/1.json": "{}", "b/1.json": "{}"},
        {"a/1.txt": "a", "a/1.ann": "", "b/2.txt": "a", "b/2.ann": ""},
        {".git/1.txt": "a", ".idea/1.txt": "b"},
    ],
)
def test_other_folders_are_not_recognised(fill, files):
    try:
        assert recognise(fill(**files)) != "folders"
    except UserError as error:
        assert "not recognised" in str(error)


def test_links_that_lead_up_are_not_followed(fill, tmp_path):
    root = fill(**{"a/1.txt": "a", "b/1.txt": "b"})
    (root / "a" / "up").symlink_to("..")
    (root / "c").symlink_to("..")
    report = convert("folders", root, tmp_path / "out")
    assert report["splits"]["train"]["examples"] == 2
