"""Variants of the format with one token per line."""

import re
from collections import Counter

import pytest

from scripts.common.errors import UserError
from scripts.corpora.readers import iob

from .reading import (
    SCHEMES,
    SPACE,
    SPACES,
    TAB,
    ZERO_WIDTH_SPACE,
    check,
    counts,
    lines_of,
    read,
    text_of,
)


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


def test_i_only_merges_adjacent_entities_without_repair(write):
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
        # A column before the tokens that is not an index may hold anything: the user has to choose.
        ("pwt", 2, None),
        ("tpcw", -1, None),
    ],
)
def test_named_columns(write, columns, token, tag):
    path = write("train.conll", text_of(lines_of(columns)))
    check(read(iob, path, token_column=token, tag_column=tag)[0])


def test_named_columns_in_lines_of_any_width(write):
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
def test_named_columns_that_do_not_exist_or_coincide_are_refused(write, options):
    with pytest.raises(UserError):
        read(iob, write("train.conll", text_of(lines_of("wt"))), **options)


def test_index_is_detected_despite_ranges_and_empty_nodes(write):
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
    + ["right-aligned", "indented"],
)
def test_unusual_index_is_not_read_as_tokens(write, lines):
    lines[40] = lines[40].replace("mot", "Lyon").replace("O", "B-LOC")
    # An error is also fine; a corpus of numbers, or of nothing, is not.
    try:
        sentences, _ = read(iob, write("train.conll", "\n".join(lines)))
    except UserError as error:
        assert "column" in str(error)
    else:
        words = [word for s in sentences for word in s.words]
        assert words == ["mot"] * 40 + ["Lyon"] + ["mot"] * 79


def test_numbers_as_tokens_are_not_an_index(write):
    sentences, _ = read(iob, write("train.conll", "1\tM\tO\n2\tM\tO\n2\tM\tO\nNice\tN\tB-LOC\n"))
    assert sentences[0].words == ["1", "2", "2", "Nice"]


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


def test_invalid_tag_does_not_make_chunks_the_tag_column(write):
    lines = lines_of("wpct")
    lines[1][1] += ZERO_WIDTH_SPACE
    check(read(iob, write("train.conll", text_of(lines)))[0])


def test_invalid_tag_is_reported_instead_of_reading_chunks(write):
    text = text_of(lines_of("wpct")).replace("B-PER", "B_PER")
    with pytest.raises(UserError, match="train.conll:1: 'B_PER' is not a tag"):
        read(iob, write("train.conll", text))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tag_repairs_are_counted_with_their_lines(write, end):
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
def test_file_without_blank_lines_is_split_outside_entities(write, limit):
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
def test_last_sentence_needs_no_blank_line(write, end):
    check(read(iob, write("train.conll", text_of(lines_of("wt")).rstrip("\n") + end))[0])


def test_empty_token_after_the_first_lines_of_a_space_separated_file(write):
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
def test_column_of_numbers_only_is_not_the_token_column(write, numbers):
    lines = [f"{i}\tmot\tO" + "\n" * (i % 30 == 29) for i in numbers]
    lines[40] = lines[40].replace("mot", "Lyon").replace("O", "B-LOC")
    sentences, _ = read(iob, write("train.conll", "\n".join(lines)))
    words = [word for s in sentences for word in s.words]
    assert words == ["mot"] * 40 + ["Lyon"] + ["mot"] * 79


@pytest.mark.parametrize("first", ["Sentence_{n}", "N{n}"])
def test_column_with_few_distinct_values_is_not_the_token_column(write, first):
    """Sentence numbers, or parts of speech."""
    rows = [f"{first.format(n=i // 25)}\tmot{i}\tO" + "\n" * (i % 25 == 24) for i in range(200)]
    rows[40] = rows[40].replace("\tO", "\tB-LOC")
    sentences, log = read(iob, write("train.conll", "\n".join(rows)))
    assert [word for s in sentences for word in s.words] == [f"mot{i}" for i in range(200)]
    assert log.layout["token_column"] == 2
