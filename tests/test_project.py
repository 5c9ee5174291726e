"""Each command of project.yml depends on all that it reads: its code, its data, its settings.

Of a folder the project engine hashes all files: the commands write no __pycache__ into those of code.
"""

import ast
import os
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import srsly

from scripts.common import sources

from .conftest import ROOT

PROJECT = srsly.read_yaml(ROOT / "project.yml")
COMMANDS = {item["name"]: item for item in PROJECT["commands"]}
# The others are run each time.
WATCHED = [
    name for name in COMMANDS if "outputs" in COMMANDS[name] and "no_skip" not in COMMANDS[name]
]
# By whose change no output becomes another: the environment, the words of errors, where output is
# put, the road to what is checked by its hash, the reading of what `convert` wrote.
PLUMBING = {
    "scripts/__init__.py", "scripts/common/errors.py", "scripts/common/files.py", "scripts/common/downloads.py",
    "scripts/common/settings.py", "scripts/common/languages.py", "scripts/common/devices.py",
    "scripts/encoders/snapshot.py", "scripts/corpora/docbins.py", "scripts/corpora/examples.py", "scripts/corpora/options.py",
    "scripts/common/rawfile.py", "scripts/common/rawfolder.py", "scripts/common/split_names.py", "scripts/common/label_names.py", "scripts/code.py", "scripts/corpora/blank.py",
    "scripts/corpora/detokenize.py", "scripts/corpora/records.py", "scripts/corpora/sample.py", "scripts/corpora/writer.py", "scripts/common/sources.py", "scripts/common/old_names.py", "scripts/corpora/report.py",
    "scripts/serving/predict.py", "scripts/serving/label_map.py",
}  # fmt: skip
# It lists all readers: of no matter to who imports one of the package's other modules.
READERS = "scripts/corpora/readers/__init__.py"
# Files that are read by their names, beside those that are imported.
PATTERNS = ("scripts/**/*.html", "scripts/wheel/trial.py", "configs/*.yml", "configs/*.cfg")
READ = {path.name: path for pattern in PATTERNS for path in ROOT.glob(pattern)}
# What it wrote once is used as it is.
ONCE = "fetch"
FOLDERS = ("assets", "configs", "corpus", "metrics", "reports", "training")


def file_of(name: str) -> Path | None:
    """Return the file of a module or package of the project, if there is one."""
    path = ROOT.joinpath(*name.split("."))
    found = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return found if found.is_file() else None


def has_code(path: Path) -> bool:
    """Tell a file from one of a docstring alone."""
    body = ast.parse(path.read_text("utf8")).body
    return not all(isinstance(node, ast.Expr) for node in body)


def imported(path: Path) -> set[Path]:
    """Return the files of the project that one of them imports, anywhere in it, or reads."""
    package = path.relative_to(ROOT).parent.parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        if isinstance(node, ast.Import):
            found |= {file_of(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *filter(None, [node.module])])
            # Of a package a module, or else what the package has itself.
            found |= {file_of(f"{base}.{alias.name}") or file_of(base) for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(READ.get(node.value))
    # A module's package runs before it, and may register what the configs name.
    found |= {file.parent / "__init__.py" for file in found if file and file.suffix == ".py"} - {
        ROOT / READERS
    }
    return {file for file in found if file and (file.suffix != ".py" or has_code(file))}


@cache
def closure(name: str) -> frozenset[str]:
    """Return the files that a module is made of, by their paths in the project."""
    found, left = set(), {file_of(name)}
    while left:
        path = left.pop()
        found.add(path)
        left |= (imported(path) if path.suffix == ".py" else set()) - found
    return frozenset(path.relative_to(ROOT).as_posix() for path in found) - PLUMBING


def shared(line: str) -> str:
    """Put the options that commands share into one of their lines."""
    for name, value in PROJECT["vars"].items():
        if name.startswith("on_") and f"${{vars.{name}}}" in line:
            return shared(line.replace(f"${{vars.{name}}}", value.replace(r"\"", '"')))
    return line


def lines_of(name: str) -> list[list[str]]:
    """Return the command lines of a command, each as a command of the project and its arguments."""
    lines = [shlex.split(shared(line)) for line in COMMANDS[name]["script"]]
    assert all(line[:3] == ["python", "-m", "scripts"] for line in lines)
    return [line[3:] for line in lines]


def module_of(command: str) -> str:
    """Return the module that does the work of a command."""
    name = command.replace("-", "_")
    places = (f"scripts.{name}", f"scripts.encoders.{name}", f"scripts.seq2seq.{name}")
    return next(place for place in places if file_of(place))


def test_closures_are_found():
    train = closure("scripts.train")
    assert {"scripts/training/prepare.py", "scripts/encoders/tokenizer_fixes.py"} < train
    assert "scripts/corpora/readers/cls.py" in closure("scripts.convert") - train
    assert {"configs/sources.yml", "scripts/wheel/trial.py"} < closure("scripts.package")
    assert "scripts/reporting/page.html" in closure("scripts.report")


@pytest.mark.parametrize("name", WATCHED)
def test_a_command_depends_on_its_code(name):
    lines = [line for line in lines_of(name) if line[0] != ONCE]
    used = set().union(*(closure(module_of(line[0])) for line in lines))
    used |= {"configs/base.cfg" for line in lines if line[0] == "train"}
    used |= {
        f"configs/{task}.cfg" for line in lines if line[0] == "train" for task in line[1].split("+")
    }
    named = {f"configs/{path}" for line in lines for path in READ if f"configs/{path}" in line}
    deps = COMMANDS[name].get("deps", [])
    code = {dep for dep in deps if dep.split("/")[0] in ("scripts", "configs")}
    wanted = used | named

    def covered(files: set[str], dep: str) -> set[str]:
        return {file for file in files if file == dep or file.startswith(f"{dep}/")}

    missing = wanted - set().union(*(covered(wanted, dep) for dep in code))
    assert not missing and all(covered(wanted, dep) for dep in code), (
        f"{name}: missing {sorted(missing)}, in vain "
        f"{sorted(dep for dep in code if not covered(wanted, dep))}"
    )


def test_commands_compile_nothing_into_the_project(tmp_path):
    """What is compiled is another file each time, and a command that depends on it would run again."""
    for path in (
        "scripts/__init__.py",
        "scripts/common/__init__.py",
        "scripts/common/errors.py",
        "scripts/corpora/__init__.py",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    (tmp_path / "scripts" / "corpora" / "__init__.py").write_text("from ..common import errors\n")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", "import scripts.corpora"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    assert not list((tmp_path / "scripts" / "corpora").rglob("*.pyc"))


@pytest.mark.parametrize("name", WATCHED)
def test_a_command_depends_on_its_data(name):
    words = Counter(word for line in lines_of(name) for word in line[1:])
    for path in words:
        if "/" in path and path.split("/")[0] in FOLDERS:
            made = any(f"{output}/".startswith(f"{path}/") for output in COMMANDS[name]["outputs"])
            # What one line of a command writes, the next reads.
            between = words[path] > 1
            assert made or between or path in COMMANDS[name]["deps"], f"{name}: {path} is no dep"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name.startswith("train-")])
def test_a_training_depends_on_its_encoder(name):
    """On the file that `fingerprint` wrote for the same variable, in a step before it."""
    (encoder,) = (word for word in lines_of(name)[0] if word.startswith("${vars.encoder"))
    written = {
        line[2]: command
        for command in COMMANDS
        for line in lines_of(command)
        if line[:2] == ["fingerprint", encoder]
    }
    (fingerprint,) = set(written) & set(COMMANDS[name]["deps"])
    assert (
        "outputs" not in COMMANDS[written[fingerprint]] or COMMANDS[written[fingerprint]]["no_skip"]
    )
    for steps in PROJECT["workflows"].values():
        if name in steps:
            assert steps.index(written[fingerprint]) < steps.index(name)


def test_raw_corpora_are_listed_as_assets_with_their_source_and_licence():
    """As configs/sources.yml has them."""
    described = {asset["dest"]: asset["description"] for asset in PROJECT["assets"]}
    for name, known in sources.known("corpora").items():
        about = f"{known['title']}. {known['url']}. Licence: {known['license']}"
        (found,) = (text for text in described.values() if text.startswith(about))
        assert (f"`fetch {name}`" in found) == bool({"hub", "archive"} & set(known))
    assert len(described) == len(sources.known("corpora"))
    fetched = {line[2] for name in COMMANDS for line in lines_of(name) if line[0] == "fetch"}
    assert fetched < set(described)


def test_a_fresh_clone_has_the_folders_of_the_layout():
    """Each with a tracked line that says what belongs there."""
    for folder in PROJECT["directories"]:
        (line,) = (ROOT / folder / "README.md").read_text("utf8").splitlines()
        assert line.endswith(".")
    tracked = subprocess.check_output(["git", "ls-files", "*/README.md"], cwd=ROOT, text=True)
    assert {f"{folder}/README.md" for folder in PROJECT["directories"]} < set(tracked.split())
