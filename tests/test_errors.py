"""One line for a user's mistake, all of a fault of ours, and arguments as they were typed."""

import errno
import sys
from collections.abc import Callable

import pytest
import typer

from scripts import cli
from scripts.common.errors import UserError, check_meant


@pytest.fixture
def program(monkeypatch) -> Callable[[Callable], None]:
    """Make a function the one command, `show`, of the command line."""

    def make(function: Callable) -> None:
        app = typer.Typer(pretty_exceptions_enable=False)
        app.callback()(lambda: None)
        app.command("show")(function)
        monkeypatch.setattr(cli, "app", app)

    return make


def failing(error: Exception) -> Callable:
    def show(word: str = "") -> None:
        raise error

    return show


@pytest.mark.parametrize(
    "error, line",
    [
        (UserError("bad\n  file"), "✘ bad file"),
        (OSError(errno.ENOSPC, "No space left"), "✘ [Errno 28] No space left"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a b"), "✘ a b: No such file"),
        (OSError(errno.EINVAL, "Invalid argument", "a:b"), "✘ a:b: Invalid argument"),
    ],
)
def test_a_users_error_is_one_line(program, command, error, line):
    program(failing(error))
    result = command("show")
    assert (result.code, result.line) == (1, line) and "Traceback" not in result.err


@pytest.mark.parametrize(
    "error", [OSError("of a library"), OSError(errno.EBADF, "Bad file descriptor"), KeyError("x")]
)
def test_a_bug_is_not_reported_as_the_users_error(program, monkeypatch, error):
    program(failing(error))
    monkeypatch.setattr(sys, "argv", ["scripts", "show"])
    with pytest.raises(type(error)) as raised:
        cli.run()
    assert raised.value is error


@pytest.mark.parametrize("arguments", (["--traceback"], ["--word", "x", "--traceback"], []))
def test_traceback_for_a_bug_report(program, monkeypatch, arguments):
    program(failing(UserError("bad")))
    monkeypatch.setattr(sys, "argv", ["scripts", "show", *arguments])
    if not arguments:
        monkeypatch.setenv("SCRIPTS_TRACEBACK", "1")
    with pytest.raises(UserError):
        cli.run()


@pytest.mark.parametrize(
    "platform, expected", [("win32", ["", "a b", "c'd", '"', "-x"]), ("linux", None)]
)
def test_quotes_that_windows_leaves_around_arguments_are_removed(
    program, monkeypatch, platform, expected
):
    given = ['""', '"a b"', "'c'd'", '"', "-x"]
    seen = []
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(sys, "argv", ["scripts", "show", *given[:4], "--x", given[4]])

    def show(words: list[str], x: str = "") -> None:
        seen.extend([*words, x])

    program(show)
    with pytest.raises(SystemExit):
        cli.run()
    assert seen == (given if expected is None else expected)


@pytest.mark.parametrize("value", ["Infinity", "nan", "true", "null", "1.2345e+71", "1e+16"])
def test_what_the_engine_made_of_a_revision_is_refused(value):
    with pytest.raises(UserError, match="is that what was typed"):
        check_meant("--revision", value)


@pytest.mark.parametrize("value", ["", "main", "12345e67", "v1.10", "1.10", "1e5", "0123456", "-"])
def test_what_can_be_a_revision_passes(value):
    check_meant("--revision", value)
