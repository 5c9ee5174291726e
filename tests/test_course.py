"""`run.py course` in a browser: JupyterLab opens a notebook, runs it, and draws what it displays."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import jupytext
import nbformat
import pytest
from playwright.sync_api import Page, expect

import run
from notebooks.execute import HERE, KERNEL

from .conftest import ROOT
from .test_notebooks import reduced

ENTITIES = """\
import spacy
from spacy import displacy

doc = spacy.blank("fr")("Marie Curie vit à Paris.")
doc.ents = [doc.char_span(0, 11, "PER"), doc.char_span(18, 23, "LOC")]
displacy.render(doc, style="ent", jupyter=True)"""


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@pytest.fixture(scope="module")
def project(distilbert, tmp_path_factory) -> Path:
    """A project with its notebooks: the first as it is, and `drawn`, its beginning with a tiny encoder,
    not yet run, and displaCy."""
    folder = tmp_path_factory.mktemp("course")
    for name in ("scripts", "assets", "configs"):
        (folder / name).symlink_to(ROOT / name)
    notebooks = folder / "notebooks"
    shutil.copytree(HERE, notebooks, ignore=shutil.ignore_patterns("__pycache__"))
    notebook = reduced(HERE / "1-encodeur.py", ENCODER=str(distilbert), WORK="training/course")
    last = next(i for i, cell in enumerate(notebook.cells) if "framed" in cell.source)
    notebook.cells = [*notebook.cells[: last + 1], nbformat.v4.new_code_cell(ENTITIES)]
    notebook.metadata["kernelspec"] = KERNEL
    jupytext.write(notebook, notebooks / "drawn.ipynb")
    return folder


@pytest.fixture(scope="module")
def lab(project) -> Iterator[str]:
    """The address of JupyterLab, started as run.py starts it, with its token and `{}` for a path. It does
    not open again what an earlier test had open."""
    port, home = free_port(), project / "home"
    # All cells are in the page, not only those that one sees.
    settings = home / "config" / "lab" / "user-settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
    folders = {
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "IPYTHONDIR": home / "ipython",
    }
    options = ["--no-browser", f"--port={port}", "--ServerApp.port_retries=0"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--allow-root")
    *_, command = run.programs("course", options)
    environment = {**os.environ, **{name: str(path) for name, path in folders.items()}}
    with (
        (project / "log").open("w") as log,
        subprocess.Popen(
            [sys.executable, *command], cwd=project, env=environment, stdout=log, stderr=log
        ) as process,
    ):
        try:
            while not (found := list(folders["JUPYTER_RUNTIME_DIR"].glob("jpserver-*.json"))):
                assert process.poll() is None, (project / "log").read_text()
                time.sleep(0.1)
            server = json.loads(found[0].read_text())
            yield f"{server['url']}lab/tree/{{}}?token={server['token']}&reset"
        finally:
            process.terminate()


def opened(page: Page, lab: str, name: str) -> None:
    """Open a notebook and wait for its kernel."""
    page.goto(lab.format(name))
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=60_000)


def test_what_a_notebook_displays_is_drawn(lab, page):
    """After its cells are run: tables, pictures, attention in its frame, displaCy's entities."""
    opened(page, lab, "drawn.ipynb")
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
    entities = page.locator(".jp-RenderedHTMLCommon mark.entity")
    expect(entities).to_have_count(2, timeout=120_000)
    assert [text.split() for text in entities.all_inner_texts()] == [
        ["Marie", "Curie", "PER"], ["Paris", "LOC"]
    ]  # fmt: skip
    colours = entities.evaluate_all("all => all.map(m => getComputedStyle(m).backgroundColor)")
    assert len({*colours, "rgba(0, 0, 0, 0)"}) == 3
    table = page.locator(".jp-RenderedHTMLCommon table").first
    expect(table).to_contain_text("num_hidden_layers")
    widths = page.locator(".jp-RenderedImage img").evaluate_all(
        "all => all.map(i => i.naturalWidth)"
    )
    assert len(widths) == 3 and all(widths)
    attention = page.frame_locator(".jp-RenderedHTMLCommon iframe").locator("#map tbody tr")
    assert attention.count() == attention.first.locator("td").count() > 10
    attention.first.locator("td").first.hover()
    expect(page.frame_locator(".jp-RenderedHTMLCommon iframe").locator("#readout")).to_contain_text(
        "→"
    )


def test_opening_and_saving_a_notebook_changes_nothing(lab, page, project):
    """But for the version of Python, which Jupyter writes down."""
    source, pair = (project / "notebooks" / f"1-encodeur.{kind}" for kind in ("py", "ipynb"))
    before, text = json.loads(pair.read_text("utf8")), source.read_text("utf8")
    opened(page, lab, "1-encodeur.ipynb")
    expect(page.locator(".jp-RenderedHTMLCommon table").first).to_be_visible()
    saved = pair.stat().st_mtime_ns
    with page.expect_response(
        lambda answer: (
            "/api/contents/1-encodeur.ipynb" in answer.url and answer.request.method == "PUT"
        )
    ) as written:
        page.keyboard.press("Control+s")
    assert written.value.ok and pair.stat().st_mtime_ns > saved
    after = json.loads(pair.read_text("utf8"))
    for notebook in (before, after):
        notebook["metadata"]["language_info"].pop("version")
    assert after == before and source.read_text("utf8") == text
