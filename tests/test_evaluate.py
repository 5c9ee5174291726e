"""Any pipeline on any split: what is scored, what is reported, and what is refused."""

import shutil

import numpy
import pytest
import spacy
import srsly
from spacy.tokens import DocBin
from wasabi import msg

from scripts import evaluate, export, package, report
from scripts.common import devices
from scripts.common.files import sha256
from scripts.corpora.docbins import read_docs
from scripts.serving.metrics import main_score, score_entities

from .small import CONFIGS, small_pipeline

TASKS = {"ner": ["ner"], "textcat": ["textcat"], "several": ["textcat_multilabel"]}


@pytest.fixture(scope="module")
def made(sample_corpora, tmp_path_factory):
    """Pipelines without a transformer: for each task, and `both`."""
    folder = tmp_path_factory.mktemp("pipelines")
    for name, tasks in TASKS.items():
        small_pipeline(sample_corpora, *tasks).to_disk(folder / name)
    small_pipeline(sample_corpora, "ner", "textcat", epochs=1).to_disk(folder / "both")
    return folder


@pytest.fixture
def score(command, made, sample_corpora, tmp_path):
    """Evaluate a pipeline of `made`; return the result and the metrics."""

    def call(name, corpus, *options):
        corpus = sample_corpora / corpus if isinstance(corpus, str) else corpus
        result = command(evaluate, made / name, corpus, tmp_path / "m.json", *options)
        return result, srsly.read_json(tmp_path / "m.json") if not result.code else {}

    return call


def unwrapped(text):
    return " ".join(text.split())


def changed(corpus, folder, change, split="test"):
    """Copy a corpus with the documents of a split changed."""
    shutil.copytree(corpus, folder)
    docs = change(list(read_docs(folder / f"{split}.spacy", spacy.blank("fr").vocab)))
    DocBin(docs=docs).to_disk(folder / f"{split}.spacy")
    return folder


@pytest.mark.parametrize(
    "name, corpus, headline",
    [
        ("ner", "ner", "entity F"),
        ("textcat", "textcat", "accuracy"),
        ("several", "textcat", "micro F"),
    ],
)
def test_pipelines_without_a_transformer(
    command, score, made, sample_corpora, tmp_path, name, corpus, headline
):
    result, metrics = score(name, corpus)
    assert result.code == 0, result.err
    assert f"m.json: {headline} 0." in unwrapped(result.out)
    assert (metrics["split"], metrics["encoder"], metrics["task"]) == ("test", None, TASKS[name][0])
    assert metrics["speed"]["device"] == "cpu" and metrics["speed"]["precision"] == "float32"
    assert metrics["parameters"] > 8000 and metrics["trained_on"] is None
    assert ("scored_by" in metrics) == ("gold_tokens" in metrics) == (name == "ner")
    assert metrics["split_sha256"] == sha256(sample_corpora / corpus / "test.spacy")
    files = tmp_path / "m.json", tmp_path / "p.html"
    options = "--page-language", "en"
    result = command(report, made / name, sample_corpora / corpus, *files, *options)
    assert result.code == 0, result.err
    page = files[1].read_text("utf8")
    score = main_score(metrics["raw_text"])[2]
    assert f"<strong>{score:.3f}</strong> <span>{headline}</span>" in page
    assert " examples of test have an error" in page
    assert "Encoder" not in page


def test_packaging_a_pipeline_without_settings_paths_and_seed(
    command, made, sample_corpora, tmp_path, monkeypatch
):
    nlp = spacy.load(made / "textcat")
    config = nlp.config.copy()
    for section in ("train", "dev"):
        config["corpora"][section]["path"] = None
    config["initialize"].update(vectors=None, init_tok2vec=None)
    del config["paths"], config["training"]["seed"], config["system"]["seed"]
    nlp.config = config
    nlp.meta |= {"license": "LGPL-LR", "sources": [{"name": "its own"}]}
    nlp.to_disk(tmp_path / "pipeline")
    assert "[paths]" not in (tmp_path / "pipeline" / "config.cfg").read_text()
    arguments = tmp_path / "pipeline", sample_corpora / "textcat", tmp_path / "m.json"
    assert command(evaluate, *arguments).code == 0
    assert srsly.read_json(tmp_path / "m.json")["seed"] is None
    result = command(package, arguments[0], arguments[2], tmp_path / "packages", "--name", "fr_bow")
    assert result.code == 0, result.err
    shutil.unpack_archive(next((tmp_path / "packages").iterdir()), tmp_path / "site", "zip")
    monkeypatch.syspath_prepend(tmp_path / "site")
    meta = spacy.load("fr_bow").meta
    assert meta["license"] == "LGPL-LR" and meta["sources"] == [{"name": "its own"}]
    assert meta["description"].startswith("Text classification (fr); accuracy 0.")
    assert "of textcat, test, raw text" in meta["description"]
    # The installed one is the one that was scored.
    result = command(report, "fr_bow", *arguments[1:], tmp_path / "p.html")
    assert result.code == 0, result.err


@pytest.mark.parametrize("module", [package, report, export])
def test_metrics_of_other_weights_are_refused(
    command, score, made, sample_corpora, tmp_path, module
):
    score("textcat", "textcat")
    nlp = spacy.load(made / "textcat")
    model = next(n for n in nlp.get_pipe("textcat").model.walk() if n.has_param("W"))
    model.set_param("W", model.get_param("W") + numpy.float32(1e-3))
    nlp.to_disk(tmp_path / "trained-anew")
    arguments = {
        package: [tmp_path / "m.json", tmp_path / "out", "--name", "fr_x"],
        report: [sample_corpora / "textcat", tmp_path / "m.json", tmp_path / "out"],
        export: [tmp_path / "m.json", tmp_path / "out"],
    }[module]
    result = command(module, tmp_path / "trained-anew", *arguments)
    assert result.code == 1 and "m.json: metrics of a pipeline with other weights" in result.line
    assert not (tmp_path / "out").exists()
    if module is export:
        result = command(module, made / "textcat", *arguments)
        assert result.code == 1 and "no Hugging Face encoder to export" in result.line


def test_metrics_in_an_older_format_are_refused(command, score, made, sample_corpora, tmp_path):
    _, metrics = score("textcat", "textcat")
    del metrics["weights"], metrics["split_sha256"]
    srsly.write_json(tmp_path / "m.json", {**metrics, "split": "test: carved"})
    result = command(
        report, made / "textcat", sample_corpora / "textcat", tmp_path / "m.json", tmp_path / "p"
    )
    assert result.code == 1 and "run `evaluate` again" in result.line


@pytest.mark.parametrize(
    "name, split, source, about",
    [
        ("wikiner", "test", "test", "the hub's test split"),
        ("wikiner", "test", "train", "carved from train"),
        ("mine", "test", "test", ""),
        ("wikiner", "dev", "dev", ""),
        ("wikiner", "test", None, ""),
    ],
)
def test_where_a_split_comes_from_is_said_only_if_it_is_on_record(
    score, sample_corpora, tmp_path, name, split, source, about
):
    corpus = shutil.copytree(sample_corpora / "ner", tmp_path / name)
    path = corpus / "report.json"
    if source is None:
        path.unlink()
    else:
        converted = srsly.read_json(path)
        converted["splits"][split]["from"] = source
        srsly.write_json(path, converted)
    _, metrics = score("ner", corpus, "--split", split)
    assert metrics["about"] == about


def test_the_page_shows_the_split_that_was_scored(command, score, made, sample_corpora, tmp_path):
    _, metrics = score("textcat", "textcat", "--split", "dev", "--about", "carved from train")
    names = [metrics[key] for key in ("corpus", "split", "about")]
    assert names == ["textcat", "dev", "carved from train"]
    page, n = tmp_path / "p.html", metrics["examples"]
    arguments = tmp_path / "m.json", page, "--page-language", "en"
    result = command(report, made / "textcat", sample_corpora / "textcat", *arguments)
    assert f"of {n} dev examples, errors first" in unwrapped(result.out)
    assert f"of {n} examples of dev have an error" in page.read_text("utf8")
    assert "textcat, dev: carved from train" in page.read_text("utf8")
    page.unlink()
    other = changed(sample_corpora / "textcat", tmp_path / "other", lambda docs: docs[1:], "dev")
    result = command(report, made / "textcat", other, *arguments)
    assert result.code == 1 and "dev.spacy: not the split that" in result.line
    assert not page.exists()


def test_unannotated_documents_are_not_scored(score, sample_corpora, tmp_path):
    def without(docs):
        for doc in docs[:5]:
            doc.cats = {"negative": 0.0, "positive": 0.0} if doc is docs[0] else {}
        return docs

    _, before = score(
        "textcat", changed(sample_corpora / "textcat", tmp_path / "a", lambda docs: docs[5:])
    )
    result, after = score("textcat", changed(sample_corpora / "textcat", tmp_path / "b", without))
    assert f"5 of {before['examples'] + 5} examples have no label: not scored" in result.err
    assert after["unannotated"] == 5 and after["raw_text"] == before["raw_text"]

    # Entities: missing, and not none.
    def unmarked(docs):
        for doc in docs[:5]:
            doc.set_ents([], default="missing")
        return docs

    _, before = score("ner", changed(sample_corpora / "ner", tmp_path / "c", lambda docs: docs[5:]))
    result, after = score("ner", changed(sample_corpora / "ner", tmp_path / "d", unmarked))
    assert after["unannotated"] == 5 and after["raw_text"] == before["raw_text"]


def test_texts_with_several_labels_are_refused_for_textcat(score, sample_corpora, tmp_path):
    def both(docs):
        docs[3].cats = {"negative": 1.0, "positive": 1.0}
        return docs

    corpus = changed(sample_corpora / "textcat", tmp_path / "two", both)
    result, _ = score("textcat", corpus)
    assert result.code == 1 and "texts with several labels" in result.line
    assert score("several", corpus)[0].code == 0


def test_texts_unseen_in_training_are_scored_separately(score, sample_corpora, made, tmp_path):
    test = list(read_docs(sample_corpora / "ner" / "test.spacy", spacy.blank("fr").vocab))
    corpus = changed(
        sample_corpora / "ner", tmp_path / "leak", lambda docs: docs + test[:80], "train"
    )
    result, metrics = score("ner", corpus)
    unseen = metrics["unseen_text"]
    assert (unseen["examples"], unseen["shared_with_train"]) == (len(test) - 80, 80)
    nlp = spacy.load(made / "ner")
    scores = score_entities([nlp(doc.text) for doc in test[80:]], test[80:])
    assert unseen["ents_f"] == pytest.approx(scores["ents_f"]) != metrics["raw_text"]["ents_f"]
    line = (
        f"80 of {len(test)} texts are also in train; without them entity F {scores['ents_f']:.3f}"
    )
    assert line in result.err and "raw text that is not in train" in result.out
    result, metrics = score("ner", "ner")
    assert metrics["unseen_text"] == {"examples": len(test), "shared_with_train": 0}
    assert "in train" not in result.out
    (corpus / "train.spacy").unlink()
    assert "unseen_text" not in score("ner", corpus)[1]


def test_the_task_is_one_that_pipeline_and_corpus_share(score, sample_corpora, tmp_path):
    assert score("both", "ner")[1]["task"] == "ner"
    assert score("both", "textcat")[1]["task"] == "textcat"

    def all_labelled(docs):
        for doc in docs:
            doc.cats = {"negative": 1.0, "positive": 0.0}
        return docs

    corpus = changed(sample_corpora / "ner", tmp_path / "two", all_labelled)
    result, _ = score("both", corpus)
    assert (
        result.code == 1 and "several tasks: choose one of ner, textcat with --task" in result.line
    )
    assert score("both", corpus, "--task", "textcat")[1]["task"] == "textcat"
    result, _ = score("ner", corpus, "--task", "textcat")
    assert result.code == 1 and "--task textcat: the pipeline has ner" in result.line


def test_a_component_whose_vectors_are_missing_is_refused(
    command, distilbert, sample_corpora, tmp_path
):
    """In spaCy it silently finds nothing."""
    nlp = spacy.blank("fr")
    nlp.add_pipe("transformer", config={"model": {"name": str(distilbert)}})
    listener = {
        "@architectures": "spacy-transformers.TransformerListener.v1", "grad_factor": 1.0,
        "pooling": {"@layers": "reduce_mean.v1"}, "upstream": "*",
    }  # fmt: skip
    model = {**CONFIGS["ner"]["model"], "tok2vec": listener}
    nlp.add_pipe("ner", config={"model": model}).add_label("PER")
    nlp.initialize()
    nlp.remove_pipe("transformer")
    nlp.to_disk(tmp_path / "deaf")
    result = command(evaluate, tmp_path / "deaf", sample_corpora / "ner", tmp_path / "m.json")
    assert result.code == 1 and "reads the vectors of a transformer or tok2vec" in result.line


@pytest.mark.parametrize("module", [evaluate, report, package, export])
def test_the_gpu_is_required_before_the_pipeline_is_loaded(
    command, made, tmp_path, monkeypatch, module
):
    wanted = []
    arguments = {
        evaluate: ["c", "m"],
        report: ["c", "m", "p"],
        package: ["m", "o", "--name", "fr_x"],
        export: ["m", "o"],
    }[module]
    result = command(module, made / "ner", *arguments, "--gpu-id", 3)
    assert result.code == 1 and "--gpu-id 3: " in result.line and "to use the CPU" in result.line
    monkeypatch.setattr(devices, "require_gpu", wanted.append)
    monkeypatch.setattr(spacy, "load", lambda name: msg.fail(f"read after {wanted}", exits=1))
    assert "read after [3]" in command(module, made / "ner", *arguments, "--gpu-id", 3).out
