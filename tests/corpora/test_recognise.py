"""The formats that come with the project are recognised, and nothing else as them."""

import io
import tarfile

import pytest

from scripts.common.errors import UserError
from scripts.corpora.readers import recognise

REVIEW = "<items><item><rating>5.0</rating><text>Bien</text></item></items>"


@pytest.mark.parametrize(
    "name, content, format",
    [
        ("train.conll", "Ada B-PER\nvit O\n", "iob"),
        ("train.txt", "-DOCSTART- -X- -X- O\n\nAda NN B-NP I-PER\nvit VB B-VP O\n", "iob"),
        ("train.tsv", "Ada\tB-PER\n&\tO\nvit\tO\n", "iob"),
        ("val.conllu", "0\tAda\tB-PER\n1\tvit\tO\n", "iob"),
        ("fra.iob2", "# text = Ada vit\n1\tAda\tB-PER\t-\t-\n2\tvit\tO\t-\t-\n", "iob"),
        ("train.bio", "fr:Ada B-PER\nfr:vit O\n" * 20000, "iob"),
        ("train.bio", "Ada O\nvit O\n", "iob"),
        ("train.iob", "Ada B_PER\nvit O\n", "iob"),
        ("train", "Ren\xe9e B-PER\nvit O\n".encode("latin-1"), "iob"),
        ("aij-wikiner-fr", "Ada|NAM|I-PER vit|VER|O\n\nRien|PRO|O\n", "wikiner"),
        ("SST-2/train.tsv", "sentence\tlabel\na good film\t1\n", "sst2"),
        ("cls/fr/books/train.review", REVIEW, "cls"),
        ("train.review.gz", REVIEW, "cls"),
    ],
)
def test_recognised(write, name, content, format):
    assert recognise(write(name, content)) == format


def test_folder_and_archive_of_reviews(write, tmp_path):
    write("cls/fr/books/train.review", REVIEW)
    assert recognise(tmp_path / "cls") == "cls"
    with tarfile.open(tmp_path / "cls.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("cls/fr/books/train.review")
        info.size = len(REVIEW)
        tar.addfile(info, io.BytesIO(REVIEW.encode()))
    assert recognise(tmp_path / "cls.tar.gz") == "cls"
    whole = (tmp_path / "cls.tar.gz").read_bytes()
    with pytest.raises(UserError):
        recognise(write("half.tar.gz", whole[: len(whole) // 2]))


@pytest.mark.parametrize(
    "name, content",
    [
        ("train.tsv", "text\tlabel\nUn bon film\tO\nUn navet\tO\n"),
        ("train.tsv", "Un bon film\tB-1\nUn navet tout plat\tB-2\n"),
        ("train.txt", "Une phrase entière.\nEt une autre.\n"),
        ("train.txt", "__label__a Un texte\n"),
        ("train.csv", "text,label\nUn bon film,pos\n"),
        ("train.tsv", "sentence\tlabel\na good film\t1\n"),
        ("train.jsonl", '{"text": "a", "label": "O"}\n'),
        ("train.txt", b""),
        ("train.txt", b"\x00\x01\x02"),
        ("train.txt", b"\xff\xfe\x00"),
        ("train.gz", b"\x1f\x8b\x08"),
        ("train.bz2", b"BZh91AY&SY\x00"),
    ],
)
def test_not_recognised(write, name, content):
    try:
        assert recognise(write(name, content)) not in ("iob", "wikiner", "sst2", "cls")
    except UserError as error:
        assert "train" in str(error)


def test_folder_of_two_formats_is_refused(write, tmp_path):
    write("train.conll", "Ada B-PER\nvit O\n")
    write("dev.jsonl", '["Ada vit", {"entities": [[0, 3, "PER"]]}]\n')
    with pytest.raises(
        UserError, match="two formats: train.conll looks like iob, dev.jsonl like spacy"
    ):
        recognise(tmp_path)


def test_each_file_is_begun_before_any_is_read_to_its_end(write, tmp_path, command):
    """A wrong suffix or column in the last file is told at once."""
    write("in/train.csv", "text,label\n" + "a,x\nb,y\n" * 50 + '"')
    write("in/test.xyz", "text,label\na,x\n")
    result = command("convert", "table", tmp_path / "in", tmp_path / "out", "--lang", "fr")
    assert result.code == 1 and "test.xyz: unknown suffix" in result.line


def test_folder_without_split_names_is_told_of_split_and_carving(write, tmp_path, command):
    write("in/a.conll", "Ada B-PER\n")
    write("in/b.conll", "Ada B-PER\n")
    result = command("convert", "iob", tmp_path / "in", tmp_path / "out", "--lang", "fr")
    assert result.code == 1 and "--split" in result.line and "--dev-ratio" in result.line
