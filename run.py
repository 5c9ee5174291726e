#!/usr/bin/env python3
"""Set up this project and run it. Python 3.11 or newer is all it needs.

Begin with:
  python3 run.py demo       train, score and package a French pipeline on a CPU, in minutes;
                            metrics/, packages/ and reports/ hold the results
  python3 run.py commands   list every command of scripts/, one line each

Workflows of project.yml, each from the raw corpus to a wheel and a page of predictions:
  demo                          sample corpora that come with the project; no Hugging Face hub
  demo-reviews, demo-ner        the same, a pipeline for each of its tasks
  light                         the demo's pipeline without torch, and a student that is spaCy alone
  sst2, flue, ner-fr, ner-en    published corpora from the hub; `all` runs these four
  encoder                       a tokenizer and an encoder, pretrained on raw text
  restorer                      punctuation and capitals for spoken text: a decoder on that encoder
A single step, such as train-sst2, runs in the same way. NAME --help describes a workflow or step.
Variables of project.yml follow as --vars.NAME VALUE; their paths are relative to the project:
  python3 run.py flue --vars.gpu_id 0 --vars.encoder_fr my/encoder

For your own data; paths are relative to the current folder:
  python3 run.py own my/export.json    from what an annotation tool exports to a wheel and a page
Single commands of scripts/:
  python3 run.py convert iob my/corpus corpus/mine --lang fr
  python3 run.py convert --help

To learn:
  python3 run.py course     open the course's notebooks (in French) in JupyterLab; its options may
                            follow: --no-browser --port 9000

For developers:
  python3 run.py test       run the tests; options of pytest may follow
  python3 run.py lint       check code style and formatting

The first run installs the requirements (2 GB with the CPU build of torch) into the active virtual
environment, or else into .venv beside this file: the exact versions of constraints.txt or, if they
cannot be installed, others that requirements.txt allows. An installed torch is kept.
`serve`, `course`, `test` and `annotate --engine ray` add the packages of requirements-serve.txt, -course,
-test and -ray.
./run.py --install-completion sets up your shell to complete the commands of scripts/.
--traceback shows the full traceback of an error, for a bug report.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
if sys.version_info < OLDEST:
    sys.exit("Python %d.%d or newer is needed; this is %d.%d." % (OLDEST + sys.version_info[:2]))  # noqa: UP031

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
CONSTRAINTS = HERE / "constraints.txt"
# What some words of the command line need besides.
EXTRAS = {name: [HERE / f"requirements-{name}.txt"] for name in ("serve", "test", "ray", "course")}
# The version that CI tests. Installed only if there is no torch yet: a build for your GPU, or
# another version that requirements.txt allows, is kept.
TORCH = "torch==2.13.0"
# The package to install on systems whose Python comes without venv and pip.
VENV = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
# Options of the project engine, besides variables.
FLAGS = ("--force", "-F", "--dry", "-D")
# The engine kills its command 0.25 s after Ctrl-C, before the command can report where its work is.
# Without a handler of its own it waits.
ENGINE = """
import signal
from spacy.cli import setup_cli
signal.signal(signal.SIGINT, lambda *_: None)
setup_cli()
"""
# Two processes, each with whole files, so that fixtures of a file are made once; in the order of
# tests/conftest.py.
PYTEST = ("-m", "pytest", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
# Without asking a registry for newer versions at each start.
LAB = (
    "-m", "jupyterlab", "notebooks",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
)  # fmt: skip
# What the notebooks open, and the step that makes it.
ENCODER, ENCODER_STEP = HERE / "assets" / "encoders" / "e5-small-fr-en", "encoder-demo"
LINT = (("-m", "ruff", "check"), ("-m", "ruff", "format", "--check"))


class Refused(Exception):
    """One line: what is wrong, and what to do."""


def works(python: Path, *arguments: str) -> bool:
    """Return whether an interpreter starts and exits with status 0."""
    try:
        return subprocess.run([python, *arguments], capture_output=True).returncode == 0
    except OSError:
        return False


def make(folder: Path) -> None:
    """Create a virtual environment, replacing a broken one; leave none if that fails.

    Raises Refused.
    """
    print(f"creating a virtual environment in {folder}", flush=True)
    try:
        import venv

        venv.create(folder, clear=True, symlinks=sys.platform != "win32", with_pip=True)
    except (ImportError, OSError, ValueError, subprocess.CalledProcessError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise Refused(
            f"{folder} cannot be created ({error}). On Debian and Ubuntu: sudo apt install {VENV}; "
            "elsewhere install a Python with venv and pip. Then run again."
        ) from error


def environment() -> tuple[Path, Path]:
    """Return the active virtual environment, or else `.venv`, and its interpreter."""
    if sys.prefix != sys.base_prefix:
        return Path(sys.prefix), Path(sys.executable)
    folder = HERE / ".venv"
    return folder, folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def stamp(folder: Path, requirements: Path) -> tuple[Path, str]:
    """Return the file that says which requirements were installed into an environment from a file,
    and what it should say."""
    content = requirements.read_bytes() + CONSTRAINTS.read_bytes()
    return folder / f"{requirements.stem}.sha256", hashlib.sha256(content).hexdigest()


def installed(folder: Path, requirements: Path) -> bool:
    file, digest = stamp(folder, requirements)
    return file.exists() and file.read_text() == digest


def set_up(folder: Path, python: Path, files: list[Path]) -> None:
    """Create the environment if it is missing or does not start, and install the files' requirements
    with pip, unless the present ones are installed. Raises Refused."""
    active = sys.prefix != sys.base_prefix
    if not works(python, "-c", ""):
        make(folder)
    elif not works(python, "-c", f"import sys; sys.exit(sys.version_info < {OLDEST})"):
        raise Refused(f"{folder} has a Python older than {OLDEST[0]}.{OLDEST[1]}; delete it.")
    missing = [file.name for file in files if not installed(folder, file)]
    if not missing:
        return
    pip = ("-m", "pip", "--version")
    # There is none if its creation was interrupted, or if the tool that created it adds none.
    if not works(python, *pip) and not (works(python, "-m", "ensurepip") and works(python, *pip)):
        if active:
            raise Refused(f"{folder}, the active virtual environment, has no pip; install it.")
        make(folder)
    print(f"installing {' and '.join(missing)} (once; takes a few minutes)", flush=True)
    command = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    # All of them, so that no version is chosen which another file excludes.
    for requirements in files:
        command += ["-r", requirements]
    if not works(python, "-m", "pip", "show", "torch"):
        command.append(TORCH)
    # Wheels only: where the tested version has none for this Python or platform, another version
    # that has one is better than a build from source.
    if subprocess.run([*command, "-c", CONSTRAINTS, "--only-binary", ":all:"]).returncode:
        print(
            "the exact versions of constraints.txt could not be installed here; trying others "
            f"that the ranges of {' and '.join(missing)} allow",
            flush=True,
        )
        status = subprocess.run(command).returncode
        if status:
            raise Refused(f"pip could not install the requirements (status {status}); see above.")
    for requirements in files:
        file, digest = stamp(folder, requirements)
        file.write_text(digest)


def names(section: str, pattern: str) -> list[str]:
    """Return the matches of a pattern in a section of project.yml, which is searched by line."""
    text = (HERE / "project.yml").read_text("utf8")
    block = re.search(rf"^{section}:\n((?:[ #-].*\n|\n)*)", text, re.MULTILINE)
    return re.findall(pattern, block[1] if block else "", re.MULTILINE)


def variables() -> list[str]:
    """Return the names under `vars:` of project.yml."""
    return names("vars", r"^  (\w+):")


def steps() -> list[str]:
    """Return the names of the workflows and commands of project.yml."""
    return names("workflows", r"^  ([\w-]+):") + names("commands", r"^ *- name: ([\w-]+)")


def may_be_command(name: str) -> bool:
    """Return whether a word occurs as a function's name or in quotes where commands are declared.

    Every command does, so a mistyped one is refused before the long set-up. Other words that occur
    there are refused by the command line itself, which cannot be imported before.
    """
    pattern = rf'^def {re.escape(name.replace("-", "_"))}\(|"{re.escape(name)}"'
    files = [*HERE.glob("scripts/cli/*.py"), *HERE.glob("scripts/common/old_names.py")]
    return any(re.search(pattern, file.read_text("utf8"), re.MULTILINE) for file in files)


def is_workflow(name: str, options: list[str]) -> bool:
    """Return whether a word is a workflow or step. One that is also a command, as `annotate`, is the
    workflow if nothing or what is for the project engine follows it."""
    if name not in steps():
        return False
    engine = not options or options[0].startswith("--vars.") or options[0] in FLAGS
    pattern = rf"^def {re.escape(name)}\("
    files = HERE.glob("scripts/cli/*.py")
    return engine or not any(
        re.search(pattern, file.read_text("utf8"), re.MULTILINE) for file in files
    )


def encoded(name: str, value: str) -> str:
    """Encode a value for the project engine so that commands get it as typed.

    The engine parses it as JSON, inserts it between the quotes of a command that is parsed as JSON
    too, and splits that command as a shell does. Raises Refused for what does not survive this.
    """
    lost = r'"|\$\{' if sys.platform == "win32" else r'"|\$\{|\\\\|\\$'
    found = re.search(lost, value)
    if found:
        raise Refused(
            f"{name} {value}: the project engine cannot pass on {found[0]}; leave it out, or run "
            "the step's command itself: see run.py commands."
        )
    return json.dumps(json.dumps(value)[1:-1].replace("$", r"\u0024"))


def engine_options(options: list[str]) -> list[str]:
    """Return the options of a workflow in the form that the project engine needs. Raises Refused."""
    done, left = [], list(options)
    while left:
        name, equals, value = left.pop(0).partition("=")
        if name in (*FLAGS, "--help"):
            done.append(name)
            continue
        if not name.startswith("--vars."):
            raise Refused(f"{name}: no such option; write a variable as --vars.NAME VALUE.")
        if name[len("--vars.") :] not in variables():
            raise Refused(f"{name}: no such variable; choose from {', '.join(variables())}.")
        if not equals and (not left or left[0].startswith("--vars.")):
            raise Refused(f"{name}: its value is missing.")
        done += [name, encoded(name, value if equals else left.pop(0))]
    return done


def programs(name: str, options: list[str]) -> list[list[str]]:
    """Return the arguments of the Python processes that run a word of the command line, one after
    the other. Raises Refused for an unknown word."""
    if name == "test":
        return [[*PYTEST, *options]]
    if name == "lint":
        return [[*step, *options] for step in LINT]
    if name == "course":
        first = [] if ENCODER.exists() else programs(ENCODER_STEP, [])
        return [*first, [*LAB, *options]]
    if is_workflow(name, options):
        return [["-c", ENGINE, "project", "run", name, str(HERE), *engine_options(options)]]
    if name == "commands":
        return [["-m", "scripts", "--help"]]
    if name and not name.startswith("-") and not may_be_command(name):
        raise Refused(
            f"{name}: no such workflow, step or command; see run.py --help and run.py commands."
        )
    return [["-m", "scripts", *filter(None, [name]), *options]]


def finish(command: list, **settings) -> int:
    """Run a command and return its status. On Ctrl-C, which it receives too, wait for its end."""
    with subprocess.Popen(command, **settings) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


def main() -> int:
    # A shell that asks for completions gives no argument.
    completing = "_RUN.PY_COMPLETE" in os.environ
    if not completing and (len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help")):
        print(__doc__)
        return 0
    if "--traceback" in sys.argv:
        os.environ["SCRIPTS_TRACEBACK"] = "1"
    name, *options = [word for word in sys.argv[1:] if word != "--traceback"] or [""]
    processes = programs(name, options)
    settings = {"cwd": HERE}
    if processes[0][:2] == ["-m", "scripts"]:
        # Modules in the user's folder must not shadow those that the commands import.
        path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
        ours = {"PYTHONPATH": path, "PYTHONSAFEPATH": "1", "SCRIPTS_PROGRAM": "run.py"}
        settings = {"env": {**os.environ, **ours}}
    folder, python = environment()
    if completing and not installed(folder, REQUIREMENTS):
        # The Tab key starts no installation.
        return 0
    on_ray = name == "annotate" and re.search(r"--engine[= ]ray\b", " ".join(options))
    set_up(folder, python, [REQUIREMENTS, *EXTRAS.get("ray" if on_ray else name, [])])
    status = 0
    for arguments in processes:
        status = finish([python, *arguments], **settings) or status
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Refused, OSError) as error:
        sys.exit(f"run.py: {' '.join(str(error).split())}")
    except KeyboardInterrupt:
        sys.exit(130)
