"""Students: small pipelines that need spaCy alone, trained on gold and silver text."""

import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import spacy
import srsly
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import load_config

from scripts.serving.intervals import f_score, interval, tallies
from scripts.serving.strip import looked_up
from scripts.training.names import Names
from scripts.training.student import SILVER, GoldAndSilver, learn_probabilities
from scripts.training.unfinished import Progress

from .corpora.reading import docs as docs_in
from .scale.reading import check_annotation
from .small import small_pipeline
from .test_silver import lines

# Seconds of training.
SMALL = (
    "--settings.width", 32, "--settings.depth", 1, "--settings.text_depth", 1, "--settings.rows", "[500,200,200,200]",
    "--settings.max_steps", 20, "--settings.eval_frequency", 10,
    "--settings.batch_words", 200,
)  # fmt: skip
# Loads a pipeline where neither this project nor torch can be imported, and uses two processes.
ALONE = """
import sys
for name in ("scripts", "torch", "transformers", "spacy_transformers"):
    sys.modules[name] = None
# Those of other installed packages.
import importlib.metadata
importlib.metadata.entry_points = lambda **group: importlib.metadata.EntryPoints(())
import spacy
nlp = spacy.load(sys.argv[1])
one, two = ([(doc.cats, [e.label_ for e in doc.ents]) for doc in nlp.pipe([*["Bonjour Paris."] * 8, ""], n_process=n)]
            for n in (1, 2))
assert one == two, (one, two)
print(nlp.pipe_names, len(one))
"""  # fmt: skip


@pytest.fixture(scope="module")
def teachers(sample_corpora, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("teachers")
    for task in ("ner", "textcat"):
        small_pipeline(sample_corpora, task, epochs=2).to_disk(folder / task)
    small_pipeline(sample_corpora, "ner", "textcat", epochs=1, examples=40).to_disk(folder / "both")
    return folder


@pytest.fixture
def text(tmp_path) -> Path:
    path = tmp_path / "raw.txt"
    path.write_text("\n".join(lines(60)), "utf8")
    return path


def check_alone(folder: Path, task: str) -> None:
    """Check that a pipeline needs spaCy alone."""
    config = load_config(folder / "config.cfg", interpolate=False)
    assert "project." not in config.to_str() and list(config["components"]) == [task]
    assert config["components"][task]["factory"] == task
    command = [sys.executable, "-c", ALONE, folder]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"['{task}'] 9"


@pytest.mark.parametrize("task", ["ner", "textcat"])
def test_a_student(command, teachers, few_corpora, text, tmp_path, task):
    output = tmp_path / "out"
    arguments = (teachers / task, text, output, "--corpus", few_corpora / task, *SMALL)
    result = command("distill", *arguments)
    assert result.code == 0, result.err
    check_alone(output / "model-best", task)
    folder = output / f"{task}-silver"
    assert sorted(path.name for path in output.iterdir() if path.name[0] != ".") == [
        "distillation.json", "model-best", folder.name,
    ]  # fmt: skip
    assert [path.name for path in sorted((folder / "train.spacy").iterdir())] == [
        "gold-00000.spacy",
        "silver-00000.spacy",
    ]
    found = srsly.read_json(output / "distillation.json")
    assert found["silver texts"] == 60 and found["task"] == task
    assert list(found["pipelines"]) == ["teacher", "student", "without silver text"]
    for name, cost in found["pipelines"].items():
        low, high = cost["interval"]
        assert low <= cost["score"] <= high and cost["words_per_second"] > 0
        assert name in result.out and f"{cost['score']:.3f}" in result.out
    assert found["pipelines"]["student"]["megabytes"] < 15

    nlp = spacy.load(output / "model-best")
    assert not looked_up(nlp) and nlp.meta["sources"][1]["name"] == "raw text raw.txt"
    # Like any other pipeline.
    result = command("evaluate", output, few_corpora / task, tmp_path / "m.json")
    assert result.code == 0, result.err
    metrics = srsly.read_json(tmp_path / "m.json")
    assert metrics["encoder"] is None and metrics["trained_on"] == folder.name
    check_annotation(command, output / "model-best", lines(60), tmp_path)

    # Another one begins with its training.
    result = command("distill", *arguments, "--no-gold-alone", "--settings.width", 16)
    assert result.code == 0, result.err
    assert "the silver text is there already" in result.out
    assert list(srsly.read_json(output / "distillation.json")["pipelines"]) == [
        "teacher", "student",
    ]  # fmt: skip
    assert load_config(output / "model-best" / "config.cfg")["settings"]["width"] == 16


def test_a_teacher_of_both_tasks_has_a_student_of_the_one_that_the_corpus_is_for(
    command, teachers, few_corpora, text, tmp_path
):
    output = tmp_path / "out"
    arguments = (teachers / "both", text, output, "--corpus", few_corpora / "textcat", *SMALL)
    result = command("distill", *arguments, "--no-gold-alone")
    assert result.code == 0, result.err
    check_alone(output / "model-best", "textcat")
    result = command("silver", *arguments[:2], tmp_path / "two", "--corpus", few_corpora / "both")
    assert result.code == 1 and "choose one of ner, textcat with --task" in result.line


def example_of(nlp, text: str, cats: dict, **user_data) -> Example:
    doc = nlp.make_doc(text)
    doc.cats, doc.user_data = cats, user_data
    return Example(nlp.make_doc(text), doc)


def test_probabilities_are_learnt_from_silver_texts_and_labels_from_gold_ones():
    nlp = spacy.blank("fr")
    textcat = nlp.add_pipe("textcat")
    gold = example_of(nlp, "bien", {"good": 1.0, "bad": 0.0})
    silver = example_of(
        nlp, "pas mal du tout", {"good": 1.0, "bad": 0.0}, **{SILVER: {"good": 0.7, "bad": 0.3}}
    )
    nlp.initialize(lambda: [gold, silver])
    learn_probabilities(textcat)
    truths, _ = textcat._examples_to_truth([gold, silver])
    assert numpy.allclose(truths, [[1, 0], [0.7, 0.3]])
    for _ in range(60):
        nlp.update([gold, silver])
    assert nlp("pas mal du tout").cats["good"] == pytest.approx(0.7, abs=0.05)
    assert nlp("bien").cats["good"] > 0.9


def test_gold_text_is_read_several_times(command, teachers, few_corpora, text, tmp_path):
    arguments = (teachers / "ner", text, tmp_path / "out", "--corpus", few_corpora / "ner")
    assert command("silver", *arguments).code == 0
    corpus = GoldAndSilver(tmp_path / "out" / "train.spacy", 3, 2)
    docs = [example.reference for example in corpus(spacy.blank("fr"))]
    silver = [doc for doc in docs if SILVER in doc.user_data]
    train = docs_in(few_corpora / "ner" / "train.spacy")
    gold = {doc.text for doc in train}
    with_names = sum(bool(doc.ents) for doc in train)
    assert len(silver) == 60 and len(docs) == 60 + 3 * 200 + 2 * with_names
    # Some are drawn as they are.
    new = sum(doc.text not in gold for doc in docs if SILVER not in doc.user_data)
    assert with_names < new < 2 * with_names
    assert [doc.user_data["line"] for doc in silver] != list(range(1, 61))


def test_an_interrupted_student_leaves_its_silver_text(
    command, monkeypatch, teachers, few_corpora, text, tmp_path
):
    output = tmp_path / "out"
    arguments = (teachers / "ner", text, output, "--corpus", few_corpora / "ner", *SMALL)
    update = spacy.language.Language.update

    def fail(self, *given, **settings):
        if Progress.read(tmp_path / "out.unfinished").step > 11:
            raise KeyboardInterrupt
        return update(self, *given, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(spacy.language.Language, "update", fail)
        assert command("distill", *arguments, "--settings.eval_frequency", 4).code == 130
    assert (output / "ner-silver" / "report.json").exists()
    assert not (output / "model-best").exists()
    result = command("distill", *arguments, "--no-gold-alone")
    assert result.code == 0 and "is there already" in result.out


def test_what_is_refused(command, teachers, few_corpora, text, tmp_path):
    def refusal(*options) -> str:
        arguments = (teachers / "ner", text, tmp_path / "out", "--corpus", few_corpora / "ner")
        result = command("distill", *arguments, *options)
        assert result.code == 1 and not (tmp_path / "out").exists()
        return result.line

    assert "--settings.breadth: no such setting" in refusal("--settings.breadth", 3)
    assert "expected a number" in refusal("--settings.width", "wide")
    assert "--precision 'int8'" in refusal("--precision", "int8")
    assert "settings.eval_frequency 0: give 1 or more" in refusal("--settings.eval_frequency", 0)
    assert "rows" in refusal("--settings.rows", "[1,2]")


def test_intervals():
    nlp = spacy.blank("fr")
    gold, found = (Doc(nlp.vocab, ["a", "b"]) for _ in range(2))
    gold.ents = [gold.char_span(0, 1, label="PER"), gold.char_span(2, 3, label="LOC")]
    found.ents = [found.char_span(0, 1, label="PER")]
    tally = tallies([found, gold], [gold, gold], "ner", None)
    assert tally.tolist() == [[1, 1, 2], [2, 2, 2]]
    assert f_score(tally) == pytest.approx(6 / 7)
    assert interval(tally) == pytest.approx((2 / 3, 1))
    gold.cats, found.cats = {"a": 1, "b": 0}, {"a": 0.4, "b": 0.6}
    assert tallies([found], [gold], "textcat", None).tolist() == [[0, 1, 1]]
    assert tallies([found], [gold], "textcat_multilabel", 0.3).tolist() == [[1, 2, 1]]


def test_other_names_stand_where_names_of_their_kind_did():
    vocab = spacy.blank("fr").vocab
    doc = Doc(
        vocab, ["L'", "Orne", "borde", "Le", "Mans", "."], [False, True, True, True, False, False]
    )
    doc.ents = [Span(doc, 1, 2, "LOC"), Span(doc, 3, 5, "LOC")]
    other = Doc(
        vocab,
        ["Évian", "et", "Lyon", "-", "Nord", "et", "Zoé"],
        [True, True, *[False] * 2, *[True] * 3],
    )
    other.ents = [Span(other, 0, 1, "LOC"), Span(other, 2, 5, "LOC"), Span(other, 6, 7, "PER")]
    names = Names()
    names.add(other)
    swapped = names.swap(doc, 1)
    assert swapped.text == "L'Évian borde Lyon-Nord."
    assert [(x.text, x.label_) for x in swapped.ents] == [("Évian", "LOC"), ("Lyon-Nord", "LOC")]
    assert names.swap(doc, 0).text == doc.text
    assert [(x.text, x.label_) for x in names.swap(doc, 0).ents] == [
        ("Orne", "LOC"),
        ("Le Mans", "LOC"),
    ]
