"""Wheels are built, installed in a fresh environment and loaded offline; and the pages."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
import spacy
import srsly

from scripts import convert, evaluate, package, report, wrap
from scripts.corpora.docbins import read_docs
from scripts.reporting.wheels import wheel_of
from scripts.serving.metrics import read_metrics

from .conftest import ROOT, SAMPLE
from .heads import tag_checkpoint

NAME = "fr_tiny_trf"


@pytest.fixture(scope="module")
def wheel(distilbert, tmp_path_factory):
    """A pipeline on the tiny DistilBERT; its encoder folder is deleted before packaging."""
    folder = tmp_path_factory.mktemp("wheel")
    encoder = folder / "my-encoder"
    shutil.copytree(distilbert, encoder)
    convert.convert("iob", SAMPLE / "conll-en", folder / "corpus", "fr")

    def run(module, *arguments):
        command = [sys.executable, "-m", f"scripts.{module}", *map(str, arguments)]
        # As where no package registry is reached.
        alone = {**os.environ, "PIP_NO_INDEX": "1"}
        result = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    run(
        "train", "configs/ner.cfg", folder / "trained", "--corpus", folder / "corpus",
        "--lang", "fr", "--settings.encoder", encoder, "--settings.max_steps", 20,
        "--settings.eval_frequency", 20, "--settings.learn_rate", 5e-3,
    )  # fmt: skip
    model, metrics = folder / "trained" / "model-best", folder / "metrics" / f"{NAME}.json"
    run("evaluate", model, folder / "corpus", metrics)
    shutil.rmtree(encoder)
    printed = run("package", model, metrics, folder / "packages", "--name", NAME)
    assert "installed and loaded offline" in printed
    return folder / "packages" / f"{NAME}-0.1.0-py3-none-any.whl"


def test_the_wheel_names_its_sources_and_no_local_path(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        meta = srsly.json_loads(archive.read(f"{NAME}/meta.json"))
        contents = {name: archive.read(name) for name in names}
    assert meta["name"] == "tiny_trf" and meta["version"] == "0.1.0"
    assert meta["labels"]["ner"] == ["LOC", "MISC", "ORG", "PER"]
    assert [source["name"] for source in meta["sources"]] == ["corpus", "my-encoder"]
    assert set(meta["performance"]) >= {"ents_p", "ents_r", "ents_f", "ents_per_type"}
    assert meta["license"] and meta["description"] and meta["requirements"]
    # The project's only code is the file that travels, beside spaCy's template.
    code = [name for name in names if name.endswith(".py")]
    assert code == [f"{NAME}/__init__.py", f"{NAME}/components.py"]
    here = [str(wheel.parent.parent), str(ROOT), str(Path.home())]
    for name, content in contents.items():
        assert not [path for path in here if path.encode() in content], name


def test_a_module_of_the_users_is_not_run_instead_of_build(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build.py").write_text("raise SystemExit('not mine')")
    nlp = spacy.blank("fr")
    nlp.meta["name"] = "empty"
    assert package.build(nlp, tmp_path / "built").name == "fr_empty-0.0.0-py3-none-any.whl"


def test_the_wheel_is_the_pipeline_that_was_scored(wheel, tmp_path):
    """Its weights are those of the folder, under another name and without the encoder's path."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    nlp = spacy.load(tmp_path / NAME / f"{NAME}-0.1.0")
    metrics = read_metrics(wheel.parent.parent / "metrics" / f"{NAME}.json", nlp)
    assert metrics["trained_on"] == metrics["corpus"] == "corpus"
    assert wheel_of(metrics["weights"], wheel.parent) == wheel
    assert "my-encoder, trained on corpus; entity F " in nlp.meta["description"]


def test_the_wheel_keeps_no_word_of_its_corpus(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    folder, data = wheel.parent.parent, tmp_path / NAME / f"{NAME}-0.1.0"
    blank = spacy.blank("fr")
    # LOC and ORG are among spaCy's symbols, which are in no file.
    own = {*blank.vocab.strings, "transformer", "ner", "MISC", "PER"}
    assert set(srsly.read_json(data / "vocab" / "strings.json")) == own
    # Nor elsewhere, except in the encoder's vocabulary.
    corpus = read_docs(folder / "corpus" / "train.spacy", spacy.blank("xx").vocab)
    words = {token.text for doc in corpus for token in doc} - own
    names = [word for word in words if word.istitle() and len(word) > 5]
    assert len(names) > 50
    blank.to_disk(tmp_path / "blank")
    language = (tmp_path / "blank" / "tokenizer").read_bytes()
    assert (data / "tokenizer").read_bytes() == language
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != "tokenizer" and path != data / "transformer" / "model":
            content = path.read_bytes()
            assert not [name for name in names if name.encode() in content], path
    # Predictions are the same, also on unseen words.
    before, after = spacy.load(folder / "trained" / "model-best"), spacy.load(data)
    assert names[0] in before.vocab.strings and names[0] not in after.vocab.strings
    assert after.vocab.strings[after.vocab.strings["PER"]] == "PER"
    texts = ["Marie Curie vit à Lens.", " ".join(names[:40]), "Xyzzy Plugh, d'Éβ 😀", "\n"]
    for one, other in zip(before.pipe(texts), after.pipe(texts)):
        assert [(e.text, e.label_) for e in one.ents] == [(e.text, e.label_) for e in other.ents]
        assert [(t.text, t.lower_, t.shape_) for t in one] == [
            (t.text, t.lower_, t.shape_) for t in other
        ]


def test_wheels_alone_in_a_fresh_environment(command, wheel, distilbert, sample_corpora, tmp_path):
    """With dependencies from the registry, at this environment's versions: a trained pipeline, and
    one with a ready-made head."""
    tag_checkpoint(distilbert, sample_corpora / "ner", tmp_path / "head", steps=1)
    assert command(wrap, tmp_path / "head", tmp_path / "head", "--lang", "fr").code == 0
    nlp = spacy.load(tmp_path / "head" / "model-best")
    nlp.meta.update(name="head", requirements=package.HF_HEAD_NEEDS)
    borrowed = package.build(nlp, tmp_path / "built")
    venv.create(tmp_path / "env", with_pip=True)
    python = package.python_of(tmp_path / "env")
    pins = [f"{name}=={version(name).split('+')[0]}" for name in ("torch", "spacy", "numpy")]
    install = [python, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, *pins, wheel, borrowed], check=True, cwd=tmp_path)
    program = (
        "import sys, spacy; nlp = spacy.load('fr_tiny_trf'); "
        "docs = list(nlp.pipe(['Marie Curie à Paris', '', '😀', 'mot ' * 900, 'a/b?c=1&d ' * 200])); "
        "html = spacy.displacy.render(docs[0], style='ent', page=True); "
        "print(len(docs), nlp.pipe_names, '<html' in html); "
        "print(all(n for doc in docs for n in doc._.trf_data.align.lengths)); "
        "print(spacy.load('fr_head').pipe_names, spacy.__file__.startswith(sys.prefix))"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    result = subprocess.run(
        [python, "-I", "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "5 ['transformer', 'ner'] True", "True", "['ner'] True"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name, metrics, message",
    [
        (NAME, "nowhere.json", "nowhere.json is missing: run `evaluate` first"),
        ("en_tiny_trf", "metrics/fr_tiny_trf.json", "must begin with the pipeline's language, fr_"),
    ],
)
def test_missing_metrics_and_a_wrong_language_are_refused(command, wheel, name, metrics, message):
    folder = wheel.parent.parent
    result = command(
        package,
        folder / "trained" / "model-best",
        folder / metrics,
        folder / "other",
        "--name",
        name,
    )
    assert result.code == 1 and message in result.line
    assert not (folder / "other").exists()


@pytest.mark.parametrize(
    "options, message",
    [
        (["--name", "fr_été"], "--name fr_été: not a valid package name"),
        (["--name", "fr__x_"], "--name fr__x_: not a valid package name"),
        (["--name", "fr_Demo"], "--name fr_Demo: not a valid package name"),
        (["--name", "fr-demo"], "--name fr-demo: not a valid package name"),
        (["--name", "demo"], "--name demo: not a valid package name"),
        (["--name", "fr_x", "--version", "1.0.0-beta"], "wheels write it as 1.0.0b0 (PEP 440)"),
        (["--name", "fr_x", "--version", "Infinity"], "--version Infinity: not a version"),
        (["--name", "en_x"], "--name en_x: must begin with the pipeline's language, fr_."),
    ],
)
def test_names_and_versions_are_checked_before_anything_is_loaded(
    command, tmp_path, options, message
):
    """The pipeline is only a meta.json, which cannot be loaded."""
    srsly.write_json(tmp_path / "meta.json", {"lang": "fr"})
    result = command(package, tmp_path, tmp_path / "m.json", tmp_path / "out", *options)
    assert result.code == 1 and message in result.line


def test_a_missing_pipeline_is_reported(command, wheel, tmp_path):
    metrics = wheel.parent.parent / "metrics/fr_tiny_trf.json"
    for module, arguments in ((evaluate, ["c", "m.json"]), (report, ["c", metrics, "p.html"])):
        result = command(module, tmp_path / "nowhere", *arguments)
        assert result.code == 1 and "no trained pipeline found" in result.line
