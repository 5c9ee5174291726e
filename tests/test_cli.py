"""The command line: every command in one list, options declared once, a quick start, old names."""

import os
import subprocess
import sys

import pytest

from scripts.corpora.options import Options
from scripts.corpora.readers import FORMATS

from .conftest import ROOT

HEAVY = {"spacy", "torch", "transformers", "datasets", "thinc"}
COMMANDS = {
    "Data": ["own", "fetch", "check", "label-errors", "convert"],
    "Train": ["config", "train", "learning-curve", "train-hf", "distill", "silver"],
    "Evaluate and share": [
        "predict", "annotate-for", "evaluate", "report", "index", "package", "to-onnx", "wrap",
        "export", "push", "compare", "serve", "annotate",
    ],
    "Encoder lab": [
        "inspect", "fill-mask", "train-tokenizer", "trim", "shrink", "unpack-e5", "demo-encoder",
        "fingerprint", "pretrain", "translate", "restore", "train-restorer",
    ],
}  # fmt: skip
NAMES = sum(COMMANDS.values(), [])
# Modules that were run as commands in earlier versions.
MODULES = {
    **{f"scripts.{name}": name for name in ["fetch", "convert", "train", "evaluate", "report"]},
    **{f"scripts.{name}": name for name in ["package", "wrap", "export", "push"]},
    "scripts.borrow": "wrap",
    "scripts.encoders.e5": "unpack-e5",
    "scripts.encoders.identity": "fingerprint",
    **{
        f"scripts.encoders.{name.replace('-', '_')}": name
        for name in ["inspect", "fill-mask", "train-tokenizer", "trim", "pretrain"]
    },
}


def python(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "COLUMNS": "80", "TERM": "dumb", **variables},
    )  # fmt: skip


def test_every_command_is_listed_with_one_line_in_its_group():
    lines = python("-m", "scripts").stdout.splitlines()
    for group, names in COMMANDS.items():
        start = next(index for index, line in enumerate(lines) if line.startswith(f"╭─ {group} "))
        end = next(index for index in range(start, len(lines)) if lines[index].startswith("╰"))
        rows = lines[start + 1 : end]
        assert [row.split()[1] for row in rows] == names
        assert all(row.rstrip("│ ").endswith(".") for row in rows)


def test_help_is_printed_without_importing_what_takes_seconds():
    program = (
        "import sys\n"
        "from scripts.cli import run\n"
        "for name in sys.argv[1:]:\n"
        "    sys.argv = ['scripts', name, '--help']\n"
        "    try: run()\n"
        "    except SystemExit as exit: assert not exit.code\n"
        f"sys.exit(' '.join({HEAVY!r} & set(sys.modules)) or 0)"
    )
    result = python("-c", program, *NAMES)
    assert result.returncode == 0, result.stderr
    for name in NAMES:
        assert f"Usage: python -m scripts {name}" in result.stdout


@pytest.mark.parametrize("format", FORMATS)
def test_a_format_shows_the_options_that_apply_to_it_and_no_others(format):
    shown = python("-m", "scripts", "convert", format, "--help").stdout
    for option in Options._fields:
        listed = f"--{option.replace('_', '-')} " in shown
        assert listed == (option in FORMATS[format].options), option
    assert "--dev-ratio" in shown and "--strict" in shown


def test_modules_of_commands_still_run_for_one_version():
    program = (
        "import runpy, sys\n"
        "for name in sys.argv[1:]:\n"
        "    sys.argv = ['', '--help']\n"
        "    try: runpy.run_module(name, run_name='__main__', alter_sys=True)\n"
        "    except SystemExit as exit: assert not exit.code\n"
    )
    result = python("-c", program, *MODULES)
    assert result.returncode == 0, result.stderr
    for module, name in MODULES.items():
        assert f"Usage: python -m scripts {name}" in result.stdout
        renamed = f"`python -m {module}` will be removed; use `python -m scripts {name}`"
        assert renamed in result.stderr


def test_an_old_name_still_works_for_one_version():
    result = python("-m", "scripts", "borrow", "--help")
    assert (
        "Usage: python -m scripts wrap" in result.stdout
        and "has been renamed to `wrap`" in result.stderr
    )


def test_an_unknown_command_is_refused():
    result = python("-m", "scripts", "trian")
    assert result.returncode == 2 and "No such command 'trian'" in result.stderr


def test_the_shell_completes_commands_formats_and_options():
    def completed(*words: str) -> list[str]:
        line = " ".join(["run.py", *words])
        variables = {
            "SCRIPTS_PROGRAM": "run.py", "_RUN.PY_COMPLETE": "complete_bash",
            "COMP_WORDS": line, "COMP_CWORD": str(len(words)),
        }  # fmt: skip
        return python("-m", "scripts", **variables).stdout.split()

    assert completed("eval") == ["evaluate"]
    assert completed("convert", "wik") == ["wikiner"]
    assert completed("convert", "iob", "--tag") == ["--tag-column"]
