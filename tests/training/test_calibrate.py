"""Calibrated pipelines: their probabilities, what does not change, and what is on record."""

import shutil
import zipfile

import numpy
import pytest
import spacy
import srsly
from spacy.training import Example
from spacy.util import fix_random_seed, minibatch

from scripts import package
from scripts.corpora.docbins import read_docs
from scripts.serving.strip import strip_local_paths
from scripts.training import calibrate as module
from scripts.training.calibrate import calibrate, calibrate_saved

from ..small import BOW, TOK2VEC

REDUCE = {
    "@architectures": "spacy.TextCatReduce.v1", "exclusive_classes": True, "tok2vec": TOK2VEC,
    "use_reduce_first": False, "use_reduce_last": False, "use_reduce_max": False,
    "use_reduce_mean": True,
}  # fmt: skip
ENSEMBLE = {
    "@architectures": "spacy.TextCatEnsemble.v2", "tok2vec": TOK2VEC,
    "linear_model": {**BOW, "no_output_layer": False},
}  # fmt: skip
OTHERS = {
    "spacy.TextCatCNN.v2": {"exclusive_classes": True, "tok2vec": TOK2VEC},
    "spacy.TextCatParametricAttention.v1": {"exclusive_classes": True, "tok2vec": TOK2VEC},
}
ARCHITECTURES = [BOW, REDUCE, ENSEMBLE, *({"@architectures": k, **v} for k, v in OTHERS.items())]


@pytest.fixture(scope="module")
def docs(sample_corpora):
    """Reviews by split."""
    vocab = spacy.blank("fr").vocab
    paths = {split: sample_corpora / "textcat" / f"{split}.spacy" for split in ("train", "dev")}
    return {split: list(read_docs(path, vocab)) for split, path in paths.items()}


def classifier(docs, model, factory="textcat", epochs=3, learn_rate=0.002):
    """Train a pipeline on 304 reviews."""
    fix_random_seed(0)
    nlp = spacy.blank("fr")
    nlp.add_pipe(factory, config={"model": model})
    data = [Example(nlp.make_doc(doc.text), doc) for doc in docs["train"][::6]]
    optimizer = nlp.initialize(lambda: data)
    optimizer.learn_rate = learn_rate
    for _ in range(epochs):
        for batch in minibatch(data, 16):
            nlp.update(batch, sgd=optimizer)
    return nlp


def with_several(model):
    """Return the model of a classifier whose labels do not exclude each other."""
    if "linear_model" in model:
        return {**model, "linear_model": {**model["linear_model"], "exclusive_classes": False}}
    return {**model, "exclusive_classes": False}


def probabilities(nlp, docs):
    found = nlp.pipe([doc.text for doc in docs["dev"]])
    return numpy.array([[doc.cats[label] for label in sorted(doc.cats)] for doc in found])


@pytest.mark.parametrize("model", ARCHITECTURES, ids=lambda model: model["@architectures"])
def test_probabilities_are_a_softmax_at_the_temperature(docs, model):
    nlp = classifier(docs, model)
    before = probabilities(nlp, docs)
    result = calibrate(nlp, docs["dev"])["textcat"]
    after = probabilities(nlp, docs)
    assert result.left == "" and result.examples == 106 and abs(result.temperature - 1) > 0.02
    wanted = before ** (1 / result.temperature)
    assert after == pytest.approx(wanted / wanted.sum(axis=1, keepdims=True), abs=1e-4)
    assert (after.argmax(axis=1) == before.argmax(axis=1)).all()
    assert nlp.meta["calibration"] == {
        "textcat": {"temperature": result.temperature, "examples": 106}
    }


@pytest.mark.parametrize("model", ARCHITECTURES, ids=lambda model: model["@architectures"])
def test_probabilities_are_sigmoids_at_the_temperature(docs, model):
    nlp = classifier(docs, with_several(model), "textcat_multilabel")
    before = probabilities(nlp, docs)
    result = calibrate(nlp, docs["dev"])["textcat_multilabel"]
    after = probabilities(nlp, docs)
    assert result.left == "" and abs(result.temperature - 1) > 0.02
    odds = (before / (1 - before)) ** (1 / result.temperature)
    assert after == pytest.approx(odds / (1 + odds), abs=1e-4)
    assert ((after >= 0.5) == (before >= 0.5)).all()


def test_an_overconfident_pipeline_is_better_calibrated(docs):
    nlp = classifier(docs, REDUCE, learn_rate=0.005)
    result = calibrate(nlp, docs["dev"])["textcat"]
    assert result.temperature > 5 and result.after < result.before / 3
    # Nothing is left to do; both divisions are on record as one.
    again = calibrate(nlp, docs["dev"])["textcat"]
    assert again.temperature == pytest.approx(1, abs=1e-3)
    assert nlp.meta["calibration"]["textcat"]["temperature"] == pytest.approx(
        result.temperature, rel=1e-3
    )


@pytest.mark.parametrize("case", ["few", "unannotated", "certain", "flat", "other layer"])
def test_a_pipeline_may_be_left_as_it_is(docs, case, monkeypatch):
    nlp = classifier(docs, ENSEMBLE)
    if case == "flat":
        layer = module.last_layer(nlp.get_pipe("textcat").model)
        for param in ("W", "b"):
            layer.set_param(param, layer.get_param(param) / 1000)
    before, dev = probabilities(nlp, docs), docs["dev"]
    reason = "0 annotated examples; 50 are needed"
    if case == "few":
        dev, reason = dev[:49], "49 annotated examples; 50 are needed"
    elif case == "unannotated":
        dev = [spacy.blank("fr").make_doc(doc.text) for doc in dev]
    elif case == "certain":
        dev = docs["train"][:60]
        reason = "0 of its 60 answers on dev are wrong: too few errors to find a temperature"
        for doc, found in zip(dev, nlp.pipe([doc.text for doc in dev])):
            best = max(found.cats, key=found.cats.get)
            monkeypatch.setattr(doc, "cats", {label: float(label == best) for label in found.cats})
    elif case == "flat":
        wrong = sum(doc.cats["positive"] != row.argmax() for doc, row in zip(dev, before))
        reason = (
            f"{wrong} of its 106 answers on dev are wrong: for that, its probabilities are "
            "too low even at temperature 0.1"
        )
    else:
        # As spaCy names it: the bag of words inside the ensemble.
        monkeypatch.setattr(module, "last_layer", lambda model: model.get_ref("output_layer"))
        reason = "dividing its last layer's weights does not divide its logits"
    assert calibrate(nlp, dev)["textcat"].left == reason
    assert (probabilities(nlp, docs) == before).all() and "calibration" not in nlp.meta


def test_a_large_dev_is_read_evenly():
    assert module.evenly_spaced(list(range(9)), 5) == [0, 2, 4, 6, 8]
    assert module.evenly_spaced([1, 2], 5) == [1, 2]
    assert len(set(module.evenly_spaced(list(range(20_000)), 2000))) == 2000


def test_the_saved_pipeline_and_its_wheel_are_calibrated(docs, sample_corpora, tmp_path, capsys):
    nlp = classifier(docs, BOW)
    folder, original = tmp_path / "model-best", tmp_path / "original"
    nlp.to_disk(folder)
    shutil.copytree(folder, original)
    calibrate_saved(folder, [sample_corpora / "textcat" / "dev.spacy"], -1)
    printed = " ".join(capsys.readouterr().out.split())
    loaded = spacy.load(folder)
    temperature = loaded.meta["calibration"]["textcat"]["temperature"]
    assert f"calibrated on 106 examples of dev, temperature {temperature:.2f}; calib" in printed
    calibrate(nlp, docs["dev"])
    assert (probabilities(loaded, docs) == probabilities(nlp, docs)).all()
    # The rest of the folder is as it was, and nothing is left beside it.
    changed = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
        and path.read_bytes() != (original / path.relative_to(folder)).read_bytes()
    }
    assert changed == {"meta.json", "textcat/model"}
    assert {path.name for path in tmp_path.iterdir()} == {"model-best", "original"}
    strip_local_paths(loaded)
    with zipfile.ZipFile(package.build(loaded, tmp_path / "wheel")) as wheel:
        (meta,) = [name for name in wheel.namelist() if name.count("/") == 1 and "meta.j" in name]
        recorded = srsly.json_loads(wheel.read(meta))["calibration"]
    assert recorded == {"textcat": {"temperature": temperature, "examples": 106}}


def test_a_pipeline_without_a_classifier_is_not_loaded(tmp_path, capsys):
    (tmp_path / "config.cfg").write_text('[components]\n[components.ner]\nfactory = "ner"\n')
    calibrate_saved(tmp_path, [tmp_path / "dev.spacy"], -1)
    assert capsys.readouterr().out == ""
