"""Words, capitals and marks, and the chunks that are made of them."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from scripts.common.raw_text import read_lines
from scripts.seq2seq.chunks import Chunk, cut, sentences, written_lines
from scripts.seq2seq.marks import forms, tokens_of, words_of
from scripts.seq2seq.pieces import Pieces

from ..conftest import SAMPLE

STORIES = SAMPLE / "raw-fr" / "recits.txt"


@pytest.mark.parametrize(
    "line, words",
    [
        ("— Hé ! dit-il, où vas-tu ?", "Hé! dit-il, où vas-tu?"),
        ("Elle cria : « Au feu !... » (trois fois).", "Elle cria: Au feu! trois fois."),
        ("Zonzon—un diminutif... Ah!...Oui", "Zonzon un diminutif… Ah! Oui"),
        ("À 10:30, 3,5 % de l’eau-de-vie de M. d'Artagnan…", "À 10:30, 3,5 de l'eau-de-vie de M. d'Artagnan…"),
        ("...On claqua ; « Bien ?! », -- et puis ?", "On claqua; Bien? et puis?"),
        ("* * *", ""),
    ],
)  # fmt: skip
def test_words_have_the_mark_that_can_be_heard_after_them(line, words):
    assert " ".join(map("".join, words_of(line))) == words


@given(st.lists(st.text(st.characters(codec="utf8"), min_size=1), max_size=8).map(" ".join))
def test_tokens_are_the_text(text):
    assert [one.before + one.word + one.after for one in tokens_of(text)] == text.split()


def test_forms_are_ways_to_write_a_word():
    assert forms("l’été") == ["l’été", "l’Été", "L’été", "L’Été", "L’ÉTÉ"]
    assert forms("1889") == ["1889"] and forms("straße") == ["straße", "Straße"]
    # Not every combination: there would be 64.
    assert forms("a-b-c-d-e-f") == ["a-b-c-d-e-f", "A-b-c-d-e-f", "A-B-C-D-E-F"]


@given(st.text(st.characters(codec="utf8")))
def test_forms_differ_in_nothing_but_capitals(word):
    assert all(form.lower() == word.lower() for form in forms(word.lower()))


def test_sentences_end_before_a_capital():
    words = list(words_of("Non ! dit-elle. M. Morel vient… à pied ? 18 mai : oui."))
    found = [" ".join(map("".join, sentence)) for sentence in sentences(words)]
    assert found == ["Non! dit-elle.", "M.", "Morel vient… à pied?", "18 mai: oui."]


def test_chunks_are_whole_sentences(distilbert):
    pieces = Pieces(AutoTokenizer.from_pretrained(distilbert))
    counts = Counter()
    lines = list(written_lines(read_lines(STORIES), pieces.marks, counts))
    words = [word for line in lines for word in line]
    chunks = list(cut(words, pieces, 64, counts))
    sizes = [len(pieces.written(*chunk)) - 1 for chunk in chunks]
    assert max(sizes) <= 64 and min(sizes) < 20 and len(chunks) > 100
    kept = [pair for chunk in chunks for pair in zip(*chunk)]
    left_out = counts["words at the end of sentences that are too long"]
    assert len(kept) == len(words) - left_out > 0.95 * len(words)
    begins = {sentence[0] for sentence in sentences(words)}
    assert {(chunk.words[0], chunk.marks[0]) for chunk in chunks} <= begins
    # All that a mark or a capital can tell is gone from what is read.
    assert all(chunk.spoken == chunk.spoken.lower() for chunk in chunks)
    marks = set(pieces.marks.values())
    assert not any(marks & set(pieces.spoken(chunk.words)) for chunk in chunks)


def test_lines_that_are_no_written_language_are_counted(distilbert):
    pieces = Pieces(AutoTokenizer.from_pretrained(distilbert))
    counts = Counter()
    lines = ["Oui.", "18 mai : rien.", "euh oui ?", "CHAPITRE I", "* * *", "« Non ! »"]
    used = list(written_lines(lines, pieces.marks, counts))
    assert [line[0][0] for line in used] == ["Oui", "18", "Non"]
    assert counts == {
        "lines used": 3, "lines without a word": 1, "lines that begin with a small letter": 1,
        "lines that end without a mark": 1,
    }  # fmt: skip


def test_a_word_that_is_too_long_is_left_out(distilbert):
    pieces = Pieces(AutoTokenizer.from_pretrained(distilbert))
    counts = Counter()
    words = [("Oui", ","), ("abc" * 20, ""), ("non", ".")]
    (chunk,) = cut(words, pieces, 64, counts)
    assert chunk == Chunk(["Oui", "non"], [",", "."]) and counts["words that are too long"] == 1
