"""An entity recogniser that train-hf made, for real: its files, predictions, confidences and packages."""

import json
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import spacy
import srsly
import torch
from spacy.tokens import Doc
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

from scripts import evaluate, export, package, report, train_hf
from scripts.common.probabilities import calibration_error, log_loss
from scripts.corpora.docbins import read_docs
from scripts.serving.predictions import CONFIDENCE, Predictions, read_predictions
from scripts.training.heads import TokenHead

from .conftest import sample_words
from .scale.reading import check_annotation

ENTITIES = ["O", "B-LOC", "I-LOC", "B-MISC", "I-MISC", "B-ORG", "I-ORG", "B-PER", "I-PER"]


@pytest.fixture(scope="module")
def calibrated():
    """The documents, rows and logits that calibrations are found with, one after the other."""
    seen, calibrate = [], train_hf.calibrate
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            train_hf, "calibrate", lambda *found: (seen.append(found[2:]), calibrate(*found))[1]
        )
        yield seen


@pytest.fixture(scope="module")
def made(heads, sample_corpora, tmp_path_factory, calibrated):
    """An entity recogniser: a new head on an encoder that has learned the task with another one."""
    output = tmp_path_factory.mktemp("made") / "ner"
    corpus = sample_corpora / "ner"
    steps = {"training.max_steps": 120, "training.learning_rate": 5e-3, "training.eval_steps": 45,
             "training.save_steps": 45, "training.bf16": False}  # fmt: skip
    with (output.parent / "printed").open("w", encoding="utf8") as file, redirect_stdout(file):
        train_hf.train_hf("ner", output, corpus, "fr", str(heads / "distilbert"), "", None, steps)
    return output


def test_what_is_written(made):
    assert sorted(path.name for path in made.iterdir()) == ["checkpoint", "logs", "model-best"]
    assert not list(made.parent.glob("*.unfinished"))
    about = json.loads((made / "checkpoint" / "training.json").read_text("utf8"))
    # The last update is scored too; the best one is kept.
    assert [point["step"] for point in about["scores"]] == [45, 90, 120]
    assert about["score"] == pytest.approx(max(point["score"] for point in about["scores"]))
    assert about["score"] > 0.1 and about["metric"] == "entity F"
    (log,) = [path for path in (made / "logs").iterdir() if path.is_file()]
    curves = EventAccumulator(str(log))
    curves.Reload()
    assert [e.step for e in curves.Scalars("eval/score")] == [45, 90, 120]
    nlp = spacy.load(made / "model-best")
    assert nlp.config["settings"] == {"encoder": "distilbert", "revision": None}
    assert Path(nlp.config["paths"]["train"]).parent.name == "ner"
    assert nlp.config["training"]["seed"] == 0
    assert nlp.get_pipe("ner").labels == ("LOC", "MISC", "ORG", "PER")
    # No word of the corpus.
    assert "Curie" not in (made / "model-best" / "vocab" / "strings.json").read_text("utf8")


def test_transformers_opens_the_checkpoint_and_predicts_the_same_tags(made, sample_corpora):
    model = AutoModelForTokenClassification.from_pretrained(made / "checkpoint").eval()
    tokenizer = AutoTokenizer.from_pretrained(made / "checkpoint")
    assert [model.config.id2label[index] for index in range(9)] == ENTITIES
    assert tokenizer.model_max_length == 512 and tokenizer.backend_tokenizer.truncation is None
    nlp = spacy.load(made / "model-best")
    head = nlp.get_pipe("ner")
    docs = [nlp.make_doc(d.text) for d in read_docs(sample_corpora / "ner/test.spacy", nlp.vocab)]
    n_entities = 0
    for doc, (tokens, logs) in zip(docs[:40], head.predictions(docs[:40])):
        batch = tokenizer(doc.text, return_tensors="pt", return_offsets_mapping=True)
        starts = [a if a < b else -1 for a, b in batch.pop("offset_mapping")[0].tolist()]
        with torch.no_grad():
            tags = model(**batch).logits[0].argmax(-1)
        assert len(tokens) > 0.95 * len(doc)
        own = [int(tags[starts.index(doc[token].idx)]) for token in tokens]
        assert logs.argmax(axis=1).tolist() == own
        n_entities += sum(ENTITIES[tag].startswith("B-") for tag in own)
    assert n_entities > 20
    # So does its own pipeline.
    found = pipeline("ner", model=model, tokenizer=tokenizer, aggregation_strategy="first")
    assert found("Marie Curie vit à Paris.")


def test_corpora_are_annotated_with_it(command, made, tmp_path):
    assert check_annotation(command, made / "model-best", sample_words()[:50], tmp_path)


def test_it_is_scored_drawn_packaged_and_exported(command, made, sample_corpora, tmp_path):
    corpus, best = sample_corpora / "ner", made / "model-best"
    metrics, page = tmp_path / "metrics" / "fr_ner_hf.json", tmp_path / "page.html"

    def run(module, *arguments):
        result = command(module, *arguments)
        assert result.code == 0, result.out + result.err
        return result

    run(evaluate, made, corpus, metrics, "--split", "dev", "--precision", "float32")
    scores = srsly.read_json(metrics)
    about = json.loads((made / "checkpoint" / "training.json").read_text("utf8"))
    # The score in training is that of `evaluate` on gold tokens.
    assert scores["gold_tokens"]["ents_f"] == pytest.approx(about["score"], abs=1e-3)
    assert scores["trained_on"] == "ner" and scores["seed"] == 0
    assert scores["encoder"] == "distilbert"
    assert scores["head"]["tokens without a piece"] < 10
    assert "tags changed by constraints" in scores["head"]
    nlp = spacy.load(best)
    saved = read_predictions(metrics.with_suffix(".spacy"), nlp.vocab)
    some = [doc for doc in saved.docs if doc.ents]
    for doc in some:
        values = doc.user_data[CONFIDENCE]
        assert len(values) == len(doc.ents) and all(0 < value <= 1 for value in values)
        again = nlp(doc.text)
        assert [e._.confidence for e in again.ents] == pytest.approx(values, abs=1e-4)
    assert len(some) > 10 and all(CONFIDENCE in doc.user_data for doc in some)
    run(report, best, corpus, metrics, page)
    value = f"{some[0].user_data[CONFIDENCE][0]:.2f}".replace(".", ",")
    assert f"{some[0].ents[0].label_} {value}" in page.read_text("utf8")
    printed = run(package, best, metrics, tmp_path / "packages").out
    assert "installed and loaded offline" in printed
    run(export, best, metrics, tmp_path / "exported")
    card = (tmp_path / "exported" / "README.md").read_text("utf8")
    assert "with its head for named entities, fine-tuned on ner" in card
    assert AutoModelForTokenClassification.from_pretrained(tmp_path / "exported")


def test_confidences_stay_parallel_when_labels_are_dropped():
    doc = Doc(spacy.blank("fr").vocab, ["a", "b", "c"])
    doc.ents = [spacy.tokens.Span(doc, i, i + 1, label) for i, label in enumerate("XYX")]
    doc.user_data[CONFIDENCE] = [0.1, 0.2, 0.3]
    header = type("Header", (), {"labels": {"ner": ["X", "Y"]}})
    (dropped,) = Predictions(header, [doc]).renamed([doc], {"Y": "", "X": "Z"})
    assert [entity.label_ for entity in dropped.ents] == ["Z", "Z"]
    assert dropped.user_data[CONFIDENCE] == [0.1, 0.3]
    assert doc.user_data[CONFIDENCE] == [0.1, 0.2, 0.3]


def test_calibration_is_in_the_weights_and_on_record(made, calibrated):
    about = json.loads((made / "checkpoint" / "training.json").read_text("utf8"))
    nlp = spacy.load(made / "model-best")
    record = nlp.meta["calibration"]["ner"]
    assert record == pytest.approx(about["calibration"]) and 0.1 < record["temperature"] < 10
    docs, rows, logits = calibrated[0]
    found = [
        (doc, logs, at) for doc, (at, logs) in zip(docs, nlp.get_pipe("ner").predictions(docs))
    ]
    head = TokenHead(docs)
    assert head.labels == ENTITIES
    entities = head.confidences(found, 1.0)
    assert record["examples"] == len(entities.values) > 100
    # No other temperature is better, and the line says what this one has changed.
    best = log_loss(*entities)
    assert all(best < log_loss(*head.confidences(found, factor)) for factor in (0.95, 1.05))
    # From the logits of the training: those of the pipeline are not the same to the last digit, and a
    # confidence on the edge of a bin counts in another one.
    own = [(doc, row, at) for (doc, _, at), row in zip(found, rows.by_document(logits))]
    in_training = [head.confidences(own, t) for t in (1, record["temperature"])]
    assert in_training[1].values == pytest.approx(entities.values, abs=1e-3)
    before, after = (calibration_error(*confidences) for confidences in in_training)
    printed = " ".join((made.parent / "printed").read_text("utf8").split())
    assert (
        f"ner: calibrated on {record['examples']} entities of dev, temperature "
        f"{record['temperature']:.2f}; calibration error there {before:.3f}, now {after:.3f}"
    ) in printed
