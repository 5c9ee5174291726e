"""Two tasks on one transformer, trained together from two corpora."""

import io
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest
import spacy
import srsly
from spacy.cli.assemble import assemble_cli
from spacy.language import Language
from spacy.training import Example
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from thinc.api import Config

from scripts import evaluate, package, report
from scripts.corpora.docbins import read_docs
from scripts.train import train

SHORT = {
    "settings.max_steps": 92, "settings.eval_frequency": 46, "settings.batch_words": 500,
    "settings.batch_examples": 16, "settings.learn_rate": 2e-3, "settings.accumulate": 1,
    "settings.precision": "float32",
}  # fmt: skip
TEXTS = ["Marie Curie travaille à Paris .", "Un film magnifique !", "Lens bat Nice .", "", "😀"]


def found(nlp: Language) -> list[tuple]:
    """Return what a pipeline finds in a few texts: entities, and labels but for rounding."""
    return [
        ([(e.text, e.label_) for e in doc.ents], {k: round(v, 4) for k, v in doc.cats.items()})
        for doc in nlp.pipe(TEXTS)
    ]


class Trained(NamedTuple):
    folder: Path
    printed: str

    @property
    def best(self) -> Path:
        return self.folder / "model-best"


@pytest.fixture(scope="module")
def joint(distilbert, few_corpora, tmp_path_factory) -> Trained:
    """A pipeline with both tasks."""
    folder = tmp_path_factory.mktemp("joint") / "trained"
    corpora = [few_corpora / "ner", few_corpora / "textcat"]
    overrides = {"settings.encoder": str(distilbert), **SHORT}
    with redirect_stdout(io.StringIO()) as printed, redirect_stderr(printed):
        train("ner+textcat", folder, corpora, "fr", -1, overrides)
    return Trained(folder, printed.getvalue())


def test_both_tasks_are_learnt(joint):
    events = EventAccumulator(str(joint.folder / "logs"))
    events.Reload()
    for task in ("ner", "textcat"):
        losses = [event.value for event in events.Scalars(f"loss/{task}")]
        # Sums over two epochs each, but for the first, so of as many updates for each task.
        assert losses[2] < losses[1], task
    assert "92 updates, 4.0 epochs" in joint.printed
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


def test_each_task_is_scored_on_its_own_examples(joint, few_corpora):
    """In the evaluations of a training, as in `evaluate`."""
    nlp = spacy.load(joint.best)
    during = srsly.read_json(joint.best / "meta.json")["performance"]
    for corpus, name in (("ner", "ents_f"), ("textcat", "cats_micro_f")):
        docs = read_docs(few_corpora / corpus / "dev.spacy", nlp.vocab)
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


def test_metrics_pages_and_a_wheel_with_the_scores_of_both(command, joint, few_corpora, tmp_path):
    metrics = {name: tmp_path / f"fr_joint_trf-{name}.json" for name in ("textcat", "ner")}
    for name, path in metrics.items():
        result = command(evaluate, joint.folder, few_corpora / name, path)
        assert result.code == 0, result.err
        assert srsly.read_json(path)["task"] == name
        docs = list(read_docs(path.with_suffix(".spacy"), spacy.blank("fr").vocab))
        assert all(doc.cats and doc.has_annotation("ENT_IOB") for doc in docs if len(doc))
        page = tmp_path / f"{name}.html"
        assert command(report, joint.folder, few_corpora / name, path, page).code == 0
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


def test_metrics_of_another_pipeline_are_refused(command, joint, few_corpora, tmp_path):
    one, other = tmp_path / "fr_one.json", tmp_path / "other.json"
    assert command(evaluate, joint.folder, few_corpora / "ner", one).code == 0
    srsly.write_json(other, {**srsly.read_json(one), "weights": "others"})
    result = command(package, joint.folder, one, tmp_path / "out", "--also", other)
    assert (
        result.code == 1 and "other.json: metrics of a pipeline with other weights" in result.line
    )


def test_predictions_in_another_precision_are_not_used(command, joint, few_corpora, tmp_path):
    metrics = tmp_path / "m.json"
    for precision, said in (("float32", ""), ("bfloat16", "in float32; predicting again"),
                            ("bfloat16", "using these"), ("auto", "using these")):  # fmt: skip
        result = command(
            evaluate, joint.folder, few_corpora / "ner", metrics, "--precision", precision
        )
        assert result.code == 0 and said in " ".join(result.out.split())
    assert srsly.read_json(metrics)["speed"]["precision"] == "bfloat16"
    result = command(evaluate, joint.folder, few_corpora / "ner", metrics, "--precision", "int8")
    assert result.code == 1 and "--precision 'int8': expected one of auto, " in result.line


def test_one_corpus_may_hold_both(command, distilbert, few_corpora, tmp_path):
    few = {**SHORT, "settings.max_steps": 2, "settings.eval_frequency": 2, "settings.dev_limit": 50}
    options = [word for name, value in few.items() for word in (f"--{name}", value)]
    result = command(
        "train", "textcat+ner", tmp_path / "out", "--corpus", few_corpora / "both", "--lang", "fr",
        "--settings.encoder", distilbert, *options,
    )  # fmt: skip
    assert result.code == 0, result.err
    # The order in which the gradients of both reach the encoder.
    nlp = spacy.load(tmp_path / "out" / "model-best")
    assert nlp.pipe_names == ["transformer", "ner", "textcat"]
    assert nlp.config["paths"]["train"].endswith("train.spacy")
