"""The component for token classification heads that this project trains: windows and decoding."""

import itertools
import math

import numpy
import pytest
import spacy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from transformers import AutoModelForTokenClassification, AutoTokenizer, set_seed

from scripts.wheel.components import HFTokenEntities
from scripts.wheel.tags import (
    OVERLAP,
    decode,
    encoded_windows,
    entity_type,
    first_pieces,
    forbidden,
    token_places,
    viterbi,
)

from ..heads import TAGS

FEW = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
TEXT = "Marie Curie rejoint la Sorbonne, à Paris.  L'Express en parle. "


def is_valid(tags):
    return all(
        not tag.startswith("I-") or (before != "O" and entity_type(before) == entity_type(tag))
        for before, tag in zip(["O", *tags], tags)
    )


def spans(tags):
    """The entities of a valid sequence, by regular reading."""
    found = []
    for index, tag in enumerate(tags):
        if tag.startswith("B-"):
            found.append([index, index, tag[2:]])
        elif tag.startswith("I-"):
            found[-1][1] = index
    return [tuple(span) for span in found]


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 5).flatmap(
        lambda n: st.lists(
            st.lists(st.floats(-6, 6), min_size=len(FEW), max_size=len(FEW)), min_size=n, max_size=n
        )
    )
)
def test_tags_and_probabilities_are_those_of_all_valid_sequences(logits):
    logits = numpy.array(logits)
    logs = logits - numpy.logaddexp.reduce(logits, axis=1)[:, None]
    weights = {}
    for path in itertools.product(range(len(FEW)), repeat=len(logs)):
        if is_valid([FEW[tag] for tag in path]):
            weights[path] = math.exp(sum(logs[i, tag] for i, tag in enumerate(path)))
    found, entities = decode(logs, FEW)
    assert weights[tuple(found)] == pytest.approx(max(weights.values()))
    assert [entity[:3] for entity in entities] == spans([FEW[tag] for tag in found])
    for first, last, label, confidence in entities:
        right = sum(
            weight
            for path, weight in weights.items()
            if (first, last, label) in spans([FEW[tag] for tag in path])
        )
        assert confidence == pytest.approx(right / sum(weights.values()))


def test_an_inside_tag_needs_one_of_its_type_before_it():
    logs = numpy.log(
        [
            # I-LOC cannot begin a text; I-PER cannot follow B-LOC.
            [0.1, 0.1, 0.0001, 0.3, 0.4999],
            [0.3, 0.05, 0.4, 0.05, 0.2],
        ]
    )
    path, entities = decode(logs, FEW)
    assert [FEW[tag] for tag in path] == ["B-LOC", "O"]
    assert viterbi(logs, forbidden(FEW), 0) == path
    ((first, last, label, confidence),) = entities
    assert (first, last, label) == (0, 0, "LOC") and 0 < confidence < 1
    assert decode(numpy.empty((0, 5)), FEW) == ([], [])


def test_an_impossible_tag_has_no_weight():
    logs = numpy.array([[-numpy.inf, 0, -numpy.inf], [-numpy.inf, -numpy.inf, 0]])
    assert decode(logs, ["O", "B-X", "I-X"])[1] == [(0, 1, "X", 1.0)]


@pytest.mark.parametrize(
    "pieces, tokens, wanted",
    [
        # One piece each; two pieces; a space in a piece's offsets.
        ([(0, 2), (2, 4), (4, 7)], [(0, 4), (5, 7)], [(0, 0), (1, 2)]),
        # The second token has a piece of its own after the one that it shares.
        ([(0, 3), (3, 6)], [(0, 1), (1, 6)], [(0, 0), (1, 1)]),
        # It has none: both are in one piece.
        ([(0, 2)], [(0, 1), (1, 2)], [(0, 0)]),
        # The piece before the second token ends inside it.
        ([(0, 1), (1, 3), (3, 6)], [(0, 2), (2, 6)], [(0, 0), (1, 1)]),
        # A window that begins inside the text and ends before its end; a character without a piece.
        ([(5, 7), (8, 9)], [(0, 4), (5, 7), (7, 8), (8, 9), (10, 12)], [(1, 0), (3, 1)]),
        ([], [(0, 2)], []),
    ],
)
def test_the_first_piece_of_a_token(pieces, tokens, wanted):
    assert list(first_pieces(pieces, tokens)) == wanted


@pytest.fixture(scope="module")
def head(distilbert):
    """An untrained head, with logits far enough apart to decide."""
    set_seed(0)
    model = AutoModelForTokenClassification.from_pretrained(
        distilbert, id2label=dict(enumerate(TAGS)), label2id={t: i for i, t in enumerate(TAGS)}
    )
    model.classifier.weight.data *= 40
    tokenizer = AutoTokenizer.from_pretrained(distilbert)
    nlp = spacy.blank("fr")
    nlp.add_pipe("hf_token_ner", name="ner").wrap(tokenizer, model)
    return nlp


@pytest.mark.parametrize("name", ["distilbert", "camembert"])
def test_each_token_of_a_long_text_has_a_place(request, name):
    tokenizer = AutoTokenizer.from_pretrained(request.getfixturevalue(name))
    vocab = spacy.blank("fr")
    docs = [vocab(TEXT), vocab(""), vocab(TEXT * 60), vocab("   ")]
    windows, owners = encoded_windows(docs, tokenizer)
    rows, places = [window.ids for window in windows], token_places(docs, windows, owners)
    assert max(map(len, rows)) == 512 and len(rows) > 5
    for doc, found in zip(docs, places):
        assert [token for token, *_ in found] == [t.i for t in doc if not t.is_space]
        for token, row, column in found:
            piece = tokenizer.convert_ids_to_tokens(rows[row][column])
            written = piece.removeprefix("▁") or doc[token].text[0]
            assert piece == tokenizer.unk_token or doc[token].text.startswith(written), piece
    # No token of a text with several windows is read at an inner edge.
    starts = {row: column for _, row, column in reversed(places[2])}
    first, *inner = [starts[row] for row in sorted(starts)]
    assert first == 1 and min(inner) > OVERLAP // 4
    assert encoded_windows([], tokenizer) == ([], []) and token_places([], [], []) == []


def test_predictions_are_those_of_the_model(head, distilbert):
    component = head.get_pipe("ner")
    docs = [head.make_doc(text) for text in (TEXT, "", "Paris", TEXT * 2)]
    for doc, (tokens, logs) in zip(docs, component.predictions(docs)):
        batch = component.tokenizer(doc.text, return_tensors="pt", return_offsets_mapping=True)
        offsets = batch.pop("offset_mapping")[0].tolist()
        with torch.no_grad():
            wanted = component.model(**batch).logits.log_softmax(-1)[0].numpy()
        columns = [
            next(c for c, (a, b) in enumerate(offsets) if a < b and a == doc[token].idx)
            for token in tokens
        ]
        assert len(logs) == len(columns)
        if columns:
            assert logs == pytest.approx(wanted[columns], abs=1e-4)


def test_annotation_is_counted_and_carries_its_confidence(head):
    component = head.get_pipe("ner")
    component.counts.clear()
    docs = list(head.pipe([TEXT, "", "\n", TEXT * 60]))
    assert docs[0].ents and docs[0].text == TEXT and not docs[1].ents
    assert all(0 < entity._.confidence <= 1 for doc in docs for entity in doc.ents)
    # Windows, and batches, do not change what is near.
    assert [str(e) for e in docs[3].ents][:3] == [str(e) for e in docs[0].ents][:3]
    assert docs[3].ents[-1].start_char > 50 * len(TEXT)
    counts = component.counts
    assert counts["texts"] == 4 and counts["entities"] == sum(len(doc.ents) for doc in docs)
    assert counts["tags changed by constraints"] > 0 and counts["tokens without a piece"] == 0


def test_gold_tokens_are_kept(head):
    doc = head(Doc(head.vocab, ["Marie", "Curie-Skłodowska", "à", "Paris"]))
    assert [token.text for token in doc] == ["Marie", "Curie-Skłodowska", "à", "Paris"]


def test_white_space_is_inside_an_entity_but_not_at_its_edge():
    component = HFTokenEntities("ner", "x")
    doc = spacy.blank("fr")("Marie  Curie  vit")
    assert [token.is_space for token in doc] == [False, True, False, True, False]

    class Model:
        class config:
            id2label = dict(enumerate(["O", "B-X", "I-X"]))

    component.model = Model()
    logs = numpy.log([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]])
    component.annotate(doc, ([0, 2, 4], logs))
    assert [(e.text, e.label_) for e in doc.ents] == [("Marie  Curie", "X")]
    # Of the sequences without an I- after O, .811 in all.
    assert doc.ents[0]._.confidence == pytest.approx(0.8 * 0.8 * 0.9 / 0.811)


def test_saved_and_loaded(head, tmp_path):
    text = TEXT * 3
    wanted = [(e.text, e.label_, e._.confidence) for e in head(text).ents]
    assert wanted
    head.to_disk(tmp_path / "pipeline")
    copy = spacy.blank("fr")
    copy.add_pipe("hf_token_ner", name="ner")
    copy.from_bytes(head.to_bytes())
    for other in (spacy.load(tmp_path / "pipeline"), copy):
        found = [(e.text, e.label_, e._.confidence) for e in other(text).ents]
        assert [f[:2] for f in found] == [w[:2] for w in wanted]
        assert [f[2] for f in found] == pytest.approx([w[2] for w in wanted])
        assert other.get_pipe("ner").labels == ("LOC", "MISC", "ORG", "PER")
