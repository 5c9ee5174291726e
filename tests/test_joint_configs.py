"""Configs and corpora for two tasks at once: those that work, and those that are refused."""

from pathlib import Path

import pytest
import spacy
from spacy.cli.init_config import init_config
from spacy.tokens import DocBin
from thinc.api import Config

from scripts.config import training_config
from scripts.corpora.docbins import read_docs

from .conftest import first_examples


def neither(folder: Path) -> None:
    for split in ("train", "dev"):
        docs = list(read_docs(folder / f"{split}.spacy", spacy.blank("fr").vocab))
        for doc in docs:
            doc.cats = {}
        DocBin(docs=docs).to_disk(folder / f"{split}.spacy")


def all_outside(folder: Path) -> None:
    for split in ("train", "dev"):
        docs = list(read_docs(folder / f"{split}.spacy", spacy.blank("fr").vocab))
        for doc in docs:
            doc.ents = []
        DocBin(docs=docs).to_disk(folder / f"{split}.spacy")


def two_labels(folder: Path) -> None:
    docs = list(read_docs(folder / "dev.spacy", spacy.blank("fr").vocab))
    docs[3].cats = {"negative": 1.0, "positive": 1.0}
    DocBin(docs=docs).to_disk(folder / "dev.spacy")


@pytest.mark.parametrize(
    "config, others, change, message",
    [
        ("ner+textcat", ["ner"], neither, "train.spacy has neither entities nor labels"),
        ("ner+textcat", ["ner"], all_outside, "train.spacy has no entities, but tokens marked as outside"),
        ("ner+textcat", ["ner"], two_labels, "dev.spacy has a text with 2 labels"),
        ("ner+textcat", ["textcat"], None, "textcat/train.spacy: no entities to learn from"),
        ("ner+ner", [], None, "ner+ner: a task is named twice"),
        ("ner+nonsense", [], None, "nonsense: no such config file"),
        ("ner+base", [], None, "base.cfg: a full config; only those of tasks can be joined"),
        ("textcat", ["ner"], None, "ner/train.spacy has texts without labels"),
        ("ner", ["ner"], None, "mine/train.spacy has no entities"),
    ],
)  # fmt: skip
def test_what_cannot_be_learnt_together(
    command, few_corpora, tmp_path, config, others, change, message
):
    mine = first_examples(few_corpora / "textcat", tmp_path / "mine", train=20, dev=20)
    if change:
        change(mine)
    given = [word for name in others for word in ("--corpus", few_corpora / name)]
    result = command(
        "train", config, tmp_path / "out", "--corpus", mine, *given, "--lang", "fr"
    )  # fmt: skip
    assert result.code == 1 and message in result.line
    assert not (tmp_path / "out").exists()


def test_a_corpus_without_labels_only(command, few_corpora, tmp_path):
    result = command(
        "train", "ner+textcat", tmp_path / "out", "--corpus", few_corpora / "ner", "--lang", "fr"
    )
    assert result.code == 1 and "ner/train.spacy: no labels to learn from" in result.line


@pytest.mark.parametrize(
    "pipeline, callback, message",
    [
        (["ner", "textcat"], None, "let @callbacks of [initialize.after_init] be project.prepare"),
        (["textcat", "ner"], "project.prepare_training.v1", "`textcat` has to come after `ner`"),
    ],
)
def test_configs_of_spacys_that_would_learn_the_wrong_thing(
    command, few_corpora, tmp_path, pipeline, callback, message
):
    config = init_config(lang="fr", pipeline=pipeline)
    if callback:
        config["initialize"]["after_init"] = {
            "@callbacks": callback, "precision": "auto", "frozen_layers": 0,
        }  # fmt: skip
    config.to_disk(tmp_path / "mine.cfg")
    result = command(
        "train", tmp_path / "mine.cfg", tmp_path / "out", "--lang", "fr",
        "--corpus", few_corpora / "ner", "--corpus", few_corpora / "textcat",
    )  # fmt: skip
    assert result.code == 1 and message in result.line


def test_a_reader_of_its_own_reads_one_corpus(command, few_corpora, tmp_path):
    config = init_config(lang="fr", pipeline=["ner"])
    config["corpora"]["train"] = {"@readers": "spacy.JsonlCorpus.v1", "path": "${paths.train}"}
    config.to_disk(tmp_path / "mine.cfg")
    result = command(
        "train", tmp_path / "mine.cfg", tmp_path / "out", "--lang", "fr",
        "--corpus", few_corpora / "ner", "--corpus", few_corpora / "both",
    )  # fmt: skip
    assert result.code == 1 and "[corpora.train] reads one corpus" in result.line


def test_the_config_of_both_is_made_of_those_of_each():
    """Components of each, with score weights halved; a user's own file can take part."""
    _, config, given = training_config("textcat+ner", {})
    assert config["nlp"]["pipeline"] == ["transformer", "ner", "textcat"] and not given
    for task, score in (("textcat", "cats_micro_f"), ("ner", "ents_f")):
        _, own, _ = training_config(task, {})
        assert config["components"][task] == own["components"][task]
        assert own["training"]["score_weights"][score] == 1
        assert config["training"]["score_weights"][score] == 0.5
    assert config["corpora"] == own["corpora"] and config["settings"] == own["settings"]


def test_config_prints_it(command):
    result = command("config", "ner+textcat", "--settings.max_steps", 50)
    assert result.code == 0
    config = Config().from_str(result.out, interpolate=False)
    assert config["settings"]["warmup_steps"] == 12 and "textcat" in config["components"]
