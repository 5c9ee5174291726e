"""Segments: joined they are the text, and none is longer than a model takes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.seq2seq.sentences import segments, sentencizer

NLP = sentencizer("fr_XX", required=False)
TEXTS = st.text("aé.?!… \n\t«»'\u00a0", max_size=80)


def encode(text: str) -> list[int]:
    """An id for every second character, and one for the end."""
    return [1] * ((len(text) + 1) // 2) + [0]


def test_sentences_are_those_of_the_language():
    """M. ends none in French."""
    text = "M. Dupont dort. Et toi ?\nOui"
    found = [one for sentence in segments(text, NLP, encode, 99) for one in sentence]
    assert [one.text for one in found if one.ids] == ["M. Dupont dort.", "Et toi ?", "Oui"]
    assert [one.text for one in found if not one.ids] == [" ", "\n"]
    assert NLP.lang == "fr" and sentencizer("zle_Xyzz", required=False).lang == "xx"


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.integers(2, 12))
def test_nothing_is_lost(text, limit):
    found = [one for sentence in segments(text, NLP, encode, limit) for one in sentence]
    assert "".join(one.text for one in found) == text
    for one in found:
        assert len(one.ids) <= limit
        # Either white space, or a text with none around it.
        assert one.text.strip() == (one.text if one.ids else "")


def test_long_sentences_are_cut_at_white_space():
    text = "un mot et un autre mot et encore un"
    (found,) = segments(text, NLP, encode, 8)
    assert all(one.cut for one in found if one.ids)
    assert [word for one in found for word in one.text.split()] == text.split()
    assert max(len(one.ids) for one in found) <= 8 < len(encode(text))
