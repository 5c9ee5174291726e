"""A small project with the real run.py, and how a user runs it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import srsly

import run

from .conftest import ROOT

# The interpreter outside of any virtual environment.
BASE = Path(sys._base_executable)
OLD = sorted(
    path
    for folder in (Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions",)
    for path in folder.glob("3.*/bin/python")
    if tuple(map(int, path.parts[-3].split(".")[:2])) < run.OLDEST
)


def new_project(folder: Path) -> Path:
    """A project with a space in its path; its only step and only command record their arguments."""
    folder = folder / "my project"
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
        "".join(f"def {name}():\n    pass\n" for name in ("echo_all", "serve", "annotate"))
    )
    return folder


def start(project, *arguments, python=BASE, cwd=None, **variables):
    """Run run.py as a user does, outside of any virtual environment; no package registry."""
    environment = {**os.environ, "PIP_NO_INDEX": "1", **variables}
    return subprocess.run(
        [python, project / "run.py", *map(str, arguments)],
        cwd=cwd or project, env=environment, capture_output=True, text=True,
    )  # fmt: skip
