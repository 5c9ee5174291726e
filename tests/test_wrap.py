"""Ready-made Hugging Face heads as spaCy pipelines: scored, drawn, packaged with their weights."""

import os
import pickle
import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import spacy
import srsly
import torch
from spacy.tokens import Doc
from transformers import AutoModelForTokenClassification, pipeline

from scripts import evaluate, package, report, wrap
from scripts.corpora.docbins import read_docs
from scripts.wheel.components import HFEntities
from scripts.wheel.tags import to_iob

from .conftest import ROOT, sample_words
from .hub import pointed_at
from .scale.reading import check_annotation

ENCODERS = ["distilbert", "camembert"]


def wrapped(command, checkpoint, output, *options):
    result = command(wrap, checkpoint, output, "--lang", "fr", *options)
    assert result.code == 0, result.err
    return spacy.load(output / "model-best")


@pytest.mark.parametrize("name", ENCODERS)
def test_entities_match_those_of_transformers(command, heads, sample_corpora, tmp_path, name):
    nlp = wrapped(command, heads / name, tmp_path / "out")
    head = nlp.get_pipe("ner")
    strategy = "average" if name == "distilbert" else "simple"
    reference = pipeline("token-classification", str(heads / name), aggregation_strategy=strategy)
    texts = [
        doc.text for doc in list(read_docs(sample_corpora / "ner" / "test.spacy", nlp.vocab))[:100]
    ]
    docs = list(nlp.pipe(texts))
    assert [doc.text for doc in docs] == texts
    n_found = n_kept = 0
    for doc in docs:
        found = [
            (text.strip(), item["entity_group"], item["start"] + len(text) - len(text.lstrip()))
            for item in reference(doc.text)
            for text in [doc.text[item["start"] : item["end"]]]
        ]
        n_found += len(found)
        n_kept += len(doc.ents)
        for entity in doc.ents:
            # The same span, or one inside it if it was widened to whole tokens.
            assert any(
                label == entity.label_ and entity.start_char <= start and text in entity.text
                for text, label, start in found
            )
    counts = head.counts
    assert counts["texts"] == 100 and counts["entities"] == n_found > 100
    assert n_found - counts["skipped"] == n_kept
    assert n_found > n_kept > 0.4 * n_found


@pytest.mark.parametrize(
    "found, entities, counts",
    [
        ([(0, 5, "PER")], ["Marie"], {"entities": 1, "widened": 0}),
        # Inside a token, with the space before it, two in one token.
        ([(1, 3, "PER")], ["Marie"], {"entities": 1, "widened": 1}),
        ([(7, 13, "LOC")], ["Paris"], {"entities": 1, "widened": 0}),
        ([(8, 10, "LOC"), (10, 13, "PER")], ["Paris"], {"entities": 2, "skipped": 1, "widened": 1}),
        # The longer of two that share a token; white space only.
        (
            [(0, 2, "PER"), (2, 13, "LOC")],
            ["Marie à Paris"],
            {"entities": 2, "skipped": 1, "widened": 1},
        ),
        ([(5, 6, "PER"), (8, 13, "LOC")], ["Paris"], {"entities": 2, "skipped": 1, "widened": 0}),
        ([], [], {"entities": 0}),
    ],
)
def test_entities_that_do_not_align_are_counted(found, entities, counts):
    head = HFEntities("ner", "x")
    doc = Doc(spacy.blank("fr").vocab, ["Marie", "à", "Paris"])
    found = [
        {"start": start, "end": end, "entity_group": label, "score": 0.1 * end}
        for start, end, label in found
    ]
    head.annotate(doc, found)
    assert [entity.text for entity in doc.ents] == entities
    for entity in doc.ents:
        scores = [item["score"] for item in found if item["entity_group"] == entity.label_]
        assert [entity._.confidence] == scores
    assert head.counts == Counter(counts)


@pytest.mark.parametrize("name", ["distilbert", "texts"])
def test_corpora_are_annotated_with_it(command, heads, tmp_path, name):
    wrapped(command, heads / name, tmp_path / "out")
    assert check_annotation(command, tmp_path / "out" / "model-best", sample_words()[:50], tmp_path)


def test_long_texts_are_read_to_their_end(command, heads, tmp_path):
    nlp = wrapped(command, heads / "distilbert", tmp_path / "out")
    sentence = "Marie Curie vit à Paris. "
    short, doc = nlp(sentence), nlp(sentence * 200)
    assert short.ents
    assert doc.ents[-1].start_char > len(doc.text) - len(sentence)


def test_categories_are_renamed_and_summed(command, heads, tmp_path):
    plain = wrapped(command, heads / "texts", tmp_path / "plain")
    texts = ["Un bon film.", "", "mot " * 900, "😀"]
    reference = pipeline("text-classification", str(heads / "texts"), top_k=None, truncation=True)
    for doc, wanted in zip(plain.pipe(texts), reference(texts)):
        assert doc.cats == pytest.approx(
            {item["label"]: item["score"] for item in wanted}, abs=1e-5
        )
    assert plain.get_pipe("textcat").counts == {"texts": 4, "truncated": 1}
    names = "NEG=negative,NEUTRAL=negative,POS=positive"
    nlp = wrapped(command, heads / "texts", tmp_path / "out", "--labels", names)
    cats, own = nlp(texts[0]).cats, plain(texts[0]).cats
    assert cats == pytest.approx({"negative": own["NEG"] + own["NEUTRAL"], "positive": own["POS"]})


def test_labels_of_a_multilabel_head_are_not_summed(command, heads, tmp_path):
    shutil.copytree(heads / "texts", tmp_path / "several")
    config = srsly.read_json(tmp_path / "several" / "config.json")
    config["problem_type"] = "multi_label_classification"
    srsly.write_json(tmp_path / "several" / "config.json", config)
    names = ("--labels", "NEG=x,NEUTRAL=x,POS=x")
    own = wrapped(command, tmp_path / "several", tmp_path / "a")("Un bon film.").cats
    nlp = wrapped(command, tmp_path / "several", tmp_path / "b", *names)
    assert nlp("Un bon film.").cats == pytest.approx({"x": max(own.values())})


def test_a_damaged_pipeline_is_reported_in_one_line(command, heads, sample_corpora, tmp_path):
    wrapped(command, heads / "distilbert", tmp_path / "out")
    file = tmp_path / "out" / "model-best" / "ner" / "tokenizer.json"
    file.write_bytes(file.read_bytes()[:500])
    pipeline = tmp_path / "out" / "model-best"
    result = command(evaluate, pipeline, sample_corpora / "ner", tmp_path / "m.json")
    assert result.code == 1 and "the pipeline is damaged" in result.line


@pytest.mark.parametrize(
    "tag, wanted",
    [
        ("E-PER", "I-PER"),
        ("S-PER", "B-PER"),
        ("L-A-B", "I-A-B"),
        ("O", "O"),
        ("X", "X"),
        ("X-Y", "I-X-Y"),
    ],
)
def test_other_schemes_are_converted_to_iob(tag, wanted):
    assert to_iob(tag) == wanted


def test_to_bytes_includes_the_weights(command, heads, tmp_path):
    nlp = wrapped(command, heads / "distilbert", tmp_path / "out")
    copy = spacy.blank("fr")
    copy.add_pipe("hf_head_ner", name="ner")
    copy.from_bytes(nlp.to_bytes())
    text = "Marie Curie vit à Paris."
    assert [str(e) for e in copy(text).ents] == [str(e) for e in nlp(text).ents]


def test_from_the_hub_to_a_wheel(command, heads, sample_corpora, tmp_path, monkeypatch):
    """Scored, drawn, packaged and tried by the same commands as a pipeline trained here."""

    def run(module, *arguments):
        result = command(module, *arguments)
        assert result.code == 0, result.out + result.err
        return result.out

    shutil.copytree(heads / "camembert", tmp_path / "hub/models/Jean-Baptiste/camembert-ner")
    with pointed_at(tmp_path / "hub", tmp_path / "cache"):
        run(wrap, "Jean-Baptiste/camembert-ner", tmp_path / "out", "--lang", "fr")
    shutil.rmtree(tmp_path / "cache")
    model, metrics = tmp_path / "out" / "model-best", tmp_path / "metrics" / "fr_camembert_ner.json"
    printed = run(evaluate, model, sample_corpora / "ner", metrics)
    assert "187 texts" in printed and "widened" in printed
    scores = srsly.read_json(metrics)
    assert scores["encoder"] == "Jean-Baptiste/camembert-ner"
    assert scores["head"]["entities"] > 100 and scores["raw_text"]["ents_f"] > 0.1
    page = tmp_path / "page.html"
    run(report, model, sample_corpora / "ner", metrics, page)
    assert 'class="entities"' in page.read_text("utf8")
    printed = run(package, model, metrics, tmp_path / "packages", "--name", "fr_camembert_ner")
    assert "installed and loaded offline" in printed
    assert re.search(r"→ \[\[['\"].+?['\"], '(PER|LOC|ORG|MISC)'\]", printed)
    wheel = tmp_path / "packages" / "fr_camembert_ner-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        meta = srsly.json_loads(archive.read("fr_camembert_ner/meta.json"))
        (weights,) = [name for name in names if name.endswith(".safetensors")]
        assert archive.getinfo(weights).file_size > 100_000
        here = [str(tmp_path), str(ROOT)]
        assert not [n for n in names for path in here if path.encode() in archive.read(n)]
    assert "as it was published" in meta["description"]
    assert any(needed.startswith("transformers") for needed in meta["requirements"])

    # A text classifier too: both in one process, each with its own copy of the component.
    names = "NEG=negative,NEUTRAL=negative,POS=positive"
    run(wrap, heads / "texts", tmp_path / "t", "--lang", "fr", "--labels", names)
    model, metrics = tmp_path / "t" / "model-best", tmp_path / "metrics" / "fr_texts.json"
    run(evaluate, model, sample_corpora / "textcat", metrics)
    assert srsly.read_json(metrics)["raw_text"]["accuracy"] == 0.5
    run(report, model, sample_corpora / "textcat", metrics, page)
    assert "positive" in page.read_text("utf8")
    run(package, model, metrics, tmp_path / "packages", "--name", "fr_texts")
    site = tmp_path / "site"
    for wheel in (tmp_path / "packages").iterdir():
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    program = (
        "import spacy, fr_texts, fr_camembert_ner as ner; text = 'Marie Curie vit à Paris.'; "
        "print(len(fr_texts.load()(text).cats), len(ner.load()(text).ents) > 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(site), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.stdout.split() == ["2", "True"], done.stderr
    # An installed package, in a process where the project's own class is registered.
    monkeypatch.syspath_prepend(site)
    run(evaluate, "fr_texts", sample_corpora / "textcat", metrics)


class Evil:
    def __reduce__(self):
        return (os.system, ("touch pwned",))


def write_damaged(heads: Path, folder: Path, what: str) -> None:
    shutil.copytree(heads / "distilbert", folder)
    config = srsly.read_json(folder / "config.json")
    if what == "masked":
        config["architectures"] = ["DistilBertForMaskedLM"]
    elif what == "code":
        config |= {"model_type": "new", "auto_map": {"AutoConfig": "code.Config"}}
        (folder / "code.py").write_text("open('pwned', 'w')\nclass Config: pass\n")
    elif what == "evil.bin":
        (folder / "model.safetensors").unlink()
        with (folder / "pytorch_model.bin").open("wb") as stream:
            pickle.dump({"distilbert.x": Evil()}, stream)
    elif what == "no weights":
        (folder / "model.safetensors").unlink()
    srsly.write_json(folder / "config.json", config)


@pytest.mark.parametrize(
    "what, options, message",
    [
        ("masked", (), "cannot wrap DistilBertForMaskedLM; choose a checkpoint whose architecture"),
        ("code", (), "encoder checkpoint: not a complete checkpoint"),
        ("evil.bin", (), "encoder checkpoint: not a complete checkpoint"),
        ("no weights", (), "encoder checkpoint: not a complete checkpoint"),
        ("", ("--labels", "PER"), "--labels PER: 'PER' is not a pair; write OLD=new"),
        ("", ("--labels", "X=y"), "--labels: no label X; the labels are"),
        ("", ("--lang", "zz"), "--lang 'zz': "),
    ],
)
def test_mistakes_are_reported_in_one_line(
    command, heads, tmp_path, monkeypatch, what, options, message
):
    monkeypatch.chdir(tmp_path)
    write_damaged(heads, tmp_path / "checkpoint", what)
    result = command(wrap, "checkpoint", "out", "--lang", "fr", *options)
    assert result.code == 1 and message in result.line
    assert "Traceback" not in result.out + result.err
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_weights_in_the_old_format_are_loaded_as_tensors_only(command, heads, tmp_path):
    shutil.copytree(heads / "distilbert", tmp_path / "old")
    model = AutoModelForTokenClassification.from_pretrained(heads / "distilbert")
    (tmp_path / "old" / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "old" / "pytorch_model.bin")
    text = "Marie Curie vit à Paris."
    old = wrapped(command, tmp_path / "old", tmp_path / "out")
    new = wrapped(command, heads / "distilbert", tmp_path / "new")
    assert [str(e) for e in old(text).ents] == [str(e) for e in new(text).ents] != []
