"""run.py: old interpreters, variables that arrive as typed, mistakes."""

import ast
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import srsly
from typer.main import get_command
from weasel.util import commands
from weasel.util.config import load_project_config, parse_config_overrides

import run
from scripts.cli import RENAMED, app, arguments

from .conftest import ROOT
from .runs import BASE, OLD, new_project, start


@pytest.fixture
def project(tmp_path) -> Path:
    return new_project(tmp_path)


@pytest.fixture
def ready(project, monkeypatch) -> Path:
    """The same project, set up with the packages of this environment."""
    environment = project / ".venv"
    venv.create(environment)
    purelib = sysconfig.get_path("purelib", "venv", {"base": str(environment)})
    paths = [path for path in sys.path if path.endswith("site-packages")]
    Path(purelib, "shared.pth").write_text("\n".join(paths))
    monkeypatch.setattr(run, "REQUIREMENTS", project / "requirements.txt")
    monkeypatch.setattr(run, "CONSTRAINTS", project / "constraints.txt")
    file, digest = run.stamp(environment, run.REQUIREMENTS)
    file.write_text(digest)
    return project


def test_an_old_python_can_parse_it():
    source = (ROOT / "run.py").read_text("utf8")
    assert ast.parse(source, feature_version=(3, 6))


@pytest.mark.parametrize("python", OLD, ids=lambda path: path.parts[-3])
def test_an_old_python_is_refused_at_once(project, python):
    result = start(project, "demo", python=python)
    version = ".".join(python.parts[-3].split(".")[:2])
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr == f"Python 3.11 or newer is needed; this is {version}.\n"


TYPED = [
    "1.10", "12345e6789", "007", "true", "null", "nan", "1e5", "un film nul", r"C:\new\tab.json",
    "it's", "$HOME", "$", "été 日本 😀", "", "--lead", "-x", " x ", "[1, 2]", "a=b", "\n\t", r"\u0041",
]  # fmt: skip


@pytest.mark.parametrize("windows", (False, True))
@pytest.mark.parametrize("value", TYPED)
def test_variables_arrive_as_typed(project, monkeypatch, value, windows):
    """Parsed, inserted and split by the engine; our commands remove the quotes that it leaves."""
    monkeypatch.setattr(run, "HERE", project)
    monkeypatch.setattr(sys, "platform", "win32" if windows else "linux")
    monkeypatch.setattr(commands, "is_windows", windows)
    options = run.engine_options(["--dry", "--vars.text", value, f"--vars.version={value}"])
    assert options.pop(0) == "--dry"
    step = load_project_config(project, overrides=parse_config_overrides(options))["commands"][0]
    (line,) = step["script"]
    monkeypatch.setattr(sys, "argv", commands.split_command(line)[1:])
    assert arguments() == [value, "-1", "--version", value]
    assert step["outputs"] == [f"out/{value}"]


@pytest.mark.parametrize("value", ['a "b"', "${vars.number}", "x${", r"C:\\new", "end\\"])
def test_what_the_engine_cannot_pass_on_is_refused(project, monkeypatch, value):
    monkeypatch.setattr(run, "HERE", project)
    with pytest.raises(run.Refused, match="the project engine cannot pass on"):
        run.engine_options(["--vars.text", value])


@pytest.mark.parametrize(
    "words, message",
    [
        (["show", "--vars.stpes", "5"], "no such variable; choose from text, number, version."),
        (["show", "--vars.text"], "--vars.text: its value is missing"),
        (["show", "--vars.text", "--vars.number", "5"], "--vars.text: its value is missing"),
        (["show", "--text", "5"], "--text: no such option"),
        (["show", "5"], "5: no such option"),
        (["shwo"], "shwo: no such workflow, step or command; see run.py --help"),
        (["echo"], "echo: no such workflow"),
    ],
)
def test_mistakes_are_reported_before_anything_is_set_up(project, words, message):
    result = start(project, *words)
    assert result.returncode == 1 and message in result.stderr
    assert len(result.stderr.splitlines()) == 1 and not (project / ".venv").exists()


def test_commands_are_known_before_anything_is_set_up():
    for name in (*get_command(app).commands, *RENAMED):
        assert run.may_be_command(name), name
    assert not run.may_be_command("trian")


def test_help_lists_every_workflow():
    words = run.__doc__.replace(",", " ").replace("`", " ").split()
    assert set(srsly.read_yaml(ROOT / "project.yml")["workflows"]) <= set(words)


def test_the_course_makes_the_encoder_that_it_opens_if_it_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(run, "ENCODER", tmp_path)
    assert run.programs("course", ["--no-browser"]) == [[*run.LAB, "--no-browser"]]
    monkeypatch.setattr(run, "ENCODER", tmp_path / "missing")
    step, lab = run.programs("course", [])
    assert run.ENCODER_STEP in run.steps() and run.ENCODER_STEP in step and lab == [*run.LAB]


def test_completion_sets_nothing_up(project):
    result = start(project, **{"_RUN.PY_COMPLETE": "complete_bash"})
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert not (project / ".venv").exists()


def test_the_variables_of_the_project_are_known():
    assert run.variables() == list(srsly.read_yaml(ROOT / "project.yml")["vars"])


def test_steps_and_commands_get_what_was_typed(ready, tmp_path):
    here = tmp_path / "où je suis"
    here.mkdir()
    # A module of the user's, which must not shadow the standard library's.
    (here / "typing.py").write_text("raise SystemExit('not mine')")
    words = ["--vars.text", r"C:\new\été $.json", "--vars.version=1.10"]
    result = start(ready, "show", *words, cwd=here)
    assert result.returncode == 0, result.stdout + result.stderr
    seen, folder = srsly.read_json(ready / "seen.json")
    assert seen == [words[1], "-1", "--version", "1.10"] and folder == str(ready)
    words = [r"C:\new\été.json", 'a "b"', "", "--x=${y}"]
    result = start(ready, "echo-all", *words, "--traceback", cwd=here)
    assert result.returncode == 0, result.stdout + result.stderr
    assert srsly.read_json(here / "seen.json") == [["echo-all", *words], str(here)]


def test_workflows_and_commands_of_the_project_are_found():
    assert {"demo", "all", "ner-fr", "encoder-demo", "train-sst2"} < set(run.steps())
    assert not {"convert", "train", "id_sst2"} & set(run.steps())


def test_ctrl_c_waits_for_the_command(ready):
    """The command saves its work, which takes longer than the engine and Python would wait."""
    (ready / "show.py").write_text(
        "import time, sys\n"
        "try:\n    print('started', flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt:\n    time.sleep(1); print('saved', flush=True); sys.exit(3)\n"
    )
    shutil.copy(ready / "show.py", ready / "scripts" / "__main__.py")
    for name in ("show", "echo_all"):
        process = subprocess.Popen(
            [BASE, ready / "run.py", name],
            cwd=ready, stdout=subprocess.PIPE, text=True, start_new_session=True,
            # A shell's background job, as CI may be, hands down SIGINT ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        lines = iter(process.stdout)
        assert any(line == "started\n" for line in lines)
        os.killpg(process.pid, signal.SIGINT)
        assert "saved\n" in lines
        assert process.wait(10) == 3


@pytest.mark.parametrize(
    "options, workflow",
    [
        ([], True),
        (["--vars.texts", "my/texts"], True),
        (["--force"], True),
        (["training/mine", "my/texts", "out"], False),
        (["--format", "jsonl", "training/mine", "my/texts", "out"], False),
        (["--help"], False),
    ],
)
def test_a_word_that_is_a_workflow_and_a_command(options, workflow):
    (arguments,) = run.programs("annotate", options)
    assert ("project" in arguments) is workflow
    assert workflow or arguments == ["-m", "scripts", "annotate", *options]
