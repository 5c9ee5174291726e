"""Pipelines of the sample corpora, their metrics, predictions and pages."""

import pytest
import spacy
import srsly
from spacy.language import Language
from spacy.tokens import DocBin

from scripts import evaluate, report
from scripts.corpora.docbins import read_docs

from ..small import small_pipeline


@pytest.fixture(scope="session")
def made(sample_corpora, tmp_path_factory):
    """Pipelines, `ner` and `both`, and a corpus, `two`, that is annotated for both tasks."""
    folder = tmp_path_factory.mktemp("predictions")
    small_pipeline(sample_corpora, "ner").to_disk(folder / "ner")
    small_pipeline(sample_corpora, "ner", "textcat", epochs=4).to_disk(folder / "both")
    docs = list(read_docs(sample_corpora / "ner" / "test.spacy", spacy.blank("fr").vocab))
    for number, doc in enumerate(docs):
        doc.cats = {"negative": float(number % 2), "positive": float(not number % 2)}
    (folder / "two").mkdir()
    DocBin(docs=docs, store_user_data=True).to_disk(folder / "two" / "test.spacy")
    return folder


@pytest.fixture
def score(command, made, tmp_path):
    """Evaluate `ner`, or another pipeline, on a corpus; return the output and the metrics."""

    def call(corpus, *options, name="ner"):
        result = command(evaluate, made / name, corpus, tmp_path / "m.json", *options)
        assert result.code == 0, result.err
        return result.out, srsly.read_json(tmp_path / "m.json")

    return call


@pytest.fixture
def scored(score, sample_corpora, tmp_path):
    """The path of the predictions of `ner`, with their metrics beside them."""
    score(sample_corpora / "ner")
    return tmp_path / "m.spacy"


@pytest.fixture
def page(command, made, sample_corpora, tmp_path):
    """Run `report` for `ner`, or another pipeline; return the result."""

    def call(pipeline=made / "ner", corpus=sample_corpora / "ner"):
        return command(report, pipeline, corpus, tmp_path / "m.json", tmp_path / "p.html")

    return call


@pytest.fixture
def predicting_fails(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("predicted again")

    monkeypatch.setattr(Language, "pipe", fail)
