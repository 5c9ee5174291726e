"""The one error a user sees, and the one place where it is printed."""

import sys
from typing import NoReturn

import typer
from wasabi import msg


class UserError(Exception):
    """A mistake or an accident outside the code: bad file, no network, full disk.

    Its message is one line: what is wrong, where, and what to do about it.
    """


def run(command, *arguments, **options) -> NoReturn:
    """Run a command line; print a UserError as one line and exit with status 1.

    OSError is included because nearly all of them are the user's surroundings (permission,
    disk, missing file), and their message names the file.
    """
    try:
        typer.run(command)
    except UserError as error:
        msg.fail(" ".join(str(error).split()))
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        msg.fail(f"{error.strerror or error}{where}")
    else:
        sys.exit(0)
    sys.exit(1)
