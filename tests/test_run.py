"""run.py: the environment it creates, old interpreters, variables that arrive as typed."""

import ast
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
import srsly
from typer.main import get_command
from weasel.util import commands
from weasel.util.config import load_project_config, parse_config_overrides

import run
from scripts.cli import RENAMED, app, arguments

from .conftest import ROOT

# The interpreter outside of any virtual environment.
BASE = Path(sys._base_executable)
OLD = sorted(
    path
    for folder in (Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions",)
    for path in folder.glob("3.*/bin/python")
    if tuple(map(int, path.parts[-3].split(".")[:2])) < run.OLDEST
)


@pytest.fixture
def project(tmp_path) -> Path:
    """A project with a space in its path; its only step and only command record their arguments."""
    folder = tmp_path / "my project"
    (folder / "scripts" / "cli").mkdir(parents=True)
    shutil.copy(ROOT / "run.py", folder)
    for path in (run.REQUIREMENTS, run.CONSTRAINTS, *sum(run.EXTRAS.values(), [])):
        (folder / path.name).touch()
    step = {
        "name": "show",
        "script": ['python show.py "${vars.text}" "${vars.number}" --version "${vars.version}"'],
        "outputs": ["out/${vars.text}"],
    }
    variables = {"text": "", "number": -1, "version": "0.1.0"}
    srsly.write_yaml(folder / "project.yml", {"vars": variables, "commands": [step]})
    show = "import json, sys, os; json.dump([sys.argv[1:], os.getcwd()], open({!r}, 'w'))"
    (folder / "show.py").write_text(show.format(str(folder / "seen.json")))
    program = f"import typing\n{show.format('seen.json')}\n"
    (folder / "scripts" / "__main__.py").write_text(program)
    (folder / "scripts" / "__init__.py").touch()
    (folder / "scripts" / "cli" / "data.py").write_text(
        "def echo_all():\n    pass\ndef serve():\n    pass\ndef annotate():\n    pass\n"
    )
    return folder


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


def start(project, *arguments, python=BASE, cwd=None, **variables):
    """Run run.py as a user does, outside of any virtual environment; no package registry."""
    environment = {**os.environ, "PIP_NO_INDEX": "1", **variables}
    return subprocess.run(
        [python, project / "run.py", *map(str, arguments)],
        cwd=cwd or project, env=environment, capture_output=True, text=True,
    )  # fmt: skip


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


@pytest.fixture
def without_pip(tmp_path) -> Path:
    """An interpreter that cannot create environments, like Debian's without python3-venv."""
    stdlib = Path(sysconfig.get_path("stdlib"))
    copy = tmp_path / "usr" / stdlib.relative_to(sys.base_prefix)
    copy.mkdir(parents=True)
    for path in stdlib.iterdir():
        if path.name not in ("ensurepip", "site-packages"):
            (copy / path.name).symlink_to(path)
    python = tmp_path / "usr" / "bin" / BASE.name
    python.parent.mkdir()
    return Path(shutil.copy(BASE.resolve(), python))


def test_no_environment_can_be_created(project, without_pip):
    result = start(project, "show", python=without_pip)
    (line,) = result.stderr.splitlines()
    assert (
        result.returncode == 1 and "cannot be created" in line and f"apt install {run.VENV}" in line
    )
    assert not (project / ".venv").exists()


def test_a_broken_environment_is_created_again(project):
    """First the interpreter is gone, then pip. Without a registry the set-up ends after that."""
    folder = project / ".venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to("/nowhere/python3.11")
    (folder / "left").touch()
    result = start(project, "show")
    assert f"creating a virtual environment in {folder}\n" in result.stdout
    assert result.stderr.splitlines()[-1].startswith("run.py: pip could not install")
    assert run.works(folder / "bin" / "python", "-m", "pip", "--version")
    assert not (folder / "left").exists()
    # Without pip, but with a module of the user's: pip is added.
    (purelib,) = folder.glob("lib/*/site-packages")
    shutil.rmtree(purelib)
    purelib.mkdir()
    (purelib / "mine.py").touch()
    result = start(project, "show")
    assert "creating" not in result.stdout
    assert "pip could not install" in result.stderr.splitlines()[-1]
    assert (purelib / "pip").is_dir() and (purelib / "mine.py").exists()


@pytest.mark.parametrize("python", OLD[-1:], ids=lambda path: path.parts[-3])
def test_an_environment_of_an_older_python_is_refused(project, python):
    subprocess.run([python, "-m", "venv", "--without-pip", project / ".venv"], check=True)
    line = f"run.py: {project / '.venv'} has a Python older than 3.11; delete it.\n"
    assert start(project, "show").stderr == line


def wheel(folder: Path, name: str, version: str) -> None:
    """Write a wheel with nothing in it."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


def test_exact_versions_are_installed_where_they_can_be(project, tmp_path):
    """And others of the range where this Python or platform has none; again when a file changes."""
    name, version = run.TORCH.split("==")
    wheel(tmp_path, name, version)
    for version in ("1.0", "1.1"):
        wheel(tmp_path, "tiny", version)
    (project / "requirements.txt").write_text("tiny>=1,<2\n")
    python = project / ".venv" / "bin" / "python"
    for pinned, installed in (("1.2", "1.1"), ("1.0", "1.0")):
        (project / "constraints.txt").write_text(f"tiny=={pinned}\n")
        result = start(project, "echo-all", PIP_FIND_LINKS=str(tmp_path))
        assert result.returncode == 0, result.stderr
        assert ("could not be installed here; trying others" in result.stdout) == (pinned == "1.2")
        shown = subprocess.check_output([python, "-m", "pip", "freeze"], text=True).split()
        assert shown == [f"tiny=={installed}", run.TORCH]
        result = start(project, "echo-all")
        assert (result.returncode, result.stdout) == (0, "")


def test_extras_are_installed_for_their_words_alone(project, tmp_path):
    wheel(tmp_path, *run.TORCH.split("=="))
    for name in ("tiny", "server", "viewer", "cluster"):
        wheel(tmp_path, name, "1.0")
    (project / "requirements.txt").write_text("tiny\n")
    (project / "requirements-serve.txt").write_text("server\n")
    (project / "requirements-test.txt").write_text("-r requirements-serve.txt\nviewer\n")
    (project / "requirements-ray.txt").write_text("cluster\n")
    links = {"PIP_FIND_LINKS": str(tmp_path)}
    python = project / ".venv" / "bin" / "python"

    def packages() -> set[str]:
        shown = subprocess.check_output([python, "-m", "pip", "freeze"], text=True).split()
        return {package.partition("==")[0] for package in shown}

    assert start(project, "echo-all", **links).returncode == 0
    assert packages() == {"tiny", "torch"}
    # Without a registry only the command that needs the extra is refused.
    result = start(project, "serve")
    assert "installing requirements-serve.txt (once" in result.stdout
    assert result.stderr.splitlines()[-1].startswith("run.py: pip could not install")
    assert start(project, "echo-all").stdout == ""
    for word, added in (("serve", {"server"}), ("test", {"server", "viewer"})):
        start(project, word, **links)
        assert packages() == {"tiny", "torch", *added}
        assert "installing" not in start(project, word).stdout
    start(project, "annotate", "p", "in", "ray", **links)
    assert "cluster" not in packages()
    start(project, "annotate", "p", "in", "out", "--engine", "ray", **links)
    assert packages() == {"tiny", "torch", "server", "viewer", "cluster"}
