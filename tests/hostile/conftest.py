"""Run a case: one line says what, where and what to do, and nothing changes on the disk."""

import signal
import tempfile
from collections.abc import Callable, Iterator

import pytest

from .cases import Case, Made, tree


@pytest.fixture
def check(command, tmp_path, monkeypatch) -> Iterator[Callable[..., None]]:
    """Run a case in its own folder, which holds the output of an earlier run."""
    # Deep enough to show what climbs out of it.
    temporary = tmp_path / "temporary" / "deep" / "deeper"
    temporary.mkdir(parents=True)
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it hangs"))

    def call(case: Case, module, arguments: list[str], made: Made = {}) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))
        earlier = {"out/train.spacy": b"before", "out/notes.txt": "mine"}
        for name, content in {**earlier, **case.files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if callable(content):
                content(path, made)
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        before = tree(tmp_path)
        case.patch(monkeypatch)
        signal.alarm(30)
        result = command(module, *arguments)
        signal.alarm(0)
        monkeypatch.undo()
        assert result.code == 1, result.out
        for fragment in case.fragments.split(" | "):
            assert fragment.strip() in result.line
        assert "Traceback" not in result.out + result.err
        after = tree(tmp_path)
        assert sorted(after) == sorted(before)
        assert after == before

    yield call
    signal.alarm(0)
