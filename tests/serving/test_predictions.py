"""The file of predictions: what is in it, who reads it, and which files are refused."""

import errno
import shutil

import pytest
import spacy
import srsly
from spacy.attrs import NORM, ORTH
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from scripts import evaluate, predict, report
from scripts.corpora import docbins
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
    write_predictions,
)

from ..small import small_pipeline


@pytest.fixture(scope="module")
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
    """Evaluate `ner`, or another pipeline, on a corpus; return what is printed, and the metrics."""

    def call(corpus, *options, name="ner"):
        result = command(evaluate, made / name, corpus, tmp_path / "m.json", *options)
        assert result.code == 0, result.err
        return result.out, srsly.read_json(tmp_path / "m.json")

    return call


@pytest.fixture
def scored(score, sample_corpora, tmp_path):
    """The path of predictions of `ner`, beside their metrics."""
    score(sample_corpora / "ner")
    return tmp_path / "m.spacy"


@pytest.fixture
def page(command, made, sample_corpora, tmp_path):
    """Make a page of `ner`, or of another pipeline; return the result."""

    def call(pipeline=made / "ner", corpus=sample_corpora / "ner"):
        return command(report, pipeline, corpus, tmp_path / "m.json", tmp_path / "p.html")

    return call


@pytest.fixture
def predicting_fails(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("predicted again")

    monkeypatch.setattr(Language, "pipe", fail)


def as_json(scores):
    return srsly.json_loads(srsly.json_dumps(scores))


def changed(path, **fields):
    """Change fields of a file's header."""
    predictions = read_predictions(path, spacy.blank("fr").vocab)
    write_predictions(predictions._replace(header=predictions.header._replace(**fields)), path)


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


def test_tokens_with_another_norm_are_others():
    """A pipeline may read norms, which a tokenizer's exceptions set, and a Doc of words has not."""
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
    assert "predictions are used" not in printed
    before = (tmp_path / "m.spacy").read_bytes()
    request.getfixturevalue("predicting_fails")
    printed, again = score(sample_corpora / "ner", "--about", "b")
    assert f"{tmp_path / 'm.spacy'}: its predictions are used; --fresh predicts again" in printed
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


def test_the_page_is_drawn_from_the_file(scored, page, predicting_fails, tmp_path):
    assert page().code == 0
    assert "entity F 0." in (tmp_path / "p.html").read_text("utf8")


def test_a_large_split_is_a_folder_of_shards(score, page, scored, sample_corpora, monkeypatch):
    whole = read_predictions(scored, spacy.blank("fr").vocab)
    metrics = srsly.read_json(scored.with_suffix(".json"))
    monkeypatch.setattr(docbins, "SHARD_TOKENS", 500)
    _, again = score(sample_corpora / "ner", "--fresh")
    assert {**again, "speed": metrics["speed"]} == metrics
    shards = sorted(scored.iterdir())
    assert len(shards) > 3 and all(len(DocBin().from_disk(path)) for path in shards)
    predictions = read_predictions(scored, spacy.blank("fr").vocab)
    assert [entities(doc) for doc in predictions.docs] == [entities(doc) for doc in whole.docs]
    assert page().code == 0
    shards.pop().unlink()
    left = sum(len(DocBin().from_disk(path)) for path in shards)
    result = page()
    assert (
        result.code == 1
        and f"m.spacy is incomplete: {left} of {len(whole.docs)} doc" in result.line
    )
    shutil.rmtree(scored)
    monkeypatch.undo()
    score(sample_corpora / "ner")
    assert scored.is_file()


def test_the_command_makes_the_same_file(command, score, made, sample_corpora, tmp_path):
    corpus = sample_corpora / "ner"
    arguments = made / "ner", corpus, tmp_path / "m.spacy"
    for _ in range(2):
        result = command(predict, *arguments, "--split", "dev")
        assert result.code == 0 and "words/s" in result.out, result.err
    header = read_predictions(tmp_path / "m.spacy", spacy.blank("fr").vocab).header
    assert (header.split, header.corpus, header.lang) == ("dev", "ner", "fr")
    printed, metrics = score(corpus, "--split", "dev")
    assert "its predictions are used" in printed and metrics["speed"] == header.speed
    printed, _ = score(corpus)
    assert "m.spacy: predictions on another split; predicting again" in printed


def test_a_split_without_annotation_is_predicted(command, made, tmp_path):
    docs = [Doc(spacy.blank("fr").vocab, ["Marie", "vit", "à", "Lens"])]
    DocBin(docs=docs).to_disk(tmp_path / "test.spacy")
    result = command(predict, made / "ner", tmp_path, tmp_path / "out" / "p.spacy")
    assert result.code == 0, result.err
    (doc,) = read_predictions(tmp_path / "out" / "p.spacy", spacy.blank("fr").vocab).docs
    assert doc.user_data == {} and doc.has_annotation("ENT_IOB")


def test_a_pipeline_that_was_changed_is_predicted_with_again(
    command, score, made, sample_corpora, tmp_path
):
    """With the same weights: a rule, a threshold, a tokenizer's exception."""
    pipeline = tmp_path / "pipeline"
    shutil.copytree(made / "ner", pipeline)
    assert command(evaluate, pipeline, sample_corpora / "ner", tmp_path / "m.json").code == 0
    nlp = spacy.load(pipeline)
    patterns = [{"label": "LOC", "pattern": "Lens"}]
    nlp.add_pipe("entity_ruler", before="ner").add_patterns(patterns)
    nlp.to_disk(pipeline)
    result = command(evaluate, pipeline, sample_corpora / "ner", tmp_path / "m.json")
    assert "m.spacy: predictions of a pipeline with other files; predicting again" in result.out


@pytest.mark.parametrize(
    "fields, reason",
    [
        ({"weights": "x"}, "of a pipeline with other weights"),
        ({"split_sha256": "x"}, "on another split"),
        ({"format": FORMAT + 1}, "in the format of another version of this project"),
    ],
)
def test_predictions_of_something_else(score, page, scored, sample_corpora, fields, reason):
    """A page is not drawn from them; evaluate predicts again."""
    changed(scored, **fields)
    result = page()
    assert result.code == 1
    assert f"m.spacy: predictions {reason}; run `evaluate` first." in result.line
    printed, _ = score(sample_corpora / "ner")
    assert f"m.spacy: predictions {reason}; predicting again" in printed
    assert page().code == 0


def test_a_page_without_predictions(page, scored, tmp_path):
    """As beside metrics of an earlier version."""
    scored.unlink()
    result = page()
    assert result.code == 1 and "m.spacy is missing: run `evaluate` first" in result.line
    assert not (tmp_path / "p.html").exists()


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def no_docbin(path):
    path.write_bytes(b"no DocBin")


def empty_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "damage, message",
    [
        (half, "m.spacy: damaged, or not a .spacy file; delete it and run `evaluate` again."),
        (no_docbin, "m.spacy: damaged, or not a .spacy file; delete it and run `evaluate` again."),
        (empty_folder, "m.spacy holds no examples; delete it and run `evaluate` again."),
    ],
)
def test_damaged_predictions(command, made, page, scored, sample_corpora, damage, message):
    damage(scored)
    before = scored.is_file() and scored.read_bytes()
    metrics = scored.with_suffix(".json")
    for result in (
        page(),
        command(evaluate, made / "ner", sample_corpora / "ner", metrics),
        command(evaluate, made / "ner", sample_corpora / "ner", metrics, "--fresh"),
        command(predict, made / "ner", sample_corpora / "ner", scored),
    ):
        assert result.code == 1 and message in result.line
    assert (scored.is_file() and scored.read_bytes()) == before


def test_a_corpus_is_not_overwritten(command, made, sample_corpora, page, tmp_path):
    """Its splits have the suffix of predictions."""
    corpus = tmp_path / "corpus"
    shutil.copytree(sample_corpora / "ner", corpus)
    before = (corpus / "test.spacy").read_bytes()
    for arguments in (
        [predict, made / "ner", corpus, corpus / "test.spacy"],
        [evaluate, made / "ner", corpus, corpus / "test.json"],
        [evaluate, made / "ner", corpus, corpus / "test.json", "--fresh"],
    ):
        result = command(*arguments)
        assert result.code == 1 and "test.spacy: a corpus or other documents, not" in result.line
    assert (corpus / "test.spacy").read_bytes() == before
    assert not (corpus / "test.json").exists()


def test_names_that_are_refused(command, made, sample_corpora, tmp_path):
    result = command(evaluate, made / "ner", sample_corpora / "ner", tmp_path / "m.spacy")
    assert result.code == 1 and "m.spacy: .spacy is for predictions; name a .json" in result.line
    for name in ("p.docbin", "p"):
        result = command(predict, made / "ner", sample_corpora / "ner", tmp_path / name)
        assert result.code == 1 and f"{name}: predictions are a .spacy file; name" in result.line
    result = command(
        predict, made / "ner", sample_corpora / "ner", tmp_path / "p.spacy", "--split", "x"
    )
    assert result.code == 1 and "x.spacy is missing" in result.line
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_earlier_set(scored, command, made, sample_corpora, monkeypatch):
    metrics = scored.with_suffix(".json")
    before = scored.read_bytes(), metrics.read_bytes()

    def full(path, *_):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    arguments = evaluate, made / "ner", sample_corpora / "ner", metrics, "--fresh", "--about", "new"
    for owner, name in ((DocBin, "to_disk"), (srsly, "write_json")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, full)
            result = command(*arguments)
        assert result.code == 1 and "No space left on device" in result.line
        assert (scored.read_bytes(), metrics.read_bytes()) == before
    assert sorted(path.name for path in scored.parent.iterdir()) == ["m.json", "m.spacy"]
