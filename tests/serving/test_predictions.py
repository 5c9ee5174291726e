"""The file of predictions: what it contains, what reads it, and which files are refused."""

import errno
import re
import shutil

import pytest
import spacy
import srsly
from spacy.tokens import DocBin

from scripts import evaluate, predict
from scripts.corpora import docbins
from scripts.serving.predictions import FORMAT, entities, read_predictions, write_predictions


def changed(path, **fields):
    """Change fields of a file's header."""
    predictions = read_predictions(path, spacy.blank("fr").vocab)
    write_predictions(predictions._replace(header=predictions.header._replace(**fields)), path)


def test_the_page_is_drawn_from_the_file(scored, page, predicting_fails, tmp_path):
    assert page().code == 0
    shown = (tmp_path / "p.html").read_text("utf8")
    assert re.search("<strong>0,[0-9]{3}</strong> <span>F des entités</span>", shown)


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


def test_a_changed_pipeline_predicts_again(command, score, made, sample_corpora, tmp_path):
    """Here a rule is added; weights and labels stay the same."""
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
        ({"format": FORMAT + 1}, "in another version's format"),
    ],
)
def test_predictions_that_do_not_match(score, page, scored, sample_corpora, fields, reason):
    """`report` refuses them; `evaluate` predicts again."""
    changed(scored, **fields)
    result = page()
    assert result.code == 1
    assert f"m.spacy: predictions {reason}; run `evaluate` first." in result.line
    printed, _ = score(sample_corpora / "ner")
    assert f"m.spacy: predictions {reason}; predicting again" in printed
    assert page().code == 0


def test_a_page_without_predictions(page, scored, tmp_path):
    """As with metrics of an earlier version."""
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
        assert result.code == 1 and "test.spacy: not predictions but a corpus" in result.line
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
