"""User errors are reported in one line, bugs with their traceback; arguments arrive as typed."""

import errno
import sys
from collections.abc import Callable

import pytest
import typer

from scripts import cli
from scripts.common.errors import UserError, check_meant


@pytest.fixture
def program(monkeypatch) -> Callable[[Callable], None]:
    """Return a function that makes another one `show`, the only command of the command line."""

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
def test_user_error_is_reported_in_one_line(program, command, error, line):
    program(failing(error))
    result = command("show")
    assert (result.code, result.line) == (1, line) and "Traceback" not in result.err


@pytest.mark.parametrize(
    "error",
    [OSError("raised by a library"), OSError(errno.EBADF, "Bad file descriptor"), KeyError("x")],
)
def test_bug_is_not_reported_as_user_error(program, monkeypatch, error):
    program(failing(error))
    monkeypatch.setattr(sys, "argv", ["scripts", "show"])
    with pytest.raises(type(error)) as raised:
        cli.run()
    assert raised.value is error


@pytest.mark.parametrize("arguments", (["--traceback"], ["--word", "x", "--traceback"], []))
def test_traceback_option_and_variable(program, monkeypatch, arguments):
    program(failing(UserError("bad")))
    monkeypatch.setattr(sys, "argv", ["scripts", "show", *arguments])
    if not arguments:
        monkeypatch.setenv("SCRIPTS_TRACEBACK", "1")
    with pytest.raises(UserError):
        cli.run()


@pytest.mark.parametrize(
    "platform, expected", [("win32", ["", "a b", "c'd", '"', "-x"]), ("linux", None)]
)
def test_quotes_left_around_arguments_on_windows_are_removed(
    program, monkeypatch, platform, expected
):
    given = ['""', '"a b"', "'c'd'", '"', "-x"]
    received = []
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(sys, "argv", ["scripts", "show", *given[:4], "--x", given[4]])

    def show(words: list[str], x: str = "") -> None:
        received.extend([*words, x])

    program(show)
    with pytest.raises(SystemExit):
        cli.run()
    assert received == (given if expected is None else expected)


@pytest.mark.parametrize("value", ["Infinity", "nan", "true", "null", "1.2345e+71", "1e+16"])
def test_revision_mangled_by_spacy_project_is_refused(value):
    with pytest.raises(UserError, match="probably not the value you typed"):
        check_meant("--revision", value)


@pytest.mark.parametrize("value", ["", "main", "12345e67", "v1.10", "1.10", "1e5", "0123456", "-"])
def test_plausible_revision_is_accepted(value):
    check_meant("--revision", value)
