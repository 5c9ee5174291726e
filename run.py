#!/usr/bin/env python3
"""Set up and go, on a fresh machine.

  python3 run.py demo --vars.seed 1  a workflow or a step of project.yml, its variables as they are
                                     typed; paths are relative to the project
  python3 run.py convert --help      a command of scripts/; paths are relative to where you are
  python3 run.py commands            all of these commands, one line each
  python3 run.py test                the tests

Installs requirements.txt, once, into the active virtual environment, or else into `.venv` here.
Standard library only. ./run.py --install-completion completes them in your shell. --traceback shows all of an error, for a bug report.
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
# The version all this was tested with. Installed only where there is no torch yet: a build for
# your GPU, or another of the range in requirements.txt, stays.
TORCH = "torch==2.13.0"
# What is missing where Python comes without venv and pip.
VENV = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
# What the project engine takes beside variables.
FLAGS = ("--force", "-F", "--dry", "-D", "--help")
# A quarter of a second after Ctrl-C the engine would kill its command, which is about to say where
# its work is: so it waits.
ENGINE = """
import signal
from spacy.cli import setup_cli
signal.signal(signal.SIGINT, lambda *_: None)
setup_cli()
"""


class Refused(Exception):
    """One line: what is wrong, and what to do about it."""


def works(python: Path, *arguments: str) -> bool:
    """Tell whether an interpreter starts and does something."""
    try:
        return subprocess.run([python, *arguments], capture_output=True).returncode == 0
    except OSError:
        return False


def make(folder: Path) -> None:
    """Make a virtual environment, whole or not at all, in the place of a broken one."""
    print(f"making a virtual environment in {folder}", flush=True)
    try:
        import venv

        venv.create(folder, clear=True, symlinks=sys.platform != "win32", with_pip=True)
    except (ImportError, OSError, ValueError, subprocess.CalledProcessError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise Refused(
            f"{folder} cannot be made ({error}). On Debian and Ubuntu: sudo apt install {VENV}; "
            "elsewhere a Python with venv and pip. Then run again."
        ) from error


def environment() -> tuple[Path, Path]:
    """Return the active virtual environment, or else `.venv`, and its interpreter.

    A `.venv` that is missing or does not start is made. Raises Refused.
    """
    if sys.prefix != sys.base_prefix:
        return Path(sys.prefix), Path(sys.executable)
    folder = HERE / ".venv"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not works(python, "-c", ""):
        make(folder)
    elif not works(python, "-c", f"import sys; sys.exit(sys.version_info < {OLDEST})"):
        raise Refused(f"{folder} has an older Python than {OLDEST[0]}.{OLDEST[1]}; delete it.")
    return folder, python


def install(folder: Path, python: Path) -> None:
    """Install the requirements with pip, unless this very file was installed before. Raises
    Refused."""
    stamp = folder / "requirements.sha256"
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    pip = ("-m", "pip", "--version")
    # Half made, or by a tool that leaves pip out.
    if not works(python, *pip) and not (works(python, "-m", "ensurepip") and works(python, *pip)):
        if sys.prefix != sys.base_prefix:
            raise Refused(f"{folder}, the active virtual environment, has no pip; put it there.")
        make(folder)
    print("installing requirements.txt (once; one to some minutes)", flush=True)
    command = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    torch = [] if works(python, "-m", "pip", "show", "torch") else [[*command, TORCH]]
    for step in (*torch, [*command, "-r", REQUIREMENTS]):
        status = subprocess.run(step).returncode
        if status:
            raise Refused(f"pip could not install the requirements (status {status}); see above.")
    stamp.write_text(digest)


def names(section: str, pattern: str) -> list[str]:
    """Return what of a section of project.yml matches a pattern, line by line."""
    text = (HERE / "project.yml").read_text("utf8")
    block = re.search(rf"^{section}:\n((?:[ #-].*\n|\n)*)", text, re.MULTILINE)
    return re.findall(pattern, block[1] if block else "", re.MULTILINE)


def variables() -> list[str]:
    """Return the names under `vars:` of project.yml."""
    return names("vars", r"^  (\w+):")


def steps() -> list[str]:
    """Return the names of the workflows and commands of project.yml."""
    return names("workflows", r"^  ([\w-]+):") + names("commands", r"^ *- name: ([\w-]+)")


def encoded(name: str, value: str) -> str:
    """Return a value for the project engine from which its commands get what was typed.

    The engine reads it as JSON, puts it between the quotes of a command that is JSON as well, then
    splits that as a shell does. Raises Refused for what does not survive.
    """
    lost = r'"|\$\{' if sys.platform == "win32" else r'"|\$\{|\\\\|\\$'
    found = re.search(lost, value)
    if found:
        raise Refused(
            f"{name} {value}: the project engine cannot pass on {found[0]}; give it without, or "
            "run the command itself, see --help."
        )
    return json.dumps(json.dumps(value)[1:-1].replace("$", r"\u0024"))


def engine_options(options: list[str]) -> list[str]:
    """Return the options of a workflow as the project engine is to get them. Raises Refused."""
    done, left = [], list(options)
    while left:
        name, equals, value = left.pop(0).partition("=")
        if name in FLAGS:
            done.append(name)
            continue
        if not name.startswith("--vars."):
            raise Refused(f"{name}: no such option; a variable is --vars.NAME VALUE.")
        if name[len("--vars.") :] not in variables():
            raise Refused(f"{name}: no such variable; there are {', '.join(variables())}.")
        if not equals and (not left or left[0].startswith("--vars.")):
            raise Refused(f"{name}: its value is missing.")
        done += [name, encoded(name, value if equals else left.pop(0))]
    return done


def finish(command: list, **settings) -> int:
    """Run a command and return its status. At Ctrl-C, which it gets as well, wait for its end."""
    with subprocess.Popen(command, **settings) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


def main() -> int:
    # A shell asks for completions with no word on the command line.
    completing = "_RUN.PY_COMPLETE" in os.environ
    if not completing and (len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help")):
        print(__doc__)
        return 0
    name, *options = [word for word in sys.argv[1:] if word != "--traceback"] or [""]
    if "--traceback" in sys.argv:
        os.environ["SCRIPTS_TRACEBACK"] = "1"
    settings = {"cwd": HERE}
    if name == "test":
        # Two at a time, a file's tests together, in the order of tests/conftest.py: half the time.
        command = [
            "-m",
            "pytest",
            "-n",
            "2",
            "--dist",
            "loadfile",
            "--no-loadscope-reorder",
            *options,
        ]
    elif name in steps():
        command = ["-c", ENGINE, "project", "run", name, str(HERE), *engine_options(options)]
    else:
        words = {"": [], "commands": ["--help"]}.get(name, [name, *options])
        command = ["-m", "scripts", *words]
        # Nothing in the user's folder is taken for a module.
        path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
        settings = {
            "env": {
                **os.environ,
                "PYTHONPATH": path,
                "PYTHONSAFEPATH": "1",
                "SCRIPTS_PROGRAM": "run.py",
            }
        }
    folder, python = environment()
    install(folder, python)
    return finish([python, *command], **settings)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Refused, OSError) as error:
        sys.exit(f"run.py: {' '.join(str(error).split())}")
    except KeyboardInterrupt:
        sys.exit(130)
