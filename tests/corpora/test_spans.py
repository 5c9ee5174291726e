"""Entities by offsets: in UTF-16 units or bytes, overlapping, marked twice, elsewhere in the text."""

import json

import pytest

from scripts.common.errors import UserError
from scripts.corpora.readers import table
from scripts.corpora.spans import CHARACTERS, Claim, Marked, checked, positions, unit_of

from .reading import counts, read

CAKE = "🎂 fête à Lyon et Évian"


def rows(write, *rows):
    lines = [json.dumps({"text": text, "spans": spans}, ensure_ascii=False) for text, spans in rows]
    return write("a.jsonl", "\n".join(lines) + "\n")


def spans(example):
    return [(example.text[start:end], label) for start, end, label in example.spans]


def offsets(text: str, word: str, encoding: str, size: int) -> list:
    def count(part: str) -> int:
        return len(part.encode(encoding)) // size

    start = text.index(word)
    return [count(text[:start]), count(text[: start + len(word)]), "LOC"]


@pytest.mark.parametrize(
    "encoding, size, unit", [("utf-16-le", 2, "UTF-16 units"), ("utf8", 1, "bytes")]
)
def test_other_units_are_recognised_converted_and_counted(write, encoding, size, unit):
    marked = [offsets(CAKE, word, encoding, size) for word in ("Lyon", "Évian")]
    examples, log = read(
        table, rows(write, (CAKE, marked), ("à Lyon", [offsets("à Lyon", "Lyon", encoding, size)]))
    )
    assert [spans(x) for x in examples] == [[("Lyon", "LOC"), ("Évian", "LOC")], [("Lyon", "LOC")]]
    assert log.layout["offsets in"] == unit
    changed = 2 if unit == "UTF-16 units" else 3
    assert counts(log.repaired) == {f"offsets in {unit}, converted": changed}


def test_characters_stay_where_others_fit_no_better(write):
    marked = [offsets(CAKE, word, "utf-32-le", 4) for word in ("Lyon", "Évian")]
    examples, log = read(table, rows(write, (CAKE, marked)))
    assert spans(examples[0]) == [("Lyon", "LOC"), ("Évian", "LOC")] and not log.repaired.counts
    # Half a word, and no other unit in which all of them are whole ones.
    half = [[CAKE.index("Lyon"), CAKE.index("Lyon") + 2, "LOC"], *marked[1:]]
    assert unit_of(iter([Marked(CAKE, [Claim(*x) for x in half], 1)])) == CHARACTERS


def test_positions():
    assert list(positions("é🎂a", "UTF-16 units")) == [0, 1, -1, 2, 3]
    assert list(positions("é🎂a", "bytes")) == [0, -1, 1, -1, -1, -1, 2, 3]
    assert list(positions("éa", "UTF-16 units")) == [0, 1, 2]


def test_a_text_that_the_offsets_do_not_select_leaves_the_example_out(write):
    wrong = [{"start": 0, "end": 4, "label": "LOC", "text": "Lyon"}]
    right = [{"start": 2, "end": 6, "label": "LOC", "text": "Lyon"}]
    examples, log = read(table, rows(write, ("à Lyon", wrong), ("à Lyon", right)))
    assert [spans(x) for x in examples] == [[("Lyon", "LOC")]]
    assert counts(log.skipped) == {"text with an entity that is not at its offsets": 1}


def test_of_equally_long_overlapping_ones_the_first_in_the_text_then_in_the_file(write):
    text = "Jean Paul Sartre"
    overlapping = [[5, 16, "Z"], [0, 9, "B"], [0, 9, "A"]]
    with pytest.raises(UserError, match="a.jsonl:1: entities 0–9 and 0–9 overlap"):
        read(table, rows(write, (text, overlapping)))
    for claims, kept in (
        (overlapping, [("Paul Sartre", "Z")]),
        ([[0, 9, "Z"], [0, 9, "A"]], [("Jean Paul", "Z")]),
        ([[5, 9, "A"], [0, 4, "B"], [3, 7, "C"]], [("Jean", "B"), ("Paul", "A")]),
    ):
        examples, log = read(table, rows(write, (text, claims)), overlaps="longest")
        assert spans(examples[0]) == kept
        dropped = len(claims) - len(kept)
        assert counts(log.repaired) == {"entity that overlaps a longer one, dropped": dropped}


def test_an_entity_marked_twice_is_read_once(write):
    examples, log = read(table, rows(write, ("à Lyon", [[2, 6, "LOC"], [2, 6, "LOC"]])))
    assert spans(examples[0]) == [("Lyon", "LOC")]
    assert counts(log.repaired) == {"entity marked twice, read once": 1}


def test_within_a_character_is_outside(write):
    with pytest.raises(UserError, match="is empty or outside its text"):
        checked("🎂a", [Claim(1, 3, "X")], "a:1", None, None, "UTF-16 units")
