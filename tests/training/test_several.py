"""What two tasks need that are trained together: readers, losses, baselines."""

import os
import random
import shutil
from collections import Counter

import numpy
import pytest
import spacy
from spacy.language import Language
from spacy.training import Example

from scripts.training.baseline import Baseline, problems
from scripts.training.plan import Split
from scripts.training.prepare import pass_over_unlabelled
from scripts.training.readers import all_corpora, balance, balanced_corpora

from ..small import TOK2VEC


def test_smaller_corpora_are_repeated():
    balanced = balance([list("abcdefg"), list("xyz"), []], random.Random(0))
    assert balanced[:7] == list("abcdefg") and len(balanced) == 14
    counts = [balanced.count(item) for item in "xyz"]
    assert sorted(counts) == [2, 2, 3]


def test_readers_of_several_corpora(few_corpora):
    nlp = spacy.blank("fr")
    paths = [str(few_corpora / name / "train.spacy") for name in ("ner", "textcat")]
    for path, limit, sizes in (
        (paths, 0, (400, 320)),
        (paths, 50, (50, 50)),
        (paths[1], 0, (120, 120)),
    ):
        for reader, size in zip((balanced_corpora, all_corpora), sizes):
            examples = list(reader(path, limit=limit)(nlp))
            assert len(examples) == size
            labelled = sum(bool(example.reference.cats) for example in examples)
            if reader is balanced_corpora and path is paths:
                assert labelled == size / 2


def test_examples_are_read_once_for_a_pipeline(few_corpora, tmp_path):
    path = shutil.copy(few_corpora / "textcat" / "train.spacy", tmp_path)
    nlp, reader = spacy.blank("fr"), balanced_corpora(path)
    found = [example.text for example in reader(nlp)]
    os.unlink(path)
    assert [example.text for example in reader(nlp)] == found and len(found) == 120
    with pytest.raises(FileNotFoundError):
        reader(spacy.blank("fr"))


def small(*pipeline: str) -> tuple[Language, list[Example], list[Example]]:
    """Return a pipeline whose components share a tok2vec, a text with a label, one with an entity."""
    nlp = spacy.blank("fr")
    nlp.add_pipe("tok2vec", config={"model": TOK2VEC})
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 32, "upstream": "*"}
    models = {
        "ner": {
            "@architectures": "spacy.TransitionBasedParser.v2", "state_type": "ner",
            "extra_state_tokens": False, "hidden_width": 32, "maxout_pieces": 2, "use_upper": True,
            "tok2vec": listener,
        },
        "textcat": {
            "@architectures": "spacy.TextCatReduce.v1", "exclusive_classes": True,
            "use_reduce_first": False, "use_reduce_last": False, "use_reduce_max": False,
            "use_reduce_mean": True, "tok2vec": listener,
        },
    }  # fmt: skip
    for name in pipeline:
        nlp.add_pipe(name, config={"model": models[name]})
    text = Example.from_dict(nlp.make_doc("Un bon film"), {"cats": {"a": 1.0, "b": 0.0}})
    tagged = Example.from_dict(nlp.make_doc("Marie Curie"), {"entities": [(0, 11, "PER")]})
    nlp.initialize(lambda: [text, tagged])
    # From zero, the last layers would pass no gradient on.
    for node in (node for name in pipeline for node in nlp.get_pipe(name).model.walk()):
        if node.has_param("W") and not node.get_param("W").any():
            shape = node.get_param("W").shape
            node.set_param("W", numpy.random.default_rng(0).normal(size=shape).astype("f"))
    return nlp, [text], [tagged]


def learns(nlp: Language, name: str) -> bool:
    """Return whether a component has a gradient that is not 0."""
    nodes = list(nlp.get_pipe(name).model.walk())
    return any(
        node.has_grad(p) and node.get_grad(p).any() for node in nodes for p in node.param_names
    )


@pytest.mark.parametrize("passed_over", [True, False])
def test_a_classifier_passes_over_texts_without_labels(passed_over):
    """With spaCy's own loss it learns from them that no label is right, and is scored on them."""
    nlp, text, tagged = small("textcat")
    textcat = nlp.get_pipe("textcat")
    if passed_over:
        pass_over_unlabelled(textcat)
    losses = nlp.update(tagged, sgd=False)
    assert learns(nlp, "textcat") == bool(losses["textcat"]) == (not passed_over)
    examples = list(nlp.pipe(["Un bon film", "Marie Curie"]))
    examples = [Example(doc, one.reference) for doc, (one,) in zip(examples, (text, tagged))]
    scores = textcat.score(examples)
    alone = textcat.score(examples[:1])
    assert (scores["cats_micro_p"] == alone["cats_micro_p"]) == passed_over or (
        alone["cats_micro_p"] == 0
    )
    # With others in the same update: the loss is that of the text alone.
    if passed_over:
        loss = nlp.update(text, sgd=False)["textcat"]
        assert nlp.update(text + tagged, sgd=False)["textcat"] == pytest.approx(loss, rel=1e-3)


@pytest.mark.parametrize("pipeline", [("ner", "textcat"), ("textcat", "ner")])
def test_why_the_classifier_comes_last(pipeline):
    """The last component passes the gradients of all to the encoder, and `ner` does not for an update
    without entities."""
    for has_entities in (True, False):
        nlp, text, tagged = small(*pipeline)
        pass_over_unlabelled(nlp.get_pipe("textcat"))
        nlp.update(tagged if has_entities else text, sgd=False)
        assert learns(nlp, "tok2vec") == (has_entities or pipeline[-1] == "textcat")


def test_each_task_has_its_baseline():
    labels = Counter(good=60, bad=40)
    dev = Split([5] * 200, Counter(), labels, [True] * 100 + [False] * 100, 90)
    of_labels, of_entities = Baseline.of(dev, {"cats_micro_f": 0.5, "ents_f": 0.5, "ents_p": None})
    assert (of_labels.score, of_labels.examples) == (pytest.approx(0.6), 100)
    assert (of_entities.score, of_entities.weights) == (0, {"ents_f": 1.0})
    both = [of_labels, of_entities]
    assert not problems(both, {"cats_micro_f": 0.9, "ents_f": 0.2})
    (problem,) = problems(both, {"cats_micro_f": 0.9, "ents_f": None})
    assert problem.startswith("ents_f is still 0")
    (problem,) = problems(both, {"cats_micro_f": 0.62, "ents_f": 0.9})
    assert problem.startswith("cats_micro_f, 0.620, is little better than 0.600")
    # Of one task, in the words of before.
    (alone,) = Baseline.of(dev, {"ents_f": 1.0, "ents_p": 0.0})
    assert alone.problem({}).startswith("the score is still 0")
