"""The one error a user sees, and the one place where it is printed."""

import sys
from collections.abc import Callable
from typing import Any, NoReturn

import typer


class UserError(Exception):
    """A mistake or an accident outside the code: bad file, no network, full disk.

    Its message is one line: what is wrong, where, and what to do about it.
    """


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


class BareExceptions:
    """Context in which a bare Exception becomes a ValueError: tokenizers raises nothing better for a
    file that it cannot read. Errors of any kind of their own pass."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: Any
    ) -> None:
        if kind is Exception:
            raise ValueError(first_line(error)) from error


def run(command: Callable, **settings) -> NoReturn:
    """Run a function as a command line; print a UserError as one line and exit with status 1.

    OSError is included because nearly all of them are the user's surroundings (permission,
    disk, missing file), and their message names the file. `settings` go to typer's command().
    """
    app = typer.Typer(add_completion=False)
    app.command(**settings)(command)
    try:
        app()
    except UserError as error:
        message = str(error)
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    # Not wasabi's msg.fail, which breaks a line after 80 characters, in the middle of a path.
    typer.secho(f"✘ {' '.join(message.split())}", fg="red", err=True)
    sys.exit(1)
