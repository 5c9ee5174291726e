"""Pages in a real browser: fixtures that open them, and what every page must keep to.

Nothing is fetched from other machines, nothing fails in the console; `violations` tells who could not
use the page.
"""

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# What requirements-test.txt adds; without it the other tests run.
ADDED = ("fastapi", "uvicorn", "playwright", "axe_playwright_python", "jupyterlab", "jupytext")
MISSING = [name for name in ADDED if find_spec(name) is None]
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# playwright itself disables the sandbox, which root cannot have, updates and sync.
LOOPBACK = ("127.0.0.1", "localhost", "::1")
NO_OTHER_MACHINE = ", ".join(["MAP * ~NOTFOUND", *(f"EXCLUDE {host}" for host in LOOPBACK)])
FLAGS = ("--disable-gpu", "--disable-quic", f"--host-resolver-rules={NO_OTHER_MACHINE}")
DID_NOT_RUN = "BROWSER TESTS DID NOT RUN: install chromium"
LOUD = re.compile(r"[A-Z]+ TESTS DID NOT RUN: [\w. -]+")
NOT_INSTALLED = (
    "TESTS OF PAGES, serve AND THE COURSE DID NOT RUN: pip install -r requirements-test.txt"
)
# What axe-core tests: WCAG 2.2 at levels A and AA, and what it calls best practices.
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


class Heard(NamedTuple):
    """What pages did: errors of their consoles and scripts, and the addresses that they asked for."""

    errors: list[str]
    requests: list[str]

    @property
    def elsewhere(self) -> list[str]:
        """The addresses that are not on this machine."""
        parts = [(url, urlsplit(url)) for url in self.requests]
        return [
            url
            for url, part in parts
            if part.scheme not in ("file", "data", "blob", "about")
            and part.hostname not in LOOPBACK
        ]


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """The Chromium or Chrome of this machine. Without one the test is skipped; on CI it fails.

    While it is open, playwright's event loop runs in this thread: other tests cannot start one.
    """
    if MISSING:
        pytest.skip(NOT_INSTALLED)
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(DID_NOT_RUN)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def heard() -> Heard:
    """What the test's pages did. A test that provokes an error looks for it here and removes it."""
    return Heard([], [])


@pytest.fixture
def new_page(browser, heard) -> Iterator[Callable[..., "Page"]]:
    """Open an empty page as a visitor of its own, with options of playwright's `new_context`: locale,
    viewport, color_scheme….

    Fails at the end of the test if a page had an error or asked another machine for anything.
    """
    contexts = []

    def call(**options) -> "Page":
        context = browser.new_context(**options)
        contexts.append(context)
        context.on("request", lambda request: heard.requests.append(request.url))
        context.on("weberror", lambda error: heard.errors.append(str(error.error)))
        context.on("console", lambda said: said.type == "error" and heard.errors.append(said.text))
        page = context.new_page()
        page.on("websocket", lambda socket: heard.requests.append(socket.url))
        return page

    yield call
    for context in contexts:
        context.close()
    assert not heard.errors
    assert not heard.elsewhere


@pytest.fixture
def page(new_page) -> "Page":
    """An empty page, of 1280 by 720 pixels, in English."""
    return new_page()


def violations(page: "Page") -> list[str]:
    """Return what axe-core objects to in a page as it is now, a line for each element."""
    from axe_playwright_python.sync_playwright import Axe

    options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{rule['id']}: {' '.join(map(str, node['target']))}: {rule['help']}"
        for rule in found
        for node in rule["nodes"]
    ]


def overflow(page: "Page") -> int:
    """Return by how many pixels a page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")


def pytest_configure() -> None:
    if MISSING and os.environ.get("CI"):
        raise pytest.UsageError(NOT_INSTALLED)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly that tests were skipped for want of a browser, or of another program."""
    if MISSING:
        terminalreporter.section(NOT_INSTALLED, sep="!", red=True, bold=True)
    skipped = terminalreporter.stats.get("skipped", [])
    found = (LOUD.search(str(report.longrepr)) for report in skipped)
    for reason, number in Counter(match[0] for match in found if match).items():
        terminalreporter.section(f"{reason} ({number} skipped)", sep="!", red=True, bold=True)
