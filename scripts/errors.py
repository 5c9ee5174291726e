"""The one error a user sees, and the one place where it is printed."""

import re
import sys
import traceback
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


# What libraries raise for a package that is missing, and for values of a file that they use without
# a look at them. A fault of ours raises the same: `sift` tells which it was.
AMBIGUOUS = (ImportError, TypeError, KeyError, IndexError, AttributeError, AssertionError)


def missing_package(error: BaseException | None) -> str:
    """Return the package, as pip knows it, that a library failed to import, or nothing."""
    found = re.search(r"`pip install ([^`]+)`|need to install ([\w-]+)", str(error))
    if found:
        return found[1] or found[2]
    while error is not None and not isinstance(error, ModuleNotFoundError):
        error = error.__cause__ or error.__context__
    return error.name if error is not None and "." not in (error.name or ".") else ""


def sift(what: str, error: Exception) -> None:
    """Raise an AMBIGUOUS error again where it comes from a line of this project: a fault of ours.
    Raise UserError for an import that failed within a library."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    if isinstance(error, AMBIGUOUS) and frame.f_globals["__name__"].split(".")[0] == __package__:
        raise error
    if isinstance(error, ImportError):
        package = missing_package(error)
        reason = f"a package is missing: pip install {package}" if package else first_line(error)
        raise UserError(f"{what}: {reason}") from error


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
