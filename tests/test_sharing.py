"""A team shares what it trained: `spacy project push` and `pull` with a plain folder as the remote."""

import os
import shutil
import subprocess
import sys
from pathlib import Path, PurePath

import pytest
import srsly

from .conftest import ROOT

STEPS = ["encoder-demo", "corpus-demo-ner", "fingerprint-demo", "train-demo-ner"]
ENCODER = "assets/encoders/e5-small-fr-en"
PIPELINE = "training/fr_demo_ner_trf/model-best"
# A training of seconds. They are changed in the file: push and pull accept no --vars.
VARS = {"encoder_demo": ENCODER, "steps_demo_ner": 2, "frozen_layers_demo": 0}


def clone(folder: Path, remote: Path) -> Path:
    """Copy what a training needs of the project, with a remote and short workflows."""
    ignored = shutil.ignore_patterns("__pycache__")
    for part in ("scripts", "configs", "assets/sample"):
        shutil.copytree(ROOT / part, folder / part, ignore=ignored)
    project = srsly.read_yaml(ROOT / "project.yml")
    project["vars"] |= VARS
    project |= {
        "remotes": {"default": str(remote)},
        "workflows": {"made": STEPS[1:], "shared": STEPS},
    }
    srsly.write_yaml(folder / "project.yml", project)
    return folder


def spacy_project(folder: Path, *arguments: str) -> str:
    """Run a command of the project engine; return what it printed."""
    result = subprocess.run(
        [sys.executable, "-m", "spacy", "project", *arguments],
        cwd=folder, env={**os.environ, "HF_HUB_OFFLINE": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def first(tmp_path_factory, distilbert):
    """The clone that trained and pushed, its encoder a minuscule one."""
    folder = tmp_path_factory.mktemp("sharing")
    project = clone(folder / "first", folder / "remote")
    shutil.copytree(distilbert, project / ENCODER)
    spacy_project(project, "run", "made")
    pushed = spacy_project(project, "push")
    for output in (ENCODER, "corpus/sample-ner", "training/encoder_demo.json", PIPELINE):
        assert f"Pushed {output} to" in " ".join(pushed.split())
    return project


def test_a_second_clone_pulls_and_skips_the_training(first, tmp_path):
    second = clone(tmp_path / "somewhere" / "else", first.parent / "remote")
    spacy_project(second, "pull")
    assert contents(second / PIPELINE) == contents(first / PIPELINE)
    printed = spacy_project(second, "run", "shared")
    skipped = [step for step in STEPS if f"Skipping '{step}': nothing changed" in printed]
    # Which encoder a name stands for is always looked up.
    assert skipped == [step for step in STEPS if step != "fingerprint-demo"]
    assert f"{ENCODER}: sha256" in printed and "unchanged" in printed


def test_other_settings_are_not_pulled(first, tmp_path):
    second = clone(tmp_path / "second", first.parent / "remote")
    project = srsly.read_yaml(second / "project.yml")
    project["vars"]["seed"] = 1
    srsly.write_yaml(second / "project.yml", project)
    spacy_project(second, "pull")
    assert (second / "corpus/sample-ner/train.spacy").is_file()
    assert not (second / PIPELINE).exists()


def test_dvc_can_take_over_each_workflow():
    """`spacy project dvc` makes a stage of each step: DVC refuses one listed twice, and outputs inside
    each other."""
    project = srsly.read_yaml(ROOT / "project.yml")
    for name, steps in project["workflows"].items():
        assert sorted(set(steps)) == sorted(steps), f"workflow {name} lists a step twice"
    outputs = [PurePath(path) for item in project["commands"] for path in item.get("outputs", [])]
    assert len(outputs) == len(set(outputs)) > 1
    nested = [path for path in outputs if set(path.parents) & set(outputs)]
    assert not nested, f"inside another output: {nested}"
