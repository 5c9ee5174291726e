"""UserError, the only exception shown to users, and what is converted to it."""

import errno
import re
import traceback
from typing import Any

import typer

# Errors of the disk, file system or network, for an OSError that does not name a file.
SURROUNDINGS = {
    getattr(errno, name)
    for name in (
        "ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EIO", "EACCES", "EPERM", "ENOENT", "ENOMEM",
        "EMFILE", "ENETDOWN", "ENETUNREACH", "EHOSTUNREACH", "ECONNREFUSED", "ECONNRESET",
        "ETIMEDOUT",
    )
    if hasattr(errno, name)
}  # fmt: skip
# How a name or number is printed after having been parsed as a JSON value.
CHANGED = re.compile(r"(?i)-?(inf|infinity|nan|true|false|null|none|\d\.\d+e[+-]?\d+|\de\+\d+)")


class UserError(Exception):
    """A problem outside the code: invalid input, no network, full disk.

    The message is one line: what is wrong, where, and what to do.
    """


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the name of its type if it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def message_of(error: UserError | OSError) -> str | None:
    """Return the message that users are shown; None for an OSError that is no fault of the surroundings,
    but a bug: it names no file, and its errno is not in SURROUNDINGS."""
    if isinstance(error, UserError):
        return str(error)
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error) if error.errno in SURROUNDINGS else None


def check_meant(option: str, value: str) -> None:
    """Raise UserError for a version, revision or name that was mangled on its way here.

    `spacy project` parses variables given on its command line as JSON, which turns the commit
    12345e6789 into Infinity.
    """
    if CHANGED.fullmatch(value):
        raise UserError(
            f"{option} {value}: probably not the value you typed, as `spacy project` parses "
            "variables as JSON; use run.py, or quote the value twice: --vars.NAME '\"12345e6\"'."
        )


# What libraries raise for a missing package, and for values that they read from a file and use
# unchecked. A bug of ours raises the same: `sift` tells them apart.
AMBIGUOUS = (ImportError, TypeError, KeyError, IndexError, AttributeError, AssertionError)


def missing_package(error: BaseException | None) -> str:
    """Return the name, for pip, of the package that a library failed to import; "" if unknown."""
    found = re.search(r"`pip install ([^`]+)`|need to install ([\w-]+)", str(error))
    if found:
        return found[1] or found[2]
    while error is not None and not isinstance(error, ModuleNotFoundError):
        error = error.__cause__ or error.__context__
    return error.name if error is not None and "." not in (error.name or ".") else ""


def sift(what: str, error: Exception) -> None:
    """Re-raise an AMBIGUOUS error that was raised by this project's own code, as that is a bug.

    Raises UserError for an import that failed in a library. `what` begins its message.
    """
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    if isinstance(error, AMBIGUOUS) and frame.f_globals["__name__"].startswith("scripts."):
        raise error
    if isinstance(error, ImportError):
        package = missing_package(error)
        reason = f"a package is missing: pip install {package}" if package else first_line(error)
        raise UserError(f"{what}: {reason}") from error


def warn(text: str) -> None:
    """Print a warning on one line; wasabi wraps at 80 characters, in the middle of paths."""
    typer.secho(f"⚠ {text}", fg="yellow", err=True)


class BareExceptions:
    """Context manager that turns a bare Exception into a ValueError.

    tokenizers raises nothing more specific for a file that it cannot read. Subclasses of Exception
    pass through unchanged.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: Any
    ) -> None:
        if kind is Exception:
            raise ValueError(first_line(error)) from error
