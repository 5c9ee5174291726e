"""Names of earlier versions, accepted for one more version."""

import runpy
import sys
from typing import NoReturn

from .errors import warn

# Commands, and the modules that were run as commands.
RENAMED = {"borrow": "wrap", "e5": "unpack-e5", "identity": "fingerprint"}


def run_module(module: str) -> NoReturn:
    """Run the command that a module was (`python -m scripts.convert`)."""
    name = module.rpartition(".")[2].replace("_", "-")
    command = RENAMED.get(name, name)
    sys.argv.insert(1, command)
    try:
        runpy.run_module("scripts", run_name="__main__")
    except SystemExit as end:
        # A refusal stays one line.
        if end.code:
            raise
    warn(f"`python -m {module}` will be removed; use `python -m scripts {command}`")
    sys.exit()
