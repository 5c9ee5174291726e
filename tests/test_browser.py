"""The fixtures for pages: what they refuse, and what is said where there is no browser."""

import os
import subprocess
import sys

import pytest

from .browser import violations
from .conftest import ROOT

PAGES = """
import pytest

@pytest.mark.parametrize("html", [
    "<p>mot</p>",
    "<img src='http://192.0.2.1/a.png'>",
    "<script>fetch('https://example.org/a.json').catch(() => 0)</script>",
    "<script>new WebSocket('ws://192.0.2.1/')</script>",
    "<script>console.error('told')</script>",
    "<script>setTimeout(() => { throw Error('thrown') })</script>",
    "<meta http-equiv=Content-Security-Policy content=\\"script-src 'none'\\"><script>1</script>",
], ids=["good", "image", "fetch", "socket", "console", "thrown", "policy"])
def test(page, tmp_path, html):
    path = tmp_path / "page.html"
    path.write_text(html)
    page.goto(path.as_uri())
    page.wait_for_function("new Promise(done => setTimeout(() => done(true)))")
"""


def run(folder, **variables: str) -> subprocess.CompletedProcess:
    """Run the tests above in a folder of their own."""
    (folder / "test_pages.py").write_text(PAGES)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.browser",
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    return subprocess.run(
        [*command, f"--rootdir={folder}", "-c", folder / "pytest.ini", folder],
        cwd=ROOT, env={**environment, **variables}, capture_output=True, text=True,
    )  # fmt: skip


def test_a_page_with_an_error_or_a_request_elsewhere_fails(browser, tmp_path):
    result = run(tmp_path)
    failed = {
        line.split("[")[1].split("]")[0]
        for line in result.stdout.splitlines()
        if line.startswith("ERROR ")
    }
    assert failed == {"image", "fetch", "socket", "console", "thrown", "policy"}, result.stdout
    assert "7 passed, 6 errors" in result.stdout


@pytest.mark.parametrize("variables, outcome", [({}, "7 skipped"), ({"CI": "1"}, "7 errors")])
def test_it_is_said_loudly_that_there_is_no_browser(tmp_path, variables, outcome):
    result = run(tmp_path, PATH="", **variables)
    assert outcome in result.stdout and bool(variables) == bool(result.returncode)
    assert "BROWSER TESTS DID NOT RUN: install chromium" in result.stdout


def test_what_people_could_not_use_is_found(page, tmp_path):
    path = tmp_path / "page.html"
    path.write_text("<html lang=fr><title>a</title><main><h1>a</h1><button></button></main>")
    page.goto(path.as_uri())
    assert violations(page) == ["button-name: button: Buttons must have discernible text"]
    path.write_text("<html lang=fr><title>a</title><main><h1>a</h1><button>b</button></main>")
    page.reload()
    assert violations(page) == []
