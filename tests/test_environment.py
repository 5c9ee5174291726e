"""The environment that run.py creates, and what it installs there."""

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import run

from .runs import BASE, OLD, new_project, start


@pytest.fixture
def project(tmp_path) -> Path:
    return new_project(tmp_path)


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
