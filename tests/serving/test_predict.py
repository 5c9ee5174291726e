"""A split is predicted once: what is predicted, what the file contains, who uses it again."""

import pytest
import spacy
import srsly
from spacy.attrs import NORM, ORTH
from spacy.tokens import Doc, DocBin

from scripts import predict
from scripts.corpora.docbins import read_docs
from scripts.serving.metrics import score_entities
from scripts.serving.predict import same_tokens
from scripts.serving.predictions import (
    FORMAT,
    HEADER,
    ON_GOLD_TOKENS,
    bare,
    entities,
    read_predictions,
)


def as_json(scores):
    return srsly.json_loads(srsly.json_dumps(scores))


def test_it_is_an_ordinary_docbin_with_all_annotation(score, made, tmp_path):
    score(made / "two", "--task", "ner", name="both")
    nlp = spacy.load(made / "both")
    docs = list(DocBin().from_disk(tmp_path / "m.spacy").get_docs(nlp.vocab))
    gold = list(read_docs(made / "two" / "test.spacy", nlp.vocab))
    assert len(docs) == len(gold)
    for doc, right, expected in zip(docs, gold, nlp.pipe(doc.text for doc in gold)):
        assert doc.text == right.text
        assert [token.text for token in doc] == [token.text for token in expected]
        assert entities(doc) == entities(expected)
        assert doc.cats == pytest.approx(expected.cats) and len(doc.cats) == 2
        kept = {key: doc.user_data[key] for key in right.user_data}
        assert kept == right.user_data and {"file", "line"} <= kept.keys()
        assert doc.user_data.keys() - kept.keys() <= {HEADER, ON_GOLD_TOKENS}
    header = docs[0].user_data[HEADER]
    assert header["labels"].keys() == {"ner", "textcat"} and header["format"] == FORMAT
    assert not any(HEADER in doc.user_data for doc in docs[1:])


def test_scores_on_gold_tokens_are_those_of_all_gold_tokens(score, made, sample_corpora, tmp_path):
    """Only documents with other tokens are predicted twice."""
    _, metrics = score(sample_corpora / "ner")
    nlp = spacy.load(made / "ner")
    gold = list(read_docs(sample_corpora / "ner" / "test.spacy", nlp.vocab))
    found = list(nlp.pipe(bare(doc) for doc in gold))
    assert metrics["gold_tokens"] == as_json(score_entities(found, gold))
    raw = list(nlp.pipe(doc.text for doc in gold))
    assert metrics["raw_text"] == as_json(score_entities(raw, gold)) != metrics["gold_tokens"]
    docs = read_predictions(tmp_path / "m.spacy", nlp.vocab).docs
    twice = [ON_GOLD_TOKENS in doc.user_data for doc in docs]
    assert 5 < sum(twice) < len(docs) / 2
    for doc, again, expected, right in zip(docs, twice, found, gold):
        assert again == ([token.text for token in doc] != [token.text for token in right])
        on_gold = doc.user_data[ON_GOLD_TOKENS] if again else entities(doc)
        assert list(map(tuple, on_gold)) == entities(expected)


def test_tokens_with_another_norm_are_not_the_same():
    """A pipeline may read norms: a tokenizer's exceptions set them, a Doc made of words has none."""
    nlp = spacy.blank("fr")
    doc = nlp.make_doc("Il vit à Lens.")
    assert same_tokens(doc, bare(doc))
    nlp.tokenizer.add_special_case("Lens", [{ORTH: "Lens", NORM: "ville"}])
    doc = nlp.make_doc("Il vit à Lens.")
    assert [token.text for token in doc] == [token.text for token in bare(doc)]
    assert not same_tokens(doc, bare(doc))
    assert not same_tokens(doc, Doc(nlp.vocab, ["Il", "vit", "à Lens", "."]))


def test_predictions_are_used_again(score, sample_corpora, tmp_path, request):
    printed, metrics = score(sample_corpora / "ner", "--about", "a")
    assert "using these predictions" not in printed
    before = (tmp_path / "m.spacy").read_bytes()
    request.getfixturevalue("predicting_fails")
    printed, again = score(sample_corpora / "ner", "--about", "b")
    assert (
        f"{tmp_path / 'm.spacy'}: using these predictions, and their speed; --fresh predicts again"
        in printed
    )
    assert again == {**metrics, "about": "b"}
    assert (tmp_path / "m.spacy").read_bytes() == before
    with pytest.raises(AssertionError, match="predicted again"):
        score(sample_corpora / "ner", "--fresh")


def test_one_file_serves_both_tasks_and_other_names(score, made, tmp_path, request):
    _, entities_alone = score(made / "two", "--task", "ner", name="both")
    request.getfixturevalue("predicting_fails")
    _, categories = score(made / "two", "--task", "textcat", name="both")
    assert categories["raw_text"]["accuracy"] > 0 and categories["task"] == "textcat"
    _, dropped = score(made / "two", "--task", "ner", "--map", "LOC=,PER=ORG,ORG=PER", name="both")
    types, before = (m["raw_text"]["ents_per_type"] for m in (dropped, entities_alone))
    assert types["LOC"]["r"] == 0 < before["LOC"]["r"] and types["PER"] != before["PER"]
    _, again = score(made / "two", "--task", "ner", name="both")
    assert again == entities_alone


def test_a_split_without_annotation_is_predicted(command, made, tmp_path):
    docs = [Doc(spacy.blank("fr").vocab, ["Marie", "vit", "à", "Lens"])]
    DocBin(docs=docs).to_disk(tmp_path / "test.spacy")
    result = command(predict, made / "ner", tmp_path, tmp_path / "out" / "p.spacy")
    assert result.code == 0, result.err
    (doc,) = read_predictions(tmp_path / "out" / "p.spacy", spacy.blank("fr").vocab).docs
    assert doc.user_data == {} and doc.has_annotation("ENT_IOB")


def test_the_command_makes_the_same_file(command, score, made, sample_corpora, tmp_path):
    corpus = sample_corpora / "ner"
    arguments = made / "ner", corpus, tmp_path / "m.spacy"
    for _ in range(2):
        result = command(predict, *arguments, "--split", "dev")
        assert result.code == 0 and "words/s" in result.out, result.err
    header = read_predictions(tmp_path / "m.spacy", spacy.blank("fr").vocab).header
    assert (header.split, header.corpus, header.lang) == ("dev", "ner", "fr")
    printed, metrics = score(corpus, "--split", "dev")
    assert "using these predictions" in printed and metrics["speed"] == header.speed
    printed, _ = score(corpus)
    assert "m.spacy: predictions on another split; predicting again" in printed
