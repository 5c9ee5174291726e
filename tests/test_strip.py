"""What is stripped from a pipeline, and what a wheel requires and predicts when it is tried."""

import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy
import pytest
import spacy
from thinc.api import Config

from scripts import package
from scripts.common.errors import UserError
from scripts.serving.strip import drop_paths, looked_up, own_strings
from scripts.wheel import trial


def test_strings_of_the_language_and_the_labels_are_kept():
    nlp = spacy.blank("fr")
    category = nlp.add_pipe("textcat", name="avis")
    for label in ("très bien", "nul"):
        category.add_label(label)
    nlp.make_doc("Marie Curie vit à Varsovie.")
    strings = set(own_strings(nlp))
    assert strings == {*spacy.blank("fr").vocab.strings, "avis", "très bien", "nul"}
    assert "Varsovie" in nlp.vocab.strings and looked_up(nlp) == []


def test_components_that_look_up_strings_are_named():
    nlp = spacy.blank("fr")
    for name in ("ner", "tagger", "lemmatizer"):
        nlp.add_pipe(name)
    assert looked_up(nlp) == ["tagger", "lemmatizer"]
    nlp.vocab.set_vector("chat", numpy.ones(3, dtype="f"))
    assert looked_up(nlp) == ["tagger", "lemmatizer", "its vectors"]


def test_paths_that_only_training_reads_are_removed():
    config = Config().from_str(
        '[paths]\ntrain = "clients.spacy"\n[corpora]\n[corpora.dev]\n@readers = "spacy.Corpus.v1"\n'
        'path = "/home/me/dev.spacy"\nlimit = 0\n[initialize]\nvectors = "C:\\\\mine"\n'
        '[training]\ndev_corpus = "corpora.dev"\n[nlp]\nlang = "fr"\n[components]\n'
        '[components.transformer]\nname = "me/encoder"\n'
    )
    drop_paths(config)
    assert config["paths"] == {"train": None}
    assert config["corpora"]["dev"] == {"@readers": "spacy.Corpus.v1", "path": None, "limit": 0}
    assert config["initialize"]["vectors"] is None
    assert config["training"]["dev_corpus"] == "corpora.dev"
    assert config["components"]["transformer"]["name"] == "me/encoder"
    drop_paths(Config())


def small_wheel(folder: Path, program: str, requirements: list[str]) -> Path:
    """Write a wheel by hand: a module whose `load` runs a line of code and returns a pipeline."""
    folder.mkdir(parents=True)
    path, info = folder / "fr_small-0.1.0-py3-none-any.whl", "fr_small-0.1.0.dist-info"
    required = "".join(f"Requires-Dist: {line}\n" for line in requirements)
    code = f"import spacy\ndef load(**_):\n    {program}\n    return spacy.blank('fr')\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fr_small/__init__.py", code)
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: fr_small\nVersion: 0.1.0\n{required}"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def built(monkeypatch):
    """Make `package.build` write small wheels that require spaCy and the meta's requirements."""

    def prepare(program):
        monkeypatch.setattr(
            package, "build", lambda nlp, folder:
            small_wheel(folder, program, ["spacy", *nlp.meta.get("requirements", [])]),
        )  # fmt: skip
        return spacy.blank("fr")

    return prepare


def test_a_package_that_loading_needs_is_added(built, tmp_path, capsys):
    nlp = built("import sentencepiece, ftfy")
    wheel, answers = package.build_and_try(nlp, tmp_path, "fr_small")
    added = ("sentencepiece", "ftfy")
    assert nlp.meta["requirements"] == [f"{name}>={version(name)}" for name in added]
    assert wheel.parent == tmp_path / "3"
    assert [answer["text"] for answer in answers] == trial.TEXTS
    printed = capsys.readouterr().out
    assert all(f"added to its requirements: {name}" in printed for name in added)


def test_packages_that_loading_does_not_need_are_not_added(built, tmp_path):
    """They are hidden nevertheless, with their metadata."""
    nlp = built(
        "import importlib.util as u, importlib.metadata as m, numpy, click; "
        "names = {d.name for d in m.distributions()}; "
        "assert u.find_spec('sentencepiece') is None and u.find_spec('pytest') is None; "
        "assert 'sentencepiece' not in names and 'fr_small' in names and 'numpy' in names"
    )
    wheel, _ = package.build_and_try(nlp, tmp_path, "fr_small")
    assert wheel.parent == tmp_path / "1" and "requirements" not in nlp.meta


@pytest.mark.parametrize(
    "program, message",
    [
        ("import no_such_package", "No module named 'no_such_package'"),
        ("import os; os._exit(9)", "cannot be installed and loaded"),
    ],
)
def test_a_wheel_that_does_not_load_is_refused(built, tmp_path, program, message):
    with pytest.raises(UserError, match=message):
        package.build_and_try(built(program), tmp_path, "fr_small")


def test_a_wheel_with_other_predictions_is_refused(built, tmp_path):
    nlp = built("pass")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "PER", "pattern": "Marie Curie"}])
    with pytest.raises(
        UserError, match="predicts \\[\\] for 'Née à Varsovie.*not the same pipeline"
    ):
        package.build_and_try(nlp, tmp_path, "fr_small")


def test_probabilities_may_differ_by_rounding():
    assert package.alike({"a": 0.5, "b": 0.5}, {"a": 0.501, "b": 0.499})
    assert not package.alike({"a": 0.5, "b": 0.5}, {"a": 0.6, "b": 0.4})
    assert not package.alike({"a": 0.5}, {"b": 0.5})
    assert package.alike([["Lens", "LOC"]], [["Lens", "LOC"]])
    assert not package.alike([["Lens", "LOC"]], [["Lens", "ORG"]])


def test_extras_and_their_requirements_are_required(tmp_path, monkeypatch):
    needs = ["one[more]", 'two; extra == "other"', 'six; os_name == ""']
    wheel = small_wheel(tmp_path / "wheels", "pass", needs)
    one = ['three; extra == "more"', 'four; extra == "none"']
    for name, lines in {"one": one, "three": []}.items():
        info = tmp_path / f"{name}-1.dist-info"
        info.mkdir()
        required = "".join(f"Requires-Dist: {line}\n" for line in lines)
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"
        (info / "METADATA").write_text(head + required)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert trial.required("fr_small") == {"fr-small", "one", "three"}
