"""One line for a user's mistake, all of a fault of ours, and arguments as they were typed."""

import errno
import sys
from types import SimpleNamespace

import pytest

from scripts import errors
from scripts.errors import UserError, check_meant


def failing(error):
    def main(word: str = "") -> None:
        raise error

    return SimpleNamespace(main=main)


@pytest.mark.parametrize(
    "error, line",
    [
        (UserError("bad\n  file"), "✘ bad file"),
        (OSError(errno.ENOSPC, "No space left"), "✘ [Errno 28] No space left"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a b"), "✘ a b: No such file"),
        (OSError(errno.EINVAL, "Invalid argument", "a:b"), "✘ a:b: Invalid argument"),
    ],
)
def test_what_is_the_users_is_one_line(command, error, line):
    result = command(failing(error))
    assert (result.code, result.line) == (1, line) and "Traceback" not in result.err


@pytest.mark.parametrize(
    "error", [OSError("of a library"), OSError(errno.EBADF, "Bad file descriptor"), KeyError("x")]
)
def test_a_fault_of_ours_is_not_shown_as_the_users(monkeypatch, error):
    monkeypatch.setattr(sys, "argv", ["command"])
    with pytest.raises(type(error)) as raised:
        errors.run(failing(error).main)
    assert raised.value is error


@pytest.mark.parametrize("arguments", (["--traceback"], ["--word", "x", "--traceback"], []))
def test_all_of_an_error_for_a_bug_report(monkeypatch, arguments):
    monkeypatch.setattr(sys, "argv", ["command", *arguments])
    if not arguments:
        monkeypatch.setenv("SCRIPTS_TRACEBACK", "1")
    with pytest.raises(UserError):
        errors.run(failing(UserError("bad")).main)


def test_help_tells_of_it(command):
    assert "--traceback, or SCRIPTS_TRACEBACK=1" in command(failing(None), "--help").out


@pytest.mark.parametrize(
    "platform, expected", [("win32", ["", "a b", "c'd", '"', "-x"]), ("linux", None)]
)
def test_quotes_that_windows_leaves_around_arguments_go(monkeypatch, platform, expected):
    given = ['""', '"a b"', "'c'd'", '"', "-x"]
    seen = []
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(sys, "argv", ["command", *given[:4], "--x", given[4]])

    def main(words: list[str], x: str = "") -> None:
        seen.extend([*words, x])

    with pytest.raises(SystemExit):
        errors.run(main)
    assert seen == (given if expected is None else expected)


@pytest.mark.parametrize("value", ["Infinity", "nan", "true", "null", "1.2345e+71", "1e+16"])
def test_what_the_engine_made_of_a_revision_is_refused(value):
    with pytest.raises(UserError, match="is that what was typed"):
        check_meant("--revision", value)


@pytest.mark.parametrize("value", ["", "main", "12345e67", "v1.10", "1.10", "1e5", "0123456", "-"])
def test_what_can_be_a_revision_passes(value):
    check_meant("--revision", value)
