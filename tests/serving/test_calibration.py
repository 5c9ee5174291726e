"""Calibration errors, their band, and where they are reported."""

import numpy
import pytest
import spacy
import srsly
from spacy.tokens import Doc, Span

from scripts import evaluate, report
from scripts.common.probabilities import rescaled
from scripts.corpora.docbins import read_docs
from scripts.serving.calibration import calibration, entity_confidences, in_words
from scripts.serving.predictions import CONFIDENCE
from scripts.training.calibrate import calibrate

from ..small import small_pipeline


def test_the_error_by_hand():
    found = calibration(
        numpy.array([0.55, 0.55, 0.95, 0.95, 0.95, 1.0]), numpy.array([1, 0, 1, 1, 0, 1])
    )
    # Bins (8/15, 9/15] and (14/15, 1]: |1 - 1.1| + |3 - 3.85|, of 6 answers.
    assert found["error"] == pytest.approx((0.1 + 0.85) / 6)
    assert [(b["count"], b["accuracy"]) for b in found["bins"]] == [(2, 0.5), (4, 0.75)]
    assert [b["from"] for b in found["bins"]] == pytest.approx([8 / 15, 14 / 15])
    assert found["bins"][1]["mean_confidence"] == pytest.approx(3.85 / 4)
    assert (found["n"], found["accuracy"]) == (6, pytest.approx(4 / 6))
    assert found["mean_confidence"] == pytest.approx(4.95 / 6)
    shares = [(at["threshold"], at["precision"], at["coverage"]) for at in found["thresholds"]]
    assert shares == [
        (0.5, pytest.approx(4 / 6), 1.0),
        *((threshold, 0.75, pytest.approx(4 / 6)) for threshold in (0.6, 0.7, 0.8, 0.9, 0.95)),
    ]


def test_few_answers():
    assert calibration(numpy.array([]), numpy.array([])) == {} and in_words({}) == ""
    found = calibration(numpy.array([0.7]), numpy.array([False]))
    assert found["error"] == pytest.approx(0.7) and found["band"] == pytest.approx([0.3, 0.7])
    assert found["thresholds"][-1] == {"threshold": 0.95, "precision": None, "coverage": 0.0}
    assert calibration(numpy.array([0.0, 1.0]), numpy.array([0, 1]))["error"] == 0


def test_the_band_contains_the_error_of_calibrated_answers():
    random = numpy.random.default_rng(1)
    confidences = random.uniform(0.5, 1, 500)
    band = calibration(confidences, confidences > 0.7)["band"]
    errors = [calibration(confidences, random.random(500) < confidences) for _ in range(200)]
    within = numpy.mean([band[0] <= found["error"] <= band[1] for found in errors])
    assert 0.9 < within < 0.99
    assert all(found["band"] == band for found in errors)
    # Overconfident ones are outside of it.
    assert calibration(confidences, random.random(500) < confidences - 0.15)["error"] > band[1]


def test_a_temperature_is_undone():
    random = numpy.random.default_rng(0)
    several = random.random((50, 3))
    exclusive = several / several.sum(axis=1, keepdims=True)
    for values, kind in ((exclusive, True), (several, False)):
        assert rescaled(rescaled(values, 1 / 2.5, kind), 2.5, kind) == pytest.approx(values)
    assert rescaled(exclusive, 2, True) == pytest.approx(
        exclusive**2 / (exclusive**2).sum(axis=1, keepdims=True)
    )
    assert rescaled(numpy.array([[0.0, 1.0], [0.0, 0.0]]), 3, True).tolist() == [[0, 1], [0, 0]]
    assert rescaled(numpy.array([0.0, 0.5, 1.0]), 3, False).tolist() == [0, 0.5, 1]


def test_confidences_of_entities():
    """One is right, one wrong, one renamed; one is where annotation is missing, one is dropped."""
    vocab, words = spacy.blank("fr").vocab, ["Marie", "vit", "à", "Lens", "et", "Spa", "Nord"]
    gold, found = Doc(vocab, words), Doc(vocab, words)
    spans = [Span(gold, 0, 1, label="PER"), Span(gold, 3, 4, label="GPE")]
    gold.set_ents(spans, missing=[gold[5:6]], default="outside")
    labels = {0: "PER", 1: "ORG", 3: "LOC", 5: "LOC", 6: "DATE"}
    found.ents = [Span(found, at, at + 1, label=label) for at, label in labels.items()]
    found.user_data[CONFIDENCE] = [0.9, 0.6, 0.8, 0.7, 0.5]
    values, correct = entity_confidences([found, gold], [gold, gold], {"LOC": "GPE", "DATE": ""})
    assert values.tolist() == [0.9, 0.6, 0.8] and correct.tolist() == [True, False, True]


@pytest.fixture(scope="module", params=["textcat", "textcat_multilabel"])
def calibrated(request, sample_corpora, tmp_path_factory):
    """A folder with a pipeline, `trained`, and the same one `calibrated`; and its task."""
    folder = tmp_path_factory.mktemp(request.param)
    nlp = small_pipeline(sample_corpora, request.param)
    nlp.to_disk(folder / "trained")
    calibrate(nlp, read_docs(sample_corpora / "textcat" / "dev.spacy", nlp.vocab))
    nlp.to_disk(folder / "calibrated")
    return folder, request.param


def test_the_error_before_is_that_of_the_pipeline_as_trained(
    calibrated, command, sample_corpora, tmp_path
):
    (folder, task), metrics, printed = calibrated, {}, {}
    for name in ("trained", "calibrated"):
        output = tmp_path / f"{name}.json"
        result = command(evaluate, folder / name, sample_corpora / "textcat", output)
        assert result.code == 0, result.err
        metrics[name], printed[name] = srsly.read_json(output), result.out
    before, after = (found["calibration"] for found in metrics.values())
    assert after["error_before"] == pytest.approx(before["error"], abs=1e-5)
    assert after["error"] < before["error"] and abs(after["temperature"] - 1) > 0.1
    assert "error_before" not in before and "temperature" not in before
    several = task == "textcat_multilabel"
    assert (after["n"], after["of"]) == ((424, "labels") if several else (212, "examples"))
    if not several:
        assert after["accuracy"] == metrics["calibrated"]["raw_text"]["accuracy"]
    line = in_words(after)
    assert line in printed["calibrated"] and line.endswith(
        f"before calibration {before['error']:.3f}"
    )
    assert in_words(before) in printed["trained"] and "before" not in in_words(before)
    page = tmp_path / "p.html"
    arguments = sample_corpora / "textcat", tmp_path / "calibrated.json", page
    options = "--page-language", "en"
    assert command(report, folder / "calibrated", *arguments, *options).code == 0
    shown = page.read_text("utf8")
    assert f"Calibration error {after['error']:.3f} (" in shown
    assert f"Before calibration: {before['error']:.3f}." in shown


def test_merged_labels_are_calibrated_on_what_is_scored(
    calibrated, command, sample_corpora, tmp_path
):
    folder, task = calibrated
    corpus, output = tmp_path / "corpus", tmp_path / "m.json"
    corpus.mkdir()
    text = (sample_corpora / "textcat" / "test.spacy").read_bytes()
    (corpus / "test.spacy").write_bytes(text)
    for names in ("negative=positive,positive=negative", ""):
        options = ("--map", names) if names else ()
        assert command(evaluate, folder / "calibrated", corpus, output, *options).code == 0
        found = srsly.read_json(output)["calibration"]
        assert ("error_before" in found) == (not names) and "temperature" in found
        if task == "textcat" and names:
            assert found["accuracy"] < 0.5


def test_a_pipeline_without_confidences_has_no_calibration(score, sample_corpora):
    printed, metrics = score(sample_corpora / "ner")
    assert "calibration" not in metrics and "calibration" not in printed
