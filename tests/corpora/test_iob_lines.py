"""What lines, tokens and files with one token per line may contain."""

import bz2
import gzip
import lzma

import pytest

from scripts.common.errors import UserError
from scripts.corpora.options import Plan
from scripts.corpora.readers import iob

from .reading import (
    BYTE_ORDER_MARK,
    NO_BREAK_SPACE,
    SPACE,
    TAB,
    ZERO_WIDTH_SPACE,
    check,
    convert,
    counts,
    docs,
    found,
    lines_of,
    read,
    text_of,
)


@pytest.mark.parametrize(
    "columns, separator, document",
    [
        ("wt", SPACE, "-DOCSTART-"),
        ("wt", SPACE, "-DOCSTART- O"),
        ("wt", SPACE, "-DOCSTART- -X- -X- O"),
        ("wt", SPACE, "-DOCSTART- (1 EU)"),
        ("wt", TAB, "-DOCSTART-"),
        ("wt", TAB, "-DOCSTART-\tO"),
        ("wt", TAB, "-DOCSTART- O"),
        ("wt", TAB, "-DOCSTART- (1 EU)"),
        ("wt", TAB, BYTE_ORDER_MARK + "-DOCSTART-\tO"),
        ("wt", TAB, ZERO_WIDTH_SPACE + "-DOCSTART-\tO"),
        ("wpct", SPACE, "-DOCSTART- -X- -X- O"),
        ("wpct", SPACE, "-DOCSTART- -X- O O"),
        ("wpct", SPACE, "-DOCSTART-   -X-   -X-   O"),
        ("wpct", SPACE, "-DOCSTART-"),
        ("wpct", SPACE, "-DOCSTART- (1 EU)"),
        ("wpct", SPACE, BYTE_ORDER_MARK + "-DOCSTART- -X- -X- O"),
        ("wpct", TAB, "-DOCSTART-\t-X-\t-X-\tO"),
        ("0wt", TAB, "0\t-DOCSTART-\tO"),
        ("1wt", TAB, "1\t-DOCSTART-\tO"),
        ("1wt", TAB, "-DOCSTART-\tO"),
        ("1wpct", SPACE, "1 -DOCSTART- -X- -X- O"),
        ("tw", TAB, "O\t-DOCSTART-"),
        ("tw", SPACE, "O -DOCSTART-"),
        ("twpc", SPACE, "O -DOCSTART- -X- -X-"),
    ],
)
@pytest.mark.parametrize("blank", ["\n\n", "\n"], ids=["blank", "no blank"])
def test_docstart_is_a_boundary_and_never_a_token(write, columns, separator, document, blank):
    sentences = lines_of(columns, separator=separator)
    text = "".join(f"{document}{blank}" + "\n".join([*lines, ""]) for lines in sentences)
    got, log = read(iob, write("train.conll", text + document))
    check(got)
    assert log.lines["documents"] == 4 and counts(log.repaired) == {}


@pytest.mark.parametrize(
    "line",
    ["\t", " ", "   ", "\t\t\t", " \t ", NO_BREAK_SPACE, ZERO_WIDTH_SPACE, BYTE_ORDER_MARK]
    + [" " + ZERO_WIDTH_SPACE, "\u2003", "\u3000", "\r"],
    ids=ascii,
)
@pytest.mark.parametrize("separator", [TAB, SPACE], ids=["tab", "space"])
def test_lines_of_whitespace_separate_sentences(write, separator, line):
    path = write("train.conll", text_of(lines_of("wpct", separator=separator), between=line))
    sentences, log = read(iob, path)
    check(sentences)
    assert log.lines["blank"] == 3


def test_line_of_no_break_and_zero_width_space_separates_sentences(write):
    line = NO_BREAK_SPACE + ZERO_WIDTH_SPACE
    check(read(iob, write("train.conll", text_of(lines_of("wt"), between=line)))[0])


@pytest.mark.parametrize(
    "word",
    [f"a{ZERO_WIDTH_SPACE}b", ZERO_WIDTH_SPACE, f"fin{ZERO_WIDTH_SPACE}", f"{BYTE_ORDER_MARK}RT"]
    + ["|", "a|b", "#", "#tag", "# un", "-", "--", "'", '"', '"a', "", NO_BREAK_SPACE, "10 000"]
    + ["-DOC", "\x85", "\u2028", "\x1c", "👩‍👧"],
    ids=ascii,
)
@pytest.mark.parametrize("first", [True, False], ids=["first", "inside"])
def test_any_token_is_read(write, word, first):
    words = [word, "à", "Lyon"] if first else ["à", word, "Lyon"]
    lines = [f"{w}\tB-LOC" if w == "Lyon" else f"{w}\tO" for w in words]
    sentences, log = read(iob, write("train.conll", text_of([["ok\tO"], lines, lines])))
    assert [s.words for s in sentences] == [["ok"], words, words]
    assert [s.entities for s in sentences] == [[], [(2, 3, "LOC")], [(2, 3, "LOC")]]
    assert counts(log.repaired) == {}


@pytest.mark.parametrize("word", ["|", "a|b", "#", "#tag", "-", "", '"', f"a{ZERO_WIDTH_SPACE}b"])
def test_any_token_is_read_between_spaces(write, word):
    lines = [f"{word} O", "à O", f"{word} O", "Lyon B-LOC"]
    sentences, _ = read(iob, write("train.conll", text_of([lines, lines])))
    assert [s.words for s in sentences] == [[word, "à", word, "Lyon"]] * 2


def test_byte_order_mark_is_not_part_of_the_first_token(write):
    text = BYTE_ORDER_MARK + text_of(lines_of("wt"))
    check(read(iob, write("train.conll", text))[0])
    check(read(iob, write("train.conll", text), encoding="utf-8")[0])
    # A second one is part of it, odd as that is.
    sentences, _ = read(iob, write("train.conll", BYTE_ORDER_MARK + text))
    assert sentences[0].words[0] == BYTE_ORDER_MARK + "Marie"


@pytest.mark.parametrize("invisible", [ZERO_WIDTH_SPACE, BYTE_ORDER_MARK, "\u2060", NO_BREAK_SPACE])
@pytest.mark.parametrize(
    "tag", ["O{}", "{}O", "{}B-LOC", "B-LOC{}", "{}I-PER", "I-PER{}"], ids=ascii
)
def test_invisible_characters_around_a_tag_are_removed_and_counted(write, tag, invisible):
    plain, written = tag.format(""), tag.format(invisible)
    text = text_of(lines_of("wt"))
    lines = text.splitlines()
    line = next(i for i, x in enumerate(lines) if x.endswith(f"\t{plain}"))
    lines[line] = lines[line].replace(plain, written)
    sentences, log = read(iob, write("train.conll", "\n".join(lines)))
    check(sentences)
    (note,) = log.repaired.to_json().values()
    assert note["count"] == 1 and note["first"][0].endswith(f"train.conll:{line + 1}")


def test_trailing_space_is_not_part_of_the_label(write):
    text = text_of(lines_of("wt")).replace("B-PER\n", "B-PER \n")
    try:
        sentences, _ = read(iob, write("train.conll", text))
    except UserError as error:
        assert "train.conll:1:" in str(error)
    else:
        check(sentences)


@pytest.mark.parametrize("prefix", ["fr:", "en:", "als:"])
def test_wikiann_prefixes(write, prefix):
    lines = [[prefix + line for line in lines] for lines in lines_of("wt")]
    sentences, log = read(iob, write("train.txt", text_of(lines)))
    check(sentences)
    assert log.layout["prefix removed from tokens"] == prefix


def test_wikiann_prefix_is_removed_once_and_only_if_all_tokens_have_it(write):
    sentences, _ = read(iob, write("train", "fr:fr:x\tO\nfr::\tO\nfr:Lyon\tB-LOC\n"))
    assert sentences[0].words == ["fr:x", ":", "Lyon"]
    sentences, log = read(iob, write("train", "fr:x\tO\nde:y\tO\nfr:Lyon\tB-LOC\n"))
    assert sentences[0].words == ["fr:x", "de:y", "fr:Lyon"] and len(log.layout) == 3


@pytest.mark.parametrize(
    "encoding, option",
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-16", None),
        ("utf-32", None),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-8-sig", "UTF-8"),
        ("iso-8859-1", "iso-8859-1"),
        ("windows-1252", "windows-1252"),
        ("mac-roman", "mac-roman"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_encodings_and_line_ends(write, encoding, option, end):
    text = text_of(lines_of("wpct")).replace("\n", end)
    sentences, log = read(iob, write("train.conll", text.encode(encoding)), option)
    check(sentences)
    assert log.lines == {"tokens": 13, "blank": 3}


@pytest.mark.parametrize("option", ["iso-8859-1", "windows-1252", "utf-16"])
def test_byte_order_mark_contradicts_the_encoding_option(write, option):
    path = write("train.conll", BYTE_ORDER_MARK + text_of(lines_of("wt")))
    # Marie, never ï»¿Marie.
    try:
        check(read(iob, path, option)[0])
    except UserError as error:
        assert option in str(error)


def test_suggested_encoding_suits_the_whole_file(write):
    text = "é\tO\n" * 2000 + "œuvre\tO\nLyon\tB-LOC\n"
    path = write("train.conll", text.encode("windows-1252"))
    with pytest.raises(UserError, match="train.conll:1: not valid UTF-8.*windows-1252"):
        read(iob, path)


def test_utf_16_big_endian_with_byte_order_mark(write):
    text = (BYTE_ORDER_MARK + text_of(lines_of("wt"))).encode("utf-16-be")
    check(read(iob, write("train.conll", text))[0])


PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("name", ["train.conll", "train.gz", "train.bz2", "train.conll.xz"])
@pytest.mark.parametrize("kind", PACKERS)
def test_compression_is_detected_whatever_the_suffix(write, kind, name):
    text = text_of(lines_of("wpct")).encode()
    sentences, _ = read(iob, write(name, PACKERS[kind](text)))
    check(sentences)
    truncated = write(name, PACKERS[kind](text)[:-9])
    with pytest.raises(UserError, match="truncated or corrupt"):
        read(iob, truncated)


def test_plain_file_with_a_compression_suffix(write):
    check(read(iob, write("train.gz", text_of(lines_of("wt"))))[0])


def test_empty_tokens_are_replaced_and_counted(write, tmp_path):
    path = write("train.conll", "à\tO\n\tB-LOC\nParis\tI-LOC\n\n\tO\nLyon\tB-LOC\n\tO\n")
    report = convert("iob", path, tmp_path / "out")
    assert [found(doc) for doc in docs(tmp_path / "out" / "train.spacy")] == [
        (["à", "\ufffd", "Paris"], [(1, 3, "LOC")]),
        (["\ufffd", "Lyon", "\ufffd"], [(1, 2, "LOC")]),
    ]
    (file,) = report["read"].values()
    (note,) = file["repaired"].values()
    assert note["count"] == 3 and file["lines"]["tokens"] == 6
    with pytest.raises(UserError, match="train.conll:.*empty token"):
        convert("iob", path, tmp_path / "strict", Plan(strict=True))
