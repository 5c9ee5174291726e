"""Labels of ready-made heads: renamed before decoding, or refused if the head has another task."""

import pytest
import spacy
import srsly
from transformers import pipeline

from scripts import evaluate, export, wrap
from scripts.corpora.docbins import read_docs

from .heads import TAGS, text_checkpoint

TEXT = "Marie Curie vit à Paris."


def labelled(heads, name, folder, labels, **settings):
    """Copy a checkpoint with other names for its labels."""
    folder.mkdir()
    for file in (heads / name).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = srsly.read_json(folder / "config.json")
    config["id2label"] = {str(index): label for index, label in enumerate(labels)}
    config["label2id"] = {label: index for index, label in enumerate(labels)}
    srsly.write_json(folder / "config.json", config | settings)
    return folder


def wrapped(command, checkpoint, output, *options):
    result = command(wrap, checkpoint, output, "--lang", "fr", *options)
    assert result.code == 0, result.err
    return spacy.load(output / "model-best")


def found(nlp, corpus):
    docs = read_docs(corpus / "ner" / "test.spacy", spacy.blank("fr").vocab)
    texts = [doc.text for doc in docs][:60]
    return [[(str(e), e.label_) for e in doc.ents] for doc in nlp.pipe(texts)]


def test_tags_are_renamed_before_decoding(command, heads, sample_corpora, tmp_path):
    numbers = [f"LABEL_{index}" for index in range(len(TAGS))]
    checkpoint = labelled(heads, "distilbert", tmp_path / "numbers", numbers)
    names = ",".join(f"{number}={tag}" for number, tag in zip(numbers, TAGS))
    own = wrapped(command, heads / "distilbert", tmp_path / "own")
    nlp = wrapped(command, checkpoint, tmp_path / "out", "--labels", names)
    assert nlp.get_pipe("ner").labels == own.get_pipe("ner").labels == ("LOC", "MISC", "ORG", "PER")
    wanted = found(own, sample_corpora)
    assert found(nlp, sample_corpora) == wanted
    nlp.to_disk(tmp_path / "again")
    assert found(spacy.load(tmp_path / "again"), sample_corpora) == wanted


def test_swapped_names_are_swapped_once(command, heads, sample_corpora, tmp_path):
    """A saved pipeline has the new names, which loading does not swap again."""
    own = wrapped(command, heads / "distilbert", tmp_path / "own")
    swapped = wrapped(
        command, heads / "distilbert", tmp_path / "out", "--labels", "PER=LOC,LOC=PER"
    )
    swapped.to_disk(tmp_path / "again")
    places = {"PER": "LOC", "LOC": "PER"}
    wanted = [
        [(text, places.get(label, label)) for text, label in doc]
        for doc in found(own, sample_corpora)
    ]
    assert found(spacy.load(tmp_path / "again"), sample_corpora) == wanted
    # So has the exported head.
    metrics = tmp_path / "m.json"
    pipeline = tmp_path / "out" / "model-best"
    assert command(evaluate, pipeline, sample_corpora / "ner", metrics).code == 0
    assert command(export, pipeline, metrics, tmp_path / "exported").code == 0
    names = srsly.read_json(tmp_path / "exported" / "config.json")["id2label"]
    assert [names[str(index)] for index in range(3)] == ["O", "B-LOC", "I-LOC"]


def test_an_outside_label_with_another_name(command, heads, sample_corpora, tmp_path):
    checkpoint = labelled(heads, "distilbert", tmp_path / "lower", ["o", *TAGS[1:]])
    result = command(wrap, checkpoint, tmp_path / "out", "--lang", "fr")
    assert result.code == 1 and "one must be O" in result.line and "--labels o=O" in result.line
    assert not (tmp_path / "out").exists()
    nlp = wrapped(command, checkpoint, tmp_path / "out", "--labels", "o=O")
    assert nlp.get_pipe("ner").labels == ("LOC", "MISC", "ORG", "PER")
    own = wrapped(command, heads / "distilbert", tmp_path / "own")
    assert found(nlp, sample_corpora) == found(own, sample_corpora)


def labels_in(nlp, corpus):
    return {label for doc in found(nlp, corpus) for _, label in doc}


def test_entity_types_without_prefixes(command, heads, sample_corpora, tmp_path):
    plain = ["O", "PER", "PER", "work-of-art", "LOC", "ORG", "ORG", "MISC", "MISC"]
    nlp = wrapped(
        command, labelled(heads, "distilbert", tmp_path / "plain", plain), tmp_path / "out"
    )
    assert nlp.get_pipe("ner").labels == ("LOC", "MISC", "ORG", "PER", "work-of-art")
    assert {"PER", "work-of-art"} < labels_in(nlp, sample_corpora) < {*plain}


def test_other_schemes_with_other_names(command, heads, sample_corpora, tmp_path):
    tags = ["O", "S-PER", "E-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-MISC", "I-MISC"]
    checkpoint = labelled(heads, "distilbert", tmp_path / "bioes", tags)
    nlp = wrapped(command, checkpoint, tmp_path / "out", "--labels", "PER=PERSON,LOC=GPE")
    assert nlp.get_pipe("ner").labels == ("GPE", "MISC", "ORG", "PERSON")
    assert {"GPE", "PERSON"} <= labels_in(nlp, sample_corpora) <= {"GPE", "MISC", "ORG", "PERSON"}


@pytest.mark.parametrize(
    "labels, message",
    [
        (["NOUN", "VERB", "ADJ", "X", "ADP", "DET", "PUNCT", "PROPN", "NUM"], "part-of-speech"),
        (["O"] * 9, "at least one an entity type"),
    ],
)
def test_heads_without_entity_tags_are_refused(command, heads, tmp_path, labels, message):
    checkpoint = labelled(heads, "distilbert", tmp_path / "tags", labels)
    result = command(wrap, checkpoint, tmp_path / "out", "--lang", "fr")
    assert result.code == 1 and "one must be O" in result.line and message in result.line
    assert not (tmp_path / "out").exists()


def test_regression_heads_are_refused(command, distilbert, heads, tmp_path):
    text_checkpoint(distilbert, ["score"], tmp_path / "one")
    several = labelled(heads, "texts", tmp_path / "three", "abc", problem_type="regression")
    for checkpoint in (tmp_path / "one", several):
        result = command(wrap, checkpoint, tmp_path / "out", "--lang", "fr")
        assert result.code == 1 and "a regression head" in result.line
        assert not (tmp_path / "out").exists()


def test_a_multilabel_head(command, heads, sample_corpora, tmp_path):
    """Each label has its own sigmoid and is scored with a threshold."""
    checkpoint = labelled(
        heads, "texts", tmp_path / "several", ["negative", "neutral", "positive"],
        problem_type="multi_label_classification",
    )  # fmt: skip
    nlp = wrapped(command, checkpoint, tmp_path / "out")
    assert nlp.pipe_names == ["textcat_multilabel"]
    reference = pipeline("text-classification", str(checkpoint), top_k=None)
    assert nlp(TEXT).cats == pytest.approx(
        {item["label"]: item["score"] for item in reference([TEXT])[0]}, abs=1e-5
    )
    assert sum(nlp(TEXT).cats.values()) > 1
    metrics = tmp_path / "m.json"
    arguments = tmp_path / "out" / "model-best", sample_corpora / "textcat", metrics
    assert command(evaluate, *arguments).code == 0
    scores = srsly.read_json(metrics)["raw_text"]
    assert "accuracy" not in scores and scores["cats_micro_f"] > 0
