"""The command line: one program, a module a group of commands, thin over plain functions.

What a command works with is imported when it runs: spaCy and torch take seconds, `--help` does not.
"""

import os
import re
import sys
from typing import Annotated, NoReturn

import typer

from ..common.errors import SURROUNDINGS, UserError, warn
from . import data, encoders, pipelines, training
from .options import TRACEBACK

# As it was started. Shells complete the words after a program, which `python` is not: run.py is.
PROGRAM = os.environ.get("SCRIPTS_PROGRAM", "python -m scripts")
# Commands of earlier versions, which one more version understands.
RENAMED = {"borrow": "wrap"}

# Python's own traceback: whole, where typer's leaves out frames and causes.
app = typer.Typer(
    no_args_is_help=True, add_completion=PROGRAM == "run.py", pretty_exceptions_enable=False, rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip


@app.callback()
def program(
    traceback: Annotated[
        bool, typer.Option(TRACEBACK, help="Show all of an error, for a bug report")
    ] = False,
) -> None:
    """Text classification and named entities with transformers, from raw corpora to spaCy pipelines."""


for group in (data, training, pipelines, encoders):
    group.add_to(app)


def arguments() -> list[str]:
    """Return the command line's arguments, without the quotes that the project engine leaves around
    them on Windows."""
    given = sys.argv[1:]
    if sys.platform == "win32":
        return [re.sub(r"""^(["'])(.*)\1$""", r"\2", value, flags=re.DOTALL) for value in given]
    return given


def run(command: str = "") -> NoReturn:
    """Run the program, or one `command` of it; print a UserError as one line and exit with status 1.

    An OSError of the user's surroundings (permission, disk, missing file) is one as well: it names
    the file, or its errno tells.
    """
    given = [command] * bool(command) + arguments()
    if given and given[0] in RENAMED:
        warn(f"`{given[0]}` is called `{RENAMED[given[0]]}` now; the old name will be removed")
        given[0] = RENAMED[given[0]]
    try:
        app([value for value in given if value != TRACEBACK], prog_name=PROGRAM)
    except (UserError, OSError) as error:
        if TRACEBACK in given or os.environ.get("SCRIPTS_TRACEBACK", "0") != "0":
            raise
        if isinstance(error, UserError):
            message = str(error)
        elif error.filename is not None:
            message = f"{error.filename}: {error.strerror}"
        elif error.errno in SURROUNDINGS:
            message = str(error)
        else:
            raise
    # Not wasabi's msg.fail, which breaks a line after 80 characters, in the middle of a path.
    typer.secho(f"✘ {' '.join(message.split())}", fg="red", err=True)
    sys.exit(1)


def run_module(module: str) -> NoReturn:
    """Run the command of a module, as in `python -m scripts.convert`: one more version has these."""
    command = module.rpartition(".")[2].replace("_", "-")
    warn(f"`python -m {module}` will be removed; write `{PROGRAM} {command}`")
    run(command)
