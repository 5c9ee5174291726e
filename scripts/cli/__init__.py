"""The command line: one program with one module per group of commands, thin over plain functions.

Commands import what they need when they run, as spaCy and torch take seconds to import: `--help`
must be quick.
"""

import os
import re
import sys
from typing import Annotated, NoReturn

import typer

from ..common.errors import UserError, message_of, warn
from ..common.old_names import RENAMED
from . import annotation, comparison, data, encoders, pipelines, seq2seq, serving, training
from .options import TRACEBACK

# How the program was started. Shells can complete arguments of run.py, but not of `python -m`.
PROGRAM = os.environ.get("SCRIPTS_PROGRAM", "python -m scripts")

# Python's own traceback, as typer's omits frames and causes.
app = typer.Typer(
    no_args_is_help=True, add_completion=PROGRAM == "run.py", pretty_exceptions_enable=False, rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip


@app.callback()
def program(
    traceback: Annotated[
        bool, typer.Option(TRACEBACK, help="Show the traceback of an error, for a bug report")
    ] = False,
) -> None:
    """From raw corpora to spaCy pipelines: text classification and NER with transformers."""


for group in (data, training, pipelines, comparison, serving, annotation, encoders, seq2seq):
    group.add_to(app)


def arguments() -> list[str]:
    """Return the command-line arguments, without the quotes that `spacy project` leaves around them
    on Windows."""
    values = sys.argv[1:]
    if sys.platform == "win32":
        return [re.sub(r"""^(["'])(.*)\1$""", r"\2", value, flags=re.DOTALL) for value in values]
    return values


def run() -> NoReturn:
    """Run the program; report a UserError in one line and exit with status 1.

    So is an OSError caused by the environment (permissions, disk, missing files): one that names a
    file, or whose errno is in SURROUNDINGS.
    """
    given = arguments()
    if given and given[0] in RENAMED:
        warn(
            f"`{given[0]}` has been renamed to `{RENAMED[given[0]]}`; the old name will be removed"
        )
        given[0] = RENAMED[given[0]]
    try:
        app([value for value in given if value != TRACEBACK], prog_name=PROGRAM)
    except (UserError, OSError) as error:
        message = message_of(error)
        shown = TRACEBACK in given or os.environ.get("SCRIPTS_TRACEBACK", "0") != "0"
        if shown or message is None:
            raise
    # Not wasabi's msg.fail, which wraps lines at 80 characters, in the middle of paths.
    typer.secho(f"✘ {' '.join(message.split())}", fg="red", err=True)
    sys.exit(1)
