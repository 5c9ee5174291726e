"""fastText's training format."""

import pytest

from scripts.common.errors import UserError
from scripts.corpora.readers import fasttext, recognise

from .reading import convert, counts, read


def found(examples) -> list[tuple[str, tuple[str, ...]]]:
    return [(example.text, example.all_labels) for example in examples]


def test_labels_are_words_anywhere_in_a_line(write):
    lines = [
        "__label__bon Très  bien, merci.",
        "__label__bon\tAvec une tabulation",
        "Avis à la fin __label__mal",
        "Au milieu __label__mal du texte",
        "__label__mal __label__très_cher , __label__mal Deux labels",
        "  __label__bon pas__label__x ni __Label__y",
        "",
        "Sans label",
        "__label__ Label vide",
        "__label__bon",
    ]
    path = write("a.txt", "\ufeff" + "\r\n".join(lines))
    examples, log = read(fasttext, path)
    assert found(examples) == [
        ("Très  bien, merci.", ("bon",)),
        ("Avec une tabulation", ("bon",)),
        ("Avis à la fin", ("mal",)),
        ("Au milieu du texte", ("mal",)),
        (", Deux labels", ("mal", "très_cher")),
        ("pas__label__x ni __Label__y", ("bon",)),
    ]
    assert [example.number for example in examples] == [1, 2, 3, 4, 5, 6]
    assert counts(log.skipped) == {"without label": 2, "empty text": 1}
    assert log.lines == {"blank": 1}


def test_several_labels_make_a_corpus_of_several_labels(write, tmp_path):
    text = "__label__a __label__b un\n__label__a deux\nsans\n"
    report = convert("fasttext", write("a.txt", text), tmp_path / "out")
    assert report["several labels"] and report["splits"]["train"]["labels"] == {"a": 2, "b": 1}
    assert report["splits"]["train"]["examples"] == 2


def test_quotes_of_csv_are_removed(write):
    quoted = '__label__a "un deux"\n__label__b "trois ""quatre"""\n__label__b cinq\n'
    examples, log = read(fasttext, write("a.txt", quoted))
    assert found(examples) == [("un deux", ("a",)), ('trois "quatre"', ("b",)), ("cinq", ("b",))]
    assert log.layout == {"quotes removed around": "texts"}
    examples, _ = read(fasttext, write("a.txt", quoted), quoting="none")
    assert found(examples)[0] == ('"un deux"', ("a",))
    examples, log = read(fasttext, write("b.txt", '"__label__a un ""deux"""\n"__label__b trois"\n'))
    assert found(examples) == [('un "deux"', ("a",)), ("trois", ("b",))]
    examples, _ = read(fasttext, write("c.txt", '__label__a\tun deux\n__label__b\t"un ""b"" c"\n'))
    assert found(examples) == [("un deux", ("a",)), ('un "b" c', ("b",))]


def test_other_quotes_are_text(write):
    lines = '__label__a "Oui" dit "non"\n__label__a "Oui oui"\n__label__b Non non\n'
    examples, log = read(fasttext, write("a.txt", lines))
    assert [text for text, _ in found(examples)] == ['"Oui" dit "non"', '"Oui oui"', "Non non"]
    assert not log.layout


def test_labels_can_be_renamed(write):
    path = write("a.txt", "__label__1 un\n__label__2 deux\n")
    examples, _ = read(fasttext, path, label_names="1=mal,2=bon")
    assert found(examples) == [("un", ("mal",)), ("deux", ("bon",))]
    with pytest.raises(UserError, match="none of these labels"):
        read(fasttext, path, label_names="x=y")


def test_a_file_without_labels_is_refused(write, tmp_path):
    with pytest.raises(UserError, match=r"no examples found \(2 without label\)"):
        convert("fasttext", write("a.txt", "un\ndeux\n"), tmp_path / "out")
    with pytest.raises(UserError, match=r"a.txt:1: NUL character"):
        convert("fasttext", write("a.txt", b"__label__a \0"), tmp_path / "out")


def test_fasttext_is_recognised(write, tmp_path):
    good = "__label__a un\n__label__b deux\n"
    assert recognise(write("a.txt", good)) == "fasttext"
    assert recognise(write("quoted.csv", '"__label__a un"\n"__label__b deux"\n')) == "fasttext"
    write("in/README.md", "# Corpus\n")
    write("in/train.txt", good)
    write("in/test.txt", good)
    assert recognise(tmp_path / "in") == "fasttext"
    convert("fasttext", tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize(
    "name, text",
    [
        ("a.jsonl", '{"text": "x __label__a", "label": "b"}\n'),
        ("a.txt", "voir __label__a\nun\ndeux\n"),
        ("a.txt", "Lens B-LOC\n"),
        ("a.csv", "text,label\nbon,__label__a\n"),
        ("a.txt", b"\x89PNG\r\n\0"),
        ("a.txt", ""),
    ],
)
def test_other_files_are_not_recognised(write, name, text):
    try:
        assert recognise(write(name, text)) != "fasttext"
    except UserError as error:
        assert "not recognised" in str(error)
