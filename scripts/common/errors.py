"""The one error a user sees, and what becomes one."""

import errno
import re
import traceback
from typing import Any

import typer

# What is wrong with a user's disk, files or network, where an OSError does not name a file.
SURROUNDINGS = {
    getattr(errno, name)
    for name in (
        "ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EIO", "EACCES", "EPERM", "ENOENT", "ENOMEM",
        "EMFILE", "ENETDOWN", "ENETUNREACH", "EHOSTUNREACH", "ECONNREFUSED", "ECONNRESET",
        "ETIMEDOUT",
    )
    if hasattr(errno, name)
}  # fmt: skip
# What is left of a name or number that was read as a value of JSON.
CHANGED = re.compile(r"(?i)-?(inf|infinity|nan|true|false|null|none|\d\.\d+e[+-]?\d+|\de\+\d+)")


class UserError(Exception):
    """A mistake or an accident outside the code: bad file, no network, full disk.

    Its message is one line: what is wrong, where, and what to do about it.
    """


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def check_meant(option: str, value: str) -> None:
    """Raise UserError for a version, revision or name that nobody gives: the project engine reads
    the variables of its command line as JSON, which makes Infinity of the commit 12345e6789."""
    if CHANGED.fullmatch(value):
        raise UserError(
            f"{option} {value}: is that what was typed? The project engine reads variables as "
            "JSON; start it with run.py, or put quotes into quotes: --vars.NAME '\"12345e6\"'."
        )


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
    if isinstance(error, AMBIGUOUS) and frame.f_globals["__name__"].startswith("scripts."):
        raise error
    if isinstance(error, ImportError):
        package = missing_package(error)
        reason = f"a package is missing: pip install {package}" if package else first_line(error)
        raise UserError(f"{what}: {reason}") from error


def warn(text: str) -> None:
    """Print a warning as one line; wasabi breaks it after 80 characters, in the middle of a path."""
    typer.secho(f"⚠ {text}", fg="yellow", err=True)


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
