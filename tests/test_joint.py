"""Two tasks on one transformer, trained together from two corpora."""

import io
import random
import zipfile
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import numpy
import pytest
import spacy
import srsly
from spacy.cli.assemble import assemble_cli
from spacy.cli.init_config import init_config
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training import Example
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from thinc.api import Config

from scripts import evaluate, package, report
from scripts.config import training_config
from scripts.corpora.docbins import read_docs
from scripts.train import train
from scripts.training.baseline import Baseline, problems
from scripts.training.plan import Split
from scripts.training.prepare import pass_over_unlabelled
from scripts.training.readers import all_corpora, balance, balanced_corpora

from .small import TOK2VEC

SHORT = {
    "settings.max_steps": 60, "settings.eval_frequency": 30, "settings.batch_words": 500,
    "settings.batch_examples": 32, "settings.learn_rate": 2e-3, "settings.accumulate": 1,
    "settings.precision": "float32",
}  # fmt: skip
TEXTS = ["Marie Curie travaille à Paris .", "Un film magnifique !", "Lens bat Nice .", "", "😀"]


def found(nlp: Language) -> list[tuple]:
    """Return what a pipeline finds in a few texts: entities, and labels but for rounding."""
    return [
        ([(e.text, e.label_) for e in doc.ents], {k: round(v, 4) for k, v in doc.cats.items()})
        for doc in nlp.pipe(TEXTS)
    ]


def sample(source: Path, folder: Path, **sizes: int) -> Path:
    """Write the first examples of a corpus, so many of each split, into a folder."""
    folder.mkdir()
    for split, size in sizes.items():
        docs = list(read_docs(source / f"{split}.spacy", spacy.blank("fr").vocab))[:size]
        DocBin(docs=docs).to_disk(folder / f"{split}.spacy")
    return folder


@pytest.fixture(scope="module")
def corpora(sample_corpora, tmp_path_factory) -> Path:
    """Few examples of each task, and `both` with those of each and none that has both."""
    folder = tmp_path_factory.mktemp("few")
    ner = sample(sample_corpora / "ner", folder / "ner", train=200, dev=40, test=30)
    textcat = sample(sample_corpora / "textcat", folder / "textcat", train=120, dev=60, test=30)
    (folder / "both").mkdir()
    for split in ("train", "dev"):
        parts = [DocBin().from_disk(corpus / f"{split}.spacy") for corpus in (ner, textcat)]
        vocab = spacy.blank("fr").vocab
        DocBin(docs=[doc for part in parts for doc in part.get_docs(vocab)]).to_disk(
            folder / "both" / f"{split}.spacy"
        )
    return folder


class Trained(NamedTuple):
    folder: Path
    printed: str

    @property
    def best(self) -> Path:
        return self.folder / "model-best"


@pytest.fixture(scope="module")
def joint(distilbert, corpora, tmp_path_factory) -> Trained:
    """A pipeline with both tasks."""
    folder = tmp_path_factory.mktemp("joint") / "trained"
    overrides = {"settings.encoder": str(distilbert), **SHORT}
    with redirect_stdout(io.StringIO()) as printed, redirect_stderr(printed):
        train("ner+textcat", folder, [corpora / "ner", corpora / "textcat"], "fr", -1, overrides)
    return Trained(folder, printed.getvalue())


def test_both_tasks_are_learnt(joint):
    events = EventAccumulator(str(joint.folder / "logs"))
    events.Reload()
    for task in ("ner", "textcat"):
        losses = [event.value for event in events.Scalars(f"loss/{task}")]
        # Sums over 30 updates each, but for the first.
        assert losses[2] < losses[1], task
    assert "train: 400 examples" in joint.printed
    assert "an epoch reads 200 of ner, 1.0 times; 120 of textcat, 1.7 times" in joint.printed
    # Calibrated with the 60 labelled texts of dev, or left because it learnt too little.
    assert "textcat: " in joint.printed and "are needed" not in joint.printed


def test_the_saved_pipeline_has_both_and_nothing_of_training(joint):
    nlp = spacy.load(joint.best)
    assert nlp.pipe_names == ["transformer", "ner", "textcat"]
    doc = nlp(TEXTS[0])
    assert doc.has_annotation("ENT_IOB") and set(doc.cats) == {"negative", "positive"}
    components = Config().from_disk(joint.best / "config.cfg")["components"]
    assert components["textcat"]["scorer"] == {"@scorers": "spacy.textcat_scorer.v2"}
    assert "project." not in str(components)


def test_each_task_is_scored_on_its_own_examples(joint, corpora):
    """In the evaluations of a training, as in `evaluate`."""
    nlp = spacy.load(joint.best)
    during = srsly.read_json(joint.best / "meta.json")["performance"]
    for corpus, name in (("ner", "ents_f"), ("textcat", "cats_micro_f")):
        docs = read_docs(corpora / corpus / "dev.spacy", nlp.vocab)
        scores = nlp.evaluate([Example(nlp.make_doc(doc.text), doc) for doc in docs])
        assert during[name] == pytest.approx(scores[name])


def test_a_component_can_have_the_encoder_to_itself(joint, tmp_path):
    nlp = spacy.load(joint.best)
    before = found(nlp)
    nlp.replace_listeners("transformer", "ner", ["model.tok2vec"])
    nlp.to_disk(tmp_path / "own")
    assert found(spacy.load(tmp_path / "own")) == before


def test_a_component_in_another_pipeline(joint, tmp_path):
    """The recipe in the README, in Python and as a config for `spacy assemble`."""
    trained = spacy.load(joint.best)
    cats = [cats for _, cats in found(trained)]
    trained.replace_listeners("transformer", "textcat", ["model.tok2vec"])
    other = spacy.blank("fr")
    other.add_pipe("textcat", source=trained)
    other.to_disk(tmp_path / "other")
    assert [cats for _, cats in found(spacy.load(tmp_path / "other"))] == cats

    (tmp_path / "assemble.cfg").write_text(
        '[nlp]\nlang = "fr"\npipeline = ["transformer", "ner", "textcat"]\n[components]\n'
        f'[components.transformer]\nsource = "{joint.best.as_posix()}"\n'
        f'[components.ner]\nsource = "{joint.best.as_posix()}"\n'
        f'[components.textcat]\nsource = "{joint.best.as_posix()}"\n'
        'replace_listeners = ["model.tok2vec"]\n',
        encoding="utf8",
    )
    assemble_cli(
        type("Context", (), {"args": []})(), tmp_path / "assemble.cfg", tmp_path / "assembled",
        code_path=None, verbose=False,
    )  # fmt: skip
    assert found(spacy.load(tmp_path / "assembled")) == found(spacy.load(joint.best))


def test_metrics_pages_and_a_wheel_with_the_scores_of_both(command, joint, corpora, tmp_path):
    metrics = {name: tmp_path / f"fr_joint_trf-{name}.json" for name in ("textcat", "ner")}
    for name, path in metrics.items():
        result = command(evaluate, joint.folder, corpora / name, path)
        assert result.code == 0, result.err
        assert srsly.read_json(path)["task"] == name
        docs = list(read_docs(path.with_suffix(".spacy"), spacy.blank("fr").vocab))
        assert all(doc.cats and doc.has_annotation("ENT_IOB") for doc in docs if len(doc))
        page = tmp_path / f"{name}.html"
        assert command(report, joint.folder, corpora / name, path, page).code == 0
        assert ("positive" in page.read_text("utf8")) == (name == "textcat")
    result = command(
        package, joint.folder, metrics["textcat"], tmp_path, "--also", metrics["ner"],
        "--name", "fr_joint_trf",
    )  # fmt: skip
    assert result.code == 0, result.out + result.err
    with zipfile.ZipFile(tmp_path / "fr_joint_trf-0.1.0-py3-none-any.whl") as wheel:
        meta = srsly.json_loads(wheel.read("fr_joint_trf/meta.json"))
    assert [source["name"] for source in meta["sources"]][:2] == ["ner", "textcat"]
    assert "trained on ner + textcat; accuracy " in meta["description"]
    assert "; entity F " in meta["description"]
    assert set(meta["performance"]) >= {"accuracy", "cats_micro_f", "ents_f", "ents_per_type"}
    assert meta["notes"].startswith("Scored on textcat, test") and "; ner, test" in meta["notes"]


def test_metrics_of_another_pipeline_are_refused(command, joint, corpora, tmp_path):
    one, other = tmp_path / "fr_one.json", tmp_path / "other.json"
    assert command(evaluate, joint.folder, corpora / "ner", one).code == 0
    srsly.write_json(other, {**srsly.read_json(one), "weights": "others"})
    result = command(package, joint.folder, one, tmp_path / "out", "--also", other)
    assert (
        result.code == 1 and "other.json: metrics of a pipeline with other weights" in result.line
    )


def test_one_corpus_may_hold_both(command, distilbert, corpora, tmp_path):
    few = {**SHORT, "settings.max_steps": 2, "settings.eval_frequency": 2, "settings.dev_limit": 50}
    options = [word for name, value in few.items() for word in (f"--{name}", value)]
    result = command(
        "train", "textcat+ner", tmp_path / "out", "--corpus", corpora / "both", "--lang", "fr",
        "--settings.encoder", distilbert, *options,
    )  # fmt: skip
    assert result.code == 0, result.err
    # The order in which the gradients of both reach the encoder.
    nlp = spacy.load(tmp_path / "out" / "model-best")
    assert nlp.pipe_names == ["transformer", "ner", "textcat"]
    assert nlp.config["corpora"]["train"]["@readers"] == "spacy.Corpus.v1"


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
    command, corpora, tmp_path, config, others, change, message
):
    mine = sample(corpora / "textcat", tmp_path / "mine", train=20, dev=20)
    if change:
        change(mine)
    given = [word for name in others for word in ("--corpus", corpora / name)]
    result = command(
        "train", config, tmp_path / "out", "--corpus", mine, *given, "--lang", "fr"
    )  # fmt: skip
    assert result.code == 1 and message in result.line
    assert not (tmp_path / "out").exists()


def test_a_corpus_without_labels_only(command, corpora, tmp_path):
    result = command(
        "train", "ner+textcat", tmp_path / "out", "--corpus", corpora / "ner", "--lang", "fr"
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
    command, corpora, tmp_path, pipeline, callback, message
):
    config = init_config(lang="fr", pipeline=pipeline)
    if callback:
        config["initialize"]["after_init"] = {
            "@callbacks": callback, "precision": "auto", "frozen_layers": 0,
        }  # fmt: skip
    config.to_disk(tmp_path / "mine.cfg")
    result = command(
        "train", tmp_path / "mine.cfg", tmp_path / "out", "--lang", "fr",
        "--corpus", corpora / "ner", "--corpus", corpora / "textcat",
    )  # fmt: skip
    assert result.code == 1 and message in result.line


def test_a_reader_of_its_own_reads_one_corpus(command, corpora, tmp_path):
    config = init_config(lang="fr", pipeline=["ner"])
    config["corpora"]["train"] = {"@readers": "spacy.JsonlCorpus.v1", "path": "${paths.train}"}
    config.to_disk(tmp_path / "mine.cfg")
    result = command(
        "train", tmp_path / "mine.cfg", tmp_path / "out", "--lang", "fr",
        "--corpus", corpora / "ner", "--corpus", corpora / "both",
    )  # fmt: skip
    assert result.code == 1 and "[corpora.train] reads one corpus" in result.line


def test_the_config_of_both_is_made_of_those_of_each():
    """Components of each, with score weights halved; a user's own file can take part."""
    _, config, given = training_config("textcat+ner", {})
    assert config["nlp"]["pipeline"] == ["transformer", "ner", "textcat"] and not given
    for task, score in (("ner", "ents_f"), ("textcat", "cats_micro_f")):
        _, own, _ = training_config(task, {})
        assert config["components"][task] == own["components"][task]
        assert own["training"]["score_weights"][score] == 1
        assert config["training"]["score_weights"][score] == 0.5
    assert config["corpora"] == own["corpora"] and config["settings"] == own["settings"]


def test_config_prints_it(command):
    result = command("config", "ner+textcat", "--settings.max_steps", 50)
    assert result.code == 0
    config = Config().from_str(result.out, interpolate=False)
    assert config["settings"]["warmup_steps"] == 5 and "textcat" in config["components"]


def test_smaller_corpora_are_repeated():
    balanced = balance([list("abcdefg"), list("xyz"), []], random.Random(0))
    assert balanced[:7] == list("abcdefg") and len(balanced) == 14
    counts = [balanced.count(item) for item in "xyz"]
    assert sorted(counts) == [2, 2, 3]


def test_readers_of_several_corpora(corpora):
    nlp = spacy.blank("fr")
    paths = [str(corpora / name / "train.spacy") for name in ("ner", "textcat")]
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
        loss = nlp.update(text)["textcat"]
        assert nlp.update(text + tagged)["textcat"] == pytest.approx(loss, rel=1e-3)


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
