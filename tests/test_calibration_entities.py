"""The calibration of entities: a known temperature, what is judged, and the reasons for none."""

import numpy
import pytest
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from scripts.common.probabilities import log_loss
from scripts.training import heads
from scripts.training.heads import Rows, TokenHead
from scripts.training.temperature import HIGHEST, LOWEST, search_temperature
from scripts.wheel.tags import decode, forbidden

TAGS = ["O", "B-A", "I-A", "B-B", "I-B"]
LENGTH = 6


def draw(logits: numpy.ndarray, random: numpy.random.Generator) -> list[int]:
    """Draw a valid sequence of tags with its probability among all valid ones."""
    allowed = forbidden(TAGS) == 0
    while True:
        # Gumbel's trick: the highest is a draw from the softmax.
        tags = (logits + random.gumbel(size=logits.shape)).argmax(axis=1).tolist()
        if all(allowed[a, b] for a, b in zip([0, *tags], tags)):
            return tags


def split(number: int) -> tuple[list[Doc], Rows, numpy.ndarray]:
    """Return documents whose annotation is drawn with the probabilities of their logits."""
    random, docs, vocab = numpy.random.default_rng(0), [], Vocab()
    logits = random.normal(0, 2, (number, LENGTH, len(TAGS)))
    for own in logits:
        tags = [TAGS[tag] for tag in draw(own, random)]
        docs.append(Doc(vocab, ["x"] * LENGTH, ents=tags))
    places = [[(token, row, token) for token in range(LENGTH)] for row in range(number)]
    empty = [[0] * LENGTH] * number
    return docs, Rows(empty, empty, 0, places), logits


@pytest.fixture(scope="module")
def drawn():
    return split(700)


@pytest.mark.parametrize("factor", [0.4, 1, 2.5])
def test_the_temperature_of_multiplied_logits_is_found(drawn, factor, monkeypatch):
    monkeypatch.setattr(heads, "MAX_TOKENS", 10**6)
    docs, rows, logits = drawn
    found = TokenHead(docs).calibration(docs, rows, logits * factor)
    assert found.temperature == pytest.approx(factor, rel=0.1)
    assert found.of == "entities" and found.examples > 1000 and found.after < 0.05
    assert factor == 1 or found.before > 2 * found.after


def test_a_large_dev_is_read_evenly(drawn, monkeypatch):
    monkeypatch.setattr(heads, "MAX_TOKENS", 100 * LENGTH)
    docs, rows, logits = drawn
    found = TokenHead(docs).calibration(docs, rows, logits * 2)
    assert 100 <= found.examples < 400 and found.temperature == pytest.approx(2, rel=0.3)


def test_an_entity_is_right_if_exactly_that_span_is_annotated(drawn):
    head = TokenHead(drawn[0])
    assert head.labels == TAGS
    logits = numpy.full((6, 5), -9.0)
    logits[range(6), [0, 1, 2, 0, 3, 0]] = 0
    # The third word has no piece of its own.
    tokens = [0, 1, 3, 4, 5, 6]

    def judged(*spans: tuple[int, int, str], missing: tuple[int, ...] = ()) -> list[bool]:
        doc = Doc(Vocab(), ["x"] * 7)
        doc.set_ents(
            [Span(doc, *span) for span in spans],
            missing=[doc[i : i + 1] for i in missing],
            default="outside",
        )
        found = head.confidences([(doc, logits, tokens)], 1.0)
        assert all(found.values > 0.99)
        return found.correct.tolist()

    assert judged((1, 4, "A"), (5, 6, "B")) == [True, True]
    assert judged((1, 3, "A"), (5, 6, "A")) == [False, False]
    assert judged((1, 4, "A"), missing=(5,)) == [True]
    assert judged((5, 6, "B"), missing=(2,)) == [True]
    assert head.confidences([], 1.0).values.shape == (0,)


def test_the_reason_for_no_calibration(drawn):
    docs, rows, logits = drawn
    head = TokenHead(docs)
    few = Rows(list(rows.ids[:9]), [], 0, rows.places[:9])
    left = head.calibration(docs[:9], few, logits[:9]).left
    assert left.endswith("predicted entities on dev; 50 are needed")
    # None, without a division by zero.
    silent = numpy.zeros_like(logits)
    assert head.calibration(docs, rows, silent).left == "0 predicted entities on dev; 50 are needed"
    flat = head.calibration(docs, rows, logits / 100).left
    assert "for that, its probabilities are too low even at temperature 0.1" in flat
    sure = [Doc(doc.vocab, ["x"] * LENGTH) for doc in docs]
    for doc, own in zip(sure, logits):
        doc.ents = [Span(doc, a, b + 1, label) for a, b, label, _ in decode(own, TAGS)[1]]
    left = head.calibration(sure, rows, logits).left
    assert left.startswith("0 of its ") and left.endswith("too few errors to find a temperature")


def test_a_search_finds_the_lowest_of_several_low_points():
    def loss(temperature: float) -> float:
        x = numpy.log(temperature)
        return min(abs(x + 1.5) + 0.1, abs(x - 0.777))

    assert search_temperature(loss) == pytest.approx(numpy.exp(0.777), rel=0.01)
    assert search_temperature(lambda t: t) == LOWEST
    assert search_temperature(lambda t: -t) == pytest.approx(HIGHEST)


def test_the_loss_is_that_of_what_happened():
    values = numpy.array([0.8, 0.3, 1.0])
    assert log_loss(values, numpy.array([True, False, True])) == pytest.approx(
        -(numpy.log(0.8) + numpy.log(0.7)) / 3, abs=1e-8
    )
    assert 5 < log_loss(values, numpy.array([True, False, False])) < 10
