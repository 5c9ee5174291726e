"""Scores compared with nervaluate's; missing annotation is not an error."""

import random

import pytest
import spacy
from nervaluate import Evaluator
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc, Span
from spacy.training import Example

from scripts.corpora.docbins import read_docs
from scripts.serving.gold import split_sha256
from scripts.serving.metrics import (
    labels_given,
    score_categories,
    score_entities,
    scored_on,
)

LABELS = ["LOC", "MISC", "ORG", "PER"]


@pytest.fixture(scope="module")
def gold(sample_corpora):
    return list(read_docs(sample_corpora / "ner" / "test.spacy", spacy.blank("fr").vocab))


def characters(doc: Doc) -> list[str]:
    """Return an IOB2 tag for each character of a text."""
    tags = ["O"] * len(doc.text)
    for entity in doc.ents:
        tags[entity.start_char : entity.end_char] = [f"I-{entity.label_}"] * len(entity.text)
        tags[entity.start_char] = f"B-{entity.label_}"
    return tags


def guessed(doc: Doc, seed: int, tokens: str) -> Doc:
    """Return predictions that are correct, a token too long or short, mislabelled or missing; on the
    gold tokens, or on single letters."""
    chance = random.Random(seed)
    words, spaces = [t.text for t in doc], [bool(t.whitespace_) for t in doc]
    found = Doc(doc.vocab, words, spaces)
    if tokens == "letters":
        # Each space is a token too.
        found = Doc(doc.vocab, list(doc.text), [False] * len(doc.text))
    spans = []
    for entity in doc.ents:
        start, end, label = entity.start_char, entity.end_char, entity.label_
        kind = chance.choice(["right", "right", "short", "long", "label", "missing", "extra"])
        if kind == "short" and len(entity) > 1:
            end = entity[-1].idx - len(entity[-2].whitespace_)
        elif kind == "long" and entity.end < len(doc):
            end = doc[entity.end].idx + len(doc[entity.end])
        elif kind == "label":
            label = chance.choice(LABELS)
        elif kind == "extra" and entity.end < len(doc):
            token = doc[entity.end]
            spans.append(found.char_span(token.idx, token.idx + len(token), label="ORG"))
        if kind != "missing":
            spans.append(found.char_span(start, end, label=label))
    found.ents = spacy.util.filter_spans(spans)
    return found


@pytest.mark.parametrize("tokens", ["gold", "letters"])
@pytest.mark.parametrize("seed", [0, 1])
def test_entity_scores_equal_those_of_nervaluate(gold, seed, tokens):
    found = [guessed(doc, seed + index, tokens) for index, doc in enumerate(gold)]
    assert [doc.text for doc in found] == [doc.text for doc in gold]
    scores = score_entities(found, gold)
    tags = [[characters(doc) for doc in docs] for docs in (gold, found)]
    wanted = Evaluator(*tags, tags=LABELS, loader="list").evaluate()
    overall = wanted["overall"]["strict"]
    assert scores["ents_p"] == pytest.approx(overall.precision)
    assert scores["ents_r"] == pytest.approx(overall.recall)
    assert scores["ents_f"] == pytest.approx(overall.f1)
    assert 0.3 < scores["ents_f"] < 0.8
    for label in LABELS:
        other = wanted["entities"][label]["strict"]
        assert scores["ents_per_type"][label] == pytest.approx(
            {"p": other.precision, "r": other.recall, "f": other.f1}
        )


def test_on_gold_tokens_scores_equal_those_of_spacy(gold):
    found = [guessed(doc, index, "gold") for index, doc in enumerate(gold)]
    theirs = get_ner_prf([Example(*pair) for pair in zip(found, gold)])
    assert score_entities(found, gold) == theirs


def test_wrong_boundaries_are_errors():
    """spaCy aligns them to the gold token, and counts them as correct."""
    vocab = spacy.blank("fr").vocab
    gold = Doc(vocab, ["lit", "L'Express", "hier"], [True, True, False], ents=["O", "B-ORG", "O"])
    found = Doc(vocab, ["lit", "L'", "Express", "hier"], [True, False, True, False])
    found.ents = [Span(found, 2, 3, label="ORG")]
    assert get_ner_prf([Example(found, gold)])["ents_f"] == 1.0
    scores = score_entities([found], [gold])
    assert (scores["ents_p"], scores["ents_r"], scores["ents_f"]) == (0.0, 0.0, 0.0)
    tags = [[characters(gold)], [characters(found)]]
    strict = Evaluator(*tags, tags=["ORG"], loader="list").evaluate()["overall"]["strict"]
    assert (strict.correct, strict.f1) == (0, 0)
    found.ents = [Span(found, 1, 3, label="ORG")]
    assert score_entities([found], [gold])["ents_f"] == 1.0


def test_nothing_is_an_error_if_annotation_is_missing():
    vocab = spacy.blank("fr").vocab
    gold = Doc(vocab, ["Marie", "et", "Lens"])
    gold.set_ents([Span(gold, 0, 1, label="PER")], missing=[gold[2:3]], default="outside")
    found = Doc(vocab, ["Marie", "et", "Lens"], ents=["B-PER", "B-LOC", "B-LOC"])
    assert score_entities([found], [gold])["ents_per_type"] == {
        "PER": {"p": 1.0, "r": 1.0, "f": 1.0},
        "LOC": {"p": 0.0, "r": 0.0, "f": 0.0},
    }
    found.ents = [Span(found, 0, 1, label="PER"), Span(found, 2, 3, label="LOC")]
    assert score_entities([found], [gold])["ents_f"] == 1.0
    assert score_entities([], []) == {
        "ents_p": None, "ents_r": None, "ents_f": None, "ents_per_type": {},
    }  # fmt: skip


def with_cats(*cats: dict[str, float]) -> list[Doc]:
    docs = [spacy.blank("fr").make_doc("texte") for _ in cats]
    for doc, values in zip(docs, cats):
        doc.cats = values
    return docs


def test_exclusive_categories():
    found = with_cats({"a": 0.4, "b": 0.6}, {"a": 0.3, "b": 0.7}, {"a": 0.9, "b": 0.1})
    gold = with_cats({"a": 0.0, "b": 1.0}, {"a": 1.0, "b": 0.0}, {"a": 1.0, "b": 0.0})
    scores = score_categories(found, gold, ["a", "b"], None)
    assert scores["accuracy"] == scores["cats_micro_f"] == pytest.approx(2 / 3)


def test_categories_above_a_threshold():
    found = with_cats({"a": 0.4, "b": 0.6}, {"a": 0.3, "b": 0.2})
    gold = with_cats({"a": 1.0, "b": 1.0}, {"a": 0.0, "b": 0.0})
    assert "accuracy" not in score_categories(found, gold, ["a", "b"], 0.5)
    assert score_categories(found, gold, ["a", "b"], 0.5)["cats_micro_r"] == 0.5
    assert score_categories(found, gold, ["a", "b"], 0.4)["cats_micro_f"] == 1.0
    assert [labels_given(doc, 0.4) for doc in found] == [{"a", "b"}, set()]


def test_what_was_scored_is_put_into_words():
    metrics = {"corpus": "c", "split": "dev", "about": "", "map": {}}
    assert scored_on(metrics) == "c, dev"
    metrics |= {"about": "carved", "map": {"PERSON": "PER", "DATE": ""}}
    assert scored_on(metrics) == "c, dev: carved (labels PERSON → PER, DATE → –)"


def test_a_split_is_hashed_shard_by_shard_in_order(tmp_path):
    (tmp_path / "test.spacy").mkdir()
    for name, content in (("b", b"two"), ("a", b"one")):
        (tmp_path / "test.spacy" / f"{name}.spacy").write_bytes(content)
    (tmp_path / "whole.spacy").write_bytes(b"onetwo")
    assert split_sha256(tmp_path / "test.spacy") == split_sha256(tmp_path / "whole.spacy")
