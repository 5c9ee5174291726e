"""Every dialect of a token a line."""

import bz2
import gzip
import lzma
import re
from collections import Counter

import pytest

from scripts.corpora import iob
from scripts.corpora.conversion import Plan
from scripts.errors import UserError

from .reading import (
    BYTE_ORDER_MARK,
    ENTITIES,
    NO_BREAK_SPACE,
    SCHEMES,
    SPACE,
    SPACES,
    TAB,
    WORDS,
    ZERO_WIDTH_SPACE,
    convert,
    counts,
    docs,
    found,
    lines_of,
    read,
    text_of,
)


def check(sentences) -> None:
    assert [s.words for s in sentences] == [words.split() for words in WORDS]
    assert [s.entities for s in sentences] == ENTITIES


@pytest.mark.parametrize("separator", [TAB, SPACE, SPACES], ids=["tab", "space", "spaces"])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "columns",
    [*("wt", "tw", "wpct", "wptc", "wtpc", "twpc", "wt_", "w__t", "wct", "wtc", "twc")]
    + [*("0wt", "1wt", "0wpct", "1wtp", "1twp", "1wp_t_", "tw1")],
)
def test_columns_schemes_and_separators(write, columns, scheme, separator):
    path = write("train.conll", text_of(lines_of(columns, scheme, separator)))
    sentences, log = read(iob, path)
    check(sentences)
    assert log.layout["token_column"] == columns.index("w") + 1
    assert log.layout["tag_column"] == columns.index("t") + 1
    assert log.layout["tags"] == scheme
    assert counts(log.repaired) == {} and log.lines["tokens"] == 13


def test_i_only_joins_neighbours_and_needs_no_repair(write):
    text = text_of(lines_of("wt", "IOB2")).replace("B-", "I-")
    sentences, log = read(iob, write("train.bio", text))
    assert sentences[0].entities == [(0, 2, "PER"), (4, 6, "LOC")]
    assert log.layout["tags"] == "I-only" and counts(log.repaired) == {}


@pytest.mark.parametrize(
    "columns, token, tag",
    [
        ("wpct", 1, -1),
        ("wpct", -4, 4),
        ("wpct", -4, -1),
        ("tcpw", -1, 1),
        ("pwtc", 2, 3),
        ("pwtc", -3, -2),
        ("0wt", 2, None),
        ("0pwt", 3, None),
        ("0pwt", -2, None),
        ("wtc", None, 2),
        # What comes before the tag and is no index may be anything: here the user must tell.
        ("pwt", 2, None),
        ("tpcw", -1, None),
    ],
)
def test_named_columns(write, columns, token, tag):
    path = write("train.conll", text_of(lines_of(columns)))
    check(read(iob, path, token_column=token, tag_column=tag)[0])


def test_named_columns_of_lines_of_many_widths(write):
    text = "Paris\tN\tx\tB-LOC\nest\tO\n\nà\tP\tO\nLyon\tB-LOC\n"
    sentences, _ = read(iob, write("train.conll", text), token_column=1, tag_column=-1)
    assert [s.words for s in sentences] == [["Paris", "est"], ["à", "Lyon"]]
    assert [s.entities for s in sentences] == [[(0, 1, "LOC")], [(1, 2, "LOC")]]


@pytest.mark.parametrize(
    "options",
    [
        {"token_column": -3, "tag_column": -1},
        {"token_column": 3, "tag_column": 1},
        {"token_column": 1, "tag_column": 3},
        {"token_column": 1, "tag_column": -3},
        {"tag_column": 3},
        {"token_column": 3},
        {"token_column": -3},
        {"token_column": 0, "tag_column": 2},
        {"token_column": 1, "tag_column": 0},
        {"token_column": 1, "tag_column": 1},
        {"token_column": -2, "tag_column": 1},
    ],
    ids=str,
)
def test_named_columns_that_are_not_there_or_are_one_are_refused(write, options):
    with pytest.raises(UserError):
        read(iob, write("train.conll", text_of(lines_of("wt"))), **options)


def test_ranges_and_empty_nodes_do_not_hide_the_index(write):
    text = "1\tIl\tO\n2-3\tdu\tO\n2\tde\tO\n3\tle\tO\n4\tMans\tB-LOC\n4.1\tvu\tO\n\n1\tNon\tO\n2\t.\tO\n"
    sentences, log = read(iob, write("train.conllu", text))
    assert log.layout["token_column"] == 2 and log.layout["tag_column"] == 3
    assert len(sentences) == 2 and not any(w.isdigit() for s in sentences for w in s.words)
    (entity,) = sentences[0].entities
    assert sentences[0].words[entity[0]] == "Mans"


@pytest.mark.parametrize(
    "lines",
    [
        [f"{i % 30}\tmot\tO" for i in range(120)],
        [f"{1 + i % 30}\tmot\tO" for i in range(120)],
        [f"{i}\tmot\tO" + "\n" * (i % 30 == 29) for i in range(120)],
        [f"{1 + i}\tmot\tN\tO" + "\n" * (i % 30 == 29) for i in range(120)],
        [f"{1 + i % 30:4} mot O" + "\n" * (i % 30 == 29) for i in range(120)],
        ["  mot O" + "\n" * (i % 30 == 29) for i in range(120)],
    ],
    ids=["no blank lines", "from 1, no blank lines", "whole file", "whole file, POS"]
    + ["aligned to the right", "indented"],
)
def test_an_index_of_another_kind_does_not_become_the_tokens(write, lines):
    lines[40] = lines[40].replace("mot", "Lyon").replace("O", "B-LOC")
    # Refused is well too: what must not be is a corpus of numbers or of nothing.
    try:
        sentences, _ = read(iob, write("train.conll", "\n".join(lines)))
    except UserError as error:
        assert "column" in str(error)
    else:
        words = [word for s in sentences for word in s.words]
        assert words == ["mot"] * 40 + ["Lyon"] + ["mot"] * 79


def test_numbers_as_tokens_are_no_index(write):
    sentences, _ = read(iob, write("train.conll", "1\tM\tO\n2\tM\tO\n2\tM\tO\nNice\tN\tB-LOC\n"))
    assert sentences[0].words == ["1", "2", "2", "Nice"]


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
def test_separator_lines_of_white_space_alone(write, separator, line):
    path = write("train.conll", text_of(lines_of("wpct", separator=separator), between=line))
    sentences, log = read(iob, path)
    check(sentences)
    assert log.lines["blank"] == 3


def test_no_break_space_beside_zero_width_space_is_a_separator_line(write):
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
def test_any_word_is_data(write, word, first):
    words = [word, "à", "Lyon"] if first else ["à", word, "Lyon"]
    lines = [f"{w}\tB-LOC" if w == "Lyon" else f"{w}\tO" for w in words]
    sentences, log = read(iob, write("train.conll", text_of([["ok\tO"], lines, lines])))
    assert [s.words for s in sentences] == [["ok"], words, words]
    assert [s.entities for s in sentences] == [[], [(2, 3, "LOC")], [(2, 3, "LOC")]]
    assert counts(log.repaired) == {}


@pytest.mark.parametrize("word", ["|", "a|b", "#", "#tag", "-", "", '"', f"a{ZERO_WIDTH_SPACE}b"])
def test_any_word_is_data_between_spaces(write, word):
    lines = [f"{word} O", "à O", f"{word} O", "Lyon B-LOC"]
    sentences, _ = read(iob, write("train.conll", text_of([lines, lines])))
    assert [s.words for s in sentences] == [[word, "à", word, "Lyon"]] * 2


def test_one_byte_order_mark_is_none_of_the_first_word(write):
    text = BYTE_ORDER_MARK + text_of(lines_of("wt"))
    check(read(iob, write("train.conll", text))[0])
    check(read(iob, write("train.conll", text), encoding="utf-8")[0])
    # A second one is data, if odd.
    sentences, _ = read(iob, write("train.conll", BYTE_ORDER_MARK + text))
    assert sentences[0].words[0] == BYTE_ORDER_MARK + "Marie"


@pytest.mark.parametrize("invisible", [ZERO_WIDTH_SPACE, BYTE_ORDER_MARK, "\u2060", NO_BREAK_SPACE])
@pytest.mark.parametrize(
    "tag", ["O{}", "{}O", "{}B-LOC", "B-LOC{}", "{}I-PER", "I-PER{}"], ids=ascii
)
def test_invisible_characters_beside_a_tag_are_taken_off_and_counted(write, tag, invisible):
    plain, written = tag.format(""), tag.format(invisible)
    text = text_of(lines_of("wt"))
    lines = text.splitlines()
    line = next(i for i, x in enumerate(lines) if x.endswith(f"\t{plain}"))
    lines[line] = lines[line].replace(plain, written)
    sentences, log = read(iob, write("train.conll", "\n".join(lines)))
    check(sentences)
    (note,) = log.repaired.to_json().values()
    assert note["count"] == 1 and note["first"][0].endswith(f"train.conll:{line + 1}")


def test_a_space_after_a_tag_does_not_make_another_label(write):
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
    assert log.layout["prefix taken off the tokens"] == prefix


def test_wikiann_prefixes_are_taken_off_once_and_only_if_all_words_have_them(write):
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
def test_the_mark_of_another_encoding_than_the_named_one(write, option):
    path = write("train.conll", BYTE_ORDER_MARK + text_of(lines_of("wt")))
    # Marie, never ï»¿Marie.
    try:
        check(read(iob, path, option)[0])
    except UserError as error:
        assert option in str(error)


def test_the_advice_for_a_file_that_is_not_utf_8_holds_for_all_of_it(write):
    text = "é\tO\n" * 2000 + "œuvre\tO\nLyon\tB-LOC\n"
    path = write("train.conll", text.encode("windows-1252"))
    with pytest.raises(UserError, match="train.conll:1: not UTF-8.*windows-1252"):
        read(iob, path)


def test_utf_16_big_endian_with_its_mark(write):
    text = (BYTE_ORDER_MARK + text_of(lines_of("wt"))).encode("utf-16-be")
    check(read(iob, write("train.conll", text))[0])


PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("name", ["train.conll", "train.gz", "train.bz2", "train.conll.xz"])
@pytest.mark.parametrize("kind", PACKERS)
def test_compressed_files_under_any_name(write, kind, name):
    text = text_of(lines_of("wpct")).encode()
    sentences, _ = read(iob, write(name, PACKERS[kind](text)))
    check(sentences)
    cut = write(name, PACKERS[kind](text)[:-9])
    with pytest.raises(UserError, match="cut short or broken"):
        read(iob, cut)


def test_a_plain_file_named_as_if_compressed(write):
    check(read(iob, write("train.gz", text_of(lines_of("wt"))))[0])


def test_empty_tokens_are_written_as_a_sign_and_counted(write, tmp_path):
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


@pytest.mark.parametrize(
    "columns, separator, comments",
    [
        ("1wt", TAB, ["# sent_id = 1", "# text = Marie Curie vit à Paris Lyon"]),
        ("1wpct", SPACE, ["# sent_id = 1"]),
        ("0wt", TAB, ["# newdoc id = a\tb\tO"]),
        ("wt", TAB, ["# id 5239d808-f300\tdomain=train"]),
        ("wt", TAB, ["# newdoc", "# text = a"]),
        ("w__t", SPACE, ["# id 5239d808-f300\tdomain=train"]),
        ("w__t", SPACE, ["# id 1 domain=train"]),
    ],
)
def test_comments_before_sentences(write, columns, separator, comments):
    sentences = [[*comments, *lines] for lines in lines_of(columns, separator=separator)]
    got, log = read(iob, write("train.conllu", text_of(sentences)))
    check(got)
    assert log.lines["comments"] == 3 * len(comments)


def test_more_comments_than_tokens(write):
    comments = [f"# note {i} = rien" for i in range(20)]
    sentences = [[*comments, *lines] for lines in lines_of("1wt")]
    check(read(iob, write("train.conllu", text_of(sentences)))[0])


def test_a_defective_tag_does_not_turn_the_reader_to_the_chunks(write):
    lines = lines_of("wpct")
    lines[1][1] += ZERO_WIDTH_SPACE
    check(read(iob, write("train.conll", text_of(lines)))[0])


def test_a_tag_that_is_none_is_told_rather_than_chunks_read(write):
    text = text_of(lines_of("wpct")).replace("B-PER", "B_PER")
    with pytest.raises(UserError, match="train.conll:1: 'B_PER' is no tag"):
        read(iob, write("train.conll", text))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_defective_tags_are_repaired_and_counted_with_their_lines(write, end):
    lines = (
        ["-DOCSTART- -X- O O", "", "# O O O", "a N O B-PER", "b N O I-LOC", "", "", "c N O I-PER"]
        + ["d N O I-PER", "-DOCSTART-", "e N O B-ORG", "f N O O", "g N O E-ORG", "h N O B-PER"]
        + ["i N O B-PER", "j N O B-PER"]
    )
    sentences, log = read(iob, write("train.conll", end.join(lines)))
    assert [s.entities for s in sentences] == [
        [(1, 2, "PER"), (2, 3, "LOC")],
        [(0, 2, "PER")],
        [(0, 1, "ORG"), (2, 3, "ORG"), (3, 4, "PER"), (4, 5, "PER"), (5, 6, "PER")],
    ]
    (note,) = log.repaired.to_json().values()
    assert note["count"] == 3
    assert [re.sub(".*:", "", place) for place in note["first"]] == ["5", "8", "13"]


@pytest.mark.parametrize("limit", [1, 2, 10, 250])
def test_a_file_without_blank_lines_is_cut_outside_entities(write, limit):
    tags = ["O", "B-PER", "I-PER", "I-PER", "O", "O", "B-LOC", "B-LOC"] * 100
    path = write("train.bio", "".join(f"w{i} {tag}\n" for i, tag in enumerate(tags)))
    sentences, log = read(iob, path, max_words=limit)
    assert [w for s in sentences for w in s.words] == [f"w{i}" for i in range(800)]
    assert Counter(label for s in sentences for _, _, label in s.entities) == {
        "PER": 100,
        "LOC": 200,
    }
    assert all(limit <= len(s.words) < limit + 3 for s in sentences[:-1])
    assert sum(counts(log.repaired).values()) == len(sentences) - 1


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\n\n\n\t\n"])
def test_the_last_sentence_needs_no_blank_line(write, end):
    check(read(iob, write("train.conll", text_of(lines_of("wt")).rstrip("\n") + end))[0])


def test_an_empty_token_after_the_first_lines_between_spaces(write):
    lines = ["mot O"] * 1500
    lines[7] = "Lyon B-LOC"
    lines[1200] = " O"
    sentences, _ = read(iob, write("train.bio", "\n".join(lines)))
    words = [word for s in sentences for word in s.words]
    assert len(words) == 1500 and words[1200] == ""


@pytest.mark.parametrize(
    "numbers",
    [range(5000, 5120), [i for i in range(150) if i % 5], [i * 10 for i in range(120)]],
    ids=["from 5000", "gaps", "tens"],
)
def test_a_column_of_numbers_alone_is_no_column_of_tokens(write, numbers):
    lines = [f"{i}\tmot\tO" + "\n" * (i % 30 == 29) for i in numbers]
    lines[40] = lines[40].replace("mot", "Lyon").replace("O", "B-LOC")
    sentences, _ = read(iob, write("train.conll", "\n".join(lines)))
    words = [word for s in sentences for word in s.words]
    assert words == ["mot"] * 40 + ["Lyon"] + ["mot"] * 79


@pytest.mark.parametrize("first", ["Sentence_{n}", "N{n}"])
def test_a_first_column_that_is_poor_in_values_is_not_the_tokens(write, first):
    """Sentence numbers, or parts of speech."""
    rows = [f"{first.format(n=i // 25)}\tmot{i}\tO" + "\n" * (i % 25 == 24) for i in range(200)]
    rows[40] = rows[40].replace("\tO", "\tB-LOC")
    sentences, log = read(iob, write("train.conll", "\n".join(rows)))
    assert [word for s in sentences for word in s.words] == [f"mot{i}" for i in range(200)]
    assert log.layout["token_column"] == 2


def test_other_columns_of_tags_are_told(write):
    """GermEval has outer and inner entities: the last column is taken."""
    path = write("train.tsv", "Uni\tB-ORG\tO\nLens\tI-ORG\tB-LOC\n")
    sentences, log = read(iob, path)
    assert sentences[0].entities == [(1, 2, "LOC")]
    assert log.layout["tags also in columns"] == [2]
