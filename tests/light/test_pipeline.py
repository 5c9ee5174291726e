"""A pipeline's form for ONNX Runtime predicts what the pipeline does."""

import subprocess
import sys

import numpy
import pytest
import spacy

from scripts.common.weights import count_parameters, weights_hash
from scripts.corpora.docbins import read_docs
from scripts.serving.pipeline import encoder_name
from scripts.serving.predict import count_cut, precision_of
from scripts.wheel.session import group

from ..conftest import ROOT

HOSTILE = [
    "", " \n\t ", "😀 👩‍🚀", "x" * 10_000, "mot " * 700, "L'été\u200b d'Élise \ufeff!", "a",
    "Née à Varsovie , Marie Curie rejoint la Sorbonne . " * 60, "<s> </s> [SEP] <pad>", "\x00",
    "e\u0301te\u0301 " * 300, "ﷺ " * 90,
]  # fmt: skip


def found(doc) -> tuple:
    return [(e.start_char, e.end_char, e.label_) for e in doc.ents], dict(doc.cats)


def assert_same(one, other, rounding: float = 1e-4) -> None:
    for a, b in zip(one, other, strict=True):
        assert [token.text for token in a] == [token.text for token in b]
        (entities, cats), (others, values) = found(a), found(b)
        assert entities == others, a.text[:60]
        assert all(abs(cats[label] - values[label]) < rounding for label in cats), a.text[:60]


@pytest.fixture(scope="module")
def texts(few_corpora) -> list[str]:
    vocab = spacy.blank("fr").vocab
    splits = [few_corpora / name / "test.spacy" for name in ("ner", "textcat")]
    return [*HOSTILE, *(doc.text for split in splits for doc in read_docs(split, vocab))]


def test_in_float32_results_are_those_of_torch(opened, texts):
    assert_same(opened["torch"].pipe(texts, batch_size=1000), opened["float32"].pipe(texts))
    # In these, both tasks find something.
    docs = list(opened["float32"].pipe(texts))
    assert any(doc.ents for doc in docs) and any(max(doc.cats.values()) > 0.6 for doc in docs)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_no_text_depends_on_the_others_in_its_batch(opened, texts, precision):
    nlp = opened[precision]
    # spaCy gives a text without tokens other probabilities alone than beside others.
    texts = [text for text in texts if text]
    together = list(nlp.pipe(texts))
    assert_same(together, map(nlp, texts), 1e-5)
    assert_same(together, reversed(list(nlp.pipe(texts[::-1], batch_size=3))), 1e-5)


def test_token_vectors_are_the_means_of_all_windows(opened):
    doc = opened["torch"]("Née à Varsovie, Marie Curie rejoint la Sorbonne. " * 40)
    light = opened["float32"](doc.text)
    data = doc._.trf_data
    pieces = data.model_output.last_hidden_state.reshape(-1, data.width)
    ends = data.align.lengths.cumsum()
    assert len(data.model_output.last_hidden_state) > 2
    for token, end, length in zip(light, ends, data.align.lengths):
        mean = pieces[data.align.dataXd[end - length : end]].mean(axis=0)
        assert numpy.allclose(light.tensor[token.i], mean, atol=1e-5)


def test_what_spacy_refuses_is_refused_alike(opened):
    for name in ("torch", "int8"):
        with pytest.raises(UnicodeEncodeError):
            opened[name]("\ud800")


def test_several_processes_after_a_first_call(light):
    """Forked with a session that is open."""
    program = (
        "import sys, spacy, scripts.wheel.onnx\n"
        "nlp = spacy.load(sys.argv[1])\n"
        "texts = [f'Lens bat Nice {n} fois.' for n in range(60)]\n"
        "one = [doc.cats for doc in nlp.pipe(texts)]\n"
        "two = [doc.cats for doc in nlp.pipe(texts, n_process=2, batch_size=10)]\n"
        "assert one == two and len(two) == 60\n"
    )
    command = [sys.executable, "-c", program, light / "int8" / "model-best"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert "fork" not in result.stderr


def test_a_pipeline_is_the_same_after_saving(opened, texts, tmp_path):
    nlp = opened["int8"]
    nlp.to_disk(tmp_path / "saved")
    copy = spacy.blank("fr").from_config(nlp.config).from_bytes(nlp.to_bytes())
    for other in (spacy.load(tmp_path / "saved"), copy):
        assert_same(nlp.pipe(texts), other.pipe(texts), 1e-7)
        assert weights_hash(nlp) == weights_hash(other)


def test_what_is_on_record(opened):
    torch, light = opened["torch"], opened["int8"]
    assert encoder_name(light) == "tiny-distilbert"
    assert precision_of(light, "cpu") == "int8"
    hashes = {weights_hash(nlp) for nlp in opened.values()}
    assert len(hashes) == len(opened)
    # But for the thousands of the norms, which are counted in both.
    assert abs(count_parameters(torch) - count_parameters(light)) < 1000
    docs = [torch.make_doc(text) for text in ("été", "a_" * 400)]
    assert count_cut(torch, docs) == count_cut(light, docs) == 1
    cost = light.meta["onnx"]["cost"]
    assert {one["task"] for one in cost} == {"ner", "textcat"}
    assert all(one["low"] <= one["after"] - one["before"] <= one["high"] for one in cost)


def test_batches_are_of_similar_length_and_bounded():
    lengths = [5, 100, 6, 7, 300, 5]
    batches = list(group(lengths, 100))
    assert sorted(index for batch in batches for index in batch) == list(range(6))
    assert batches[0] == [0, 5, 2, 3] and batches[-1] == [4]
    assert all(
        len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= 100 for batch in batches
    )
    assert list(group([], 100)) == []
