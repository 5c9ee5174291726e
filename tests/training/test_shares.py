"""Nested samples of train, and what is said of those that lack something."""

from collections import Counter

import pytest
import spacy
from spacy.tokens import Doc, Span

from scripts.common.errors import UserError
from scripts.corpora.docbins import read_docs
from scripts.training.shares import FEWEST_DOCUMENTS, nested, runs_of, units_of, write_sample

SHARES = [0.1, 0.25, 0.5, 1.0]


def labelled(labels: str, document=None) -> list[Doc]:
    vocab = spacy.blank("fr").vocab
    docs = []
    for number, label in enumerate(labels):
        doc = Doc(vocab, words=["mot"])
        doc.cats = {name: float(name == label) for name in "ab"}
        if document:
            doc.user_data |= {"file": "f", "document": document(number)}
        docs.append(doc)
    return docs


def rows(units) -> set[int]:
    return {row for unit in units for row in unit.rows}


def test_smaller_samples_are_in_larger_ones_and_differ_by_seed():
    by, units = units_of(labelled("ab" * 50), "textcat")
    assert by == "example" and len(units) == 100
    samples = [[rows(one) for one in nested(units, SHARES, seed)] for seed in (0, 1)]
    for nests in samples:
        assert [len(one) for one in nests] == [10, 25, 50, 100]
        assert all(small < large for small, large in zip(nests, nests[1:]))
    assert samples[0][0] != samples[1][0]
    assert [rows(one) for one in nested(units, SHARES, 0)] == samples[0]


def test_a_share_is_rounded_up_and_never_by_the_last_bit():
    _, units = units_of(labelled("ab" * 15), "textcat")
    sizes = [len(rows(one)) for one in nested(units, [0.1, 0.2, 0.3, 0.31], 0)]
    assert sizes == [3, 6, 9, 10]


def test_whole_documents_are_sampled_where_there_are_enough():
    number = 2 * FEWEST_DOCUMENTS
    docs = labelled("ab" * number, lambda place: place // 4)
    by, units = units_of(docs, "textcat")
    assert by == "document" and len(units) == number / 2
    sample = rows(next(nested(units, [0.5], 0)))
    assert len(sample) == number and len({row // 4 for row in sample}) == number / 4
    by, units = units_of(docs[: 4 * (FEWEST_DOCUMENTS - 1)], "textcat")
    assert by == "example" and units[0].labels == Counter("a")


def test_samples_that_lack_labels_are_named_and_those_without_any_are_refused(capsys):
    _, units = units_of(labelled("a" * 39 + "b"), "textcat")
    with pytest.raises(UserError, match=r"10 % of train, seed 0: 4 examples with only the label a"):
        runs_of(units, [0.1, 1.0], [0], "textcat")
    runs = runs_of(units, [0.1, 1.0], [0], "textcat_multilabel")
    assert [run.examples for run in runs] == [4, 40] and runs[1].labels == {"a": 39, "b": 1}
    assert "10 % of train, seed 0: no example of b, which" in capsys.readouterr().err
    _, units = units_of(labelled(" " * 10), "textcat")
    with pytest.raises(UserError, match="train has no labels to learn from"):
        runs_of(units, [0.5, 1.0], [0], "textcat")
    empty = [Doc(spacy.blank("fr").vocab, words=["mot"]) for _ in range(9)]
    one = Doc(spacy.blank("fr").vocab, words=["Paris"])
    one.ents = [Span(one, 0, 1, "LOC")]
    _, units = units_of([*empty, one], "ner")
    with pytest.raises(UserError, match="1 examples with no entities to learn from; give larger"):
        runs_of(units, [0.1, 1.0], [0], "ner")


def test_shares_with_the_same_examples_are_refused():
    _, units = units_of(labelled("ab"), "textcat_multilabel")
    with pytest.raises(UserError, match=r"10 % of train, seed 0, and 20 %: the same 1 examples"):
        runs_of(units, [0.1, 0.2], [0], "textcat_multilabel")


def test_a_sample_is_a_corpus_with_the_whole_dev(few_corpora, tmp_path):
    source = few_corpora / "ner"
    vocab = spacy.blank("fr").vocab
    docs = list(read_docs(source / "train.spacy", vocab))
    _, units = units_of(docs, "ner")
    run, _ = runs_of(units, [0.25, 1.0], [3], "ner")
    corpus = write_sample(source, run, "ner", tmp_path)
    assert corpus.name == "ner"
    found = list(read_docs(corpus / "train.spacy", vocab))
    expected = [docs[row] for row in sorted(rows(run.units))]
    assert [doc.to_json() for doc in found] == [doc.to_json() for doc in expected]
    assert [doc.user_data for doc in found] == [doc.user_data for doc in expected]
    assert (corpus / "dev.spacy").read_bytes() == (source / "dev.spacy").read_bytes()
