"""The hash of a pipeline's weights: independent of its place, different if any number differs."""

import shutil

import numpy
import pytest
import spacy
import torch
from spacy.language import Language

from scripts import wrap
from scripts.common.weights import count_parameters, weights_hash

from ..heads import text_checkpoint


@pytest.fixture(scope="module")
def folder(distilbert, tmp_path_factory):
    """Untrained pipelines: `ner` on a transformer, `textcat` without, and a ready-made `head`."""
    folder = tmp_path_factory.mktemp("pipelines")
    for name in ("ner", "textcat"):
        nlp = spacy.blank("fr")
        if name == "ner":
            nlp.add_pipe("transformer", config={"model": {"name": str(distilbert)}})
            nlp.vocab.set_vector("Lens", numpy.ones(4, "f"))
        pipe = nlp.add_pipe(name)
        for label in ("b", "a"):
            pipe.add_label(label)
        nlp.initialize()
        nlp.to_disk(folder / name)
    text_checkpoint(distilbert, ["NEG", "POS"], folder / "checkpoint")
    wrap.wrap(str(folder / "checkpoint"), folder / "out", "fr", "", "")
    shutil.move(folder / "out" / "model-best", folder / "head")
    return folder


@pytest.mark.parametrize("name", ["ner", "textcat", "head"])
def test_the_hash_does_not_depend_on_place_or_name(folder, tmp_path, name):
    nlp = spacy.load(folder / name)
    before = weights_hash(nlp)
    assert len(before) == 64 and before == weights_hash(spacy.load(folder / name))
    nlp("Le premier mot d'un texte.")
    nlp.meta.update(name="other", version="9.9", description="other")
    if name == "ner":
        nlp.config["components"]["transformer"]["model"]["name"] = "other"
        nlp.get_pipe("transformer").model.transformer.config._name_or_path = "other"
    nlp.to_disk(tmp_path / "elsewhere")
    assert weights_hash(spacy.load(tmp_path / "elsewhere")) == before


def a_thinc_parameter(nlp: Language) -> None:
    node = next(n for n in nlp.get_pipe(nlp.pipe_names[-1]).model.walk() if n.has_param("W"))
    node.get_param("W")[0, 0] += 1e-6


def a_torch_weight(nlp: Language) -> None:
    pipe = nlp.get_pipe(nlp.pipe_names[0])
    model = getattr(pipe.model, "transformer", pipe.model)
    with torch.no_grad():
        next(model.parameters())[0, 0] += 1e-6


def a_number_format(nlp: Language) -> None:
    nlp.get_pipe("textcat").model.bfloat16()


def a_vector(nlp: Language) -> None:
    nlp.vocab.vectors.data[0, 0] = 2


def a_label(nlp: Language) -> None:
    nlp.get_pipe("textcat").cfg["labels"] = ("a", "b")


def a_name_of_a_label(nlp: Language) -> None:
    nlp.get_pipe("textcat").model.config.id2label = {0: "NEG", 1: "GOOD"}


@pytest.mark.parametrize(
    "name, change",
    [
        ("ner", a_thinc_parameter), ("textcat", a_thinc_parameter), ("ner", a_torch_weight),
        ("head", a_torch_weight), ("head", a_number_format), ("ner", a_vector),
        ("textcat", a_label), ("head", a_name_of_a_label),
    ],
)  # fmt: skip
def test_the_hash_changes_with_any_weight_or_label(folder, name, change):
    nlp = spacy.load(folder / name)
    before = weights_hash(nlp)
    change(nlp)
    assert weights_hash(nlp) != before


def test_all_parameters_are_counted(folder):
    nlp = spacy.load(folder / "ner")
    encoder = nlp.get_pipe("transformer").model.transformer.num_parameters()
    both = count_parameters(nlp)
    nlp.remove_pipe("ner")
    assert both > count_parameters(nlp) == encoder
    assert count_parameters(spacy.load(folder / "textcat")) > 0
    head = spacy.load(folder / "head")
    assert count_parameters(head) == head.get_pipe("textcat").model.num_parameters()
