"""The course's notebooks: each has its outputs, and each runs from top to bottom."""

import ast
import re
import shutil
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
from nbformat import NotebookNode
from transformers import CamembertForMaskedLM, DistilBertForMaskedLM, set_seed

from notebooks.execute import HERE, execute, sources
from scripts.seq2seq.small_marian import read_pairs, train_marian

from .conftest import SAMPLE
from .hub import add_corpora, recorded

NOTEBOOKS = pytest.mark.parametrize("source", sources(), ids=lambda path: path.stem)
# Paths of a machine, and what a bar, a warning or an error leaves behind.
NOISE = re.compile(r"/(?:home|root|tmp|Users|usr|work)/|[A-Z]:\\|it/s|Warning\b|Traceback")


def stored(source: Path) -> NotebookNode:
    """Return the notebook with outputs that belongs to a source."""
    return nbformat.read(source.with_suffix(".ipynb"), nbformat.NO_CONVERT)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(cell: NotebookNode) -> list[str]:
    """Return what a cell printed and displays, but for its pictures."""
    found = []
    for output in cell.outputs:
        found.append(output.get("text", ""))
        found += [
            "".join(value) for kind, value in output.get("data", {}).items() if "image" not in kind
        ]
    return found


def with_values(notebook: NotebookNode, values: dict[str, Any]) -> None:
    """Assign values to parameters of a notebook, after its own assignments."""
    (cell,) = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", ())]
    assert cell is code_cells(notebook)[0]
    statements = ast.parse(cell.source).body
    names = [target.id for statement in statements for target in statement.targets]
    for statement in statements:
        ast.literal_eval(statement.value)
    lines = [f"{name} = {value!r}" for name, value in values.items()]
    assert values.keys() <= set(names)
    cell.source = "\n".join([cell.source, *lines])


def reduced(source: Path, **values: Any) -> NotebookNode:
    """Return a notebook in its reduced setting, with further values of its parameters."""
    notebook = jupytext.read(source)
    setting = code_cells(notebook)[0].metadata["reduced"]
    with_values(notebook, {**setting, **values})
    return notebook


def run(notebook: NotebookNode, folder: Path, **environment: str) -> None:
    """Execute a notebook in a process that writes nowhere but below `folder`."""
    own = {"IPYTHONDIR": str(folder / "ipython"), "HF_HOME": str(folder / "hub")}
    execute(notebook, **{"HF_HUB_OFFLINE": "1", **own, **environment})


@NOTEBOOKS
def test_a_notebook_is_stored_with_its_outputs(source):
    """Those of the cells as they are in its source, run in their order, without noise."""
    written, notebook = jupytext.read(source), stored(source)
    assert [(c.cell_type, c.source) for c in notebook.cells] == [
        (c.cell_type, c.source) for c in written.cells
    ]
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any(cell.outputs for cell in cells)
    for cell in cells:
        kinds = {output.output_type for output in cell.outputs}
        assert "error" not in kinds
        for text in texts(cell):
            assert not NOISE.search(text), text[:300]


@NOTEBOOKS
def test_a_notebook_runs_from_top_to_bottom(source, distilbert, tmp_path):
    """Every cell, in the reduced setting and with a tiny encoder; it leaves no file beside it."""
    beside = sorted(path.name for path in HERE.iterdir() if path.suffix)
    names = ast.parse(code_cells(jupytext.read(source))[0].source).body
    own = {"WORK": str(tmp_path / "work"), "ENCODER": str(distilbert)}
    given = {target.id for statement in names for target in statement.targets}
    notebook = reduced(source, **{name: own[name] for name in own.keys() & given})
    run(notebook, tmp_path)
    assert all(cell.execution_count for cell in code_cells(notebook))
    assert beside == sorted(path.name for path in HERE.iterdir() if path.suffix)


@pytest.fixture(scope="module")
def hub(distilbert, camembert, heads, tmp_path_factory) -> Path:
    """A stand-in for the hub: minuscule checkpoints under the names of the published ones, corpora."""
    root = tmp_path_factory.mktemp("hub")
    add_corpora(root)
    set_seed(0)
    multilingual = root / "models" / "distilbert-base-multilingual-cased"
    shutil.copytree(distilbert, multilingual)
    DistilBertForMaskedLM.from_pretrained(distilbert).save_pretrained(multilingual)
    shutil.copytree(camembert, root / "models" / "camembert-base")
    masked = CamembertForMaskedLM.from_pretrained(camembert)
    masked.save_pretrained(root / "models" / "camembert-base")
    shutil.copytree(heads / "camembert", root / "models" / "Jean-Baptiste" / "camembert-ner")
    marian = root / "models" / "Helsinki-NLP" / "opus-mt-fr-en"
    train_marian(read_pairs(SAMPLE / "pairs-fr-en.tsv")[:20], marian, steps=1)
    return root


# What each notebook asks the hub for.
ASKED = {
    "1-encodeur": ["distilbert-base-multilingual-cased"],
    "2-affiner": ["distilbert-base-multilingual-cased", "nyu-mll/glue", "camembert-base"],
    "3-entites": ["camembert-base", "Jean-Baptiste/camembert-ner", "Jean-Baptiste/wikiner_fr"],
    "4-preentrainer": ["camembert-base"],
    "5-encodeur-decodeur": ["Helsinki-NLP/opus-mt-fr-en"],
}


@pytest.mark.parametrize("name", ASKED)
def test_a_notebook_switches_to_the_hub(name, hub, tmp_path):
    """To its encoders and corpora; the archive of FLUE, which is no data set there, is in its folder."""
    given = {"HUB": True, "WORK": str(tmp_path / "work")}
    if name == "2-affiner":
        shutil.copytree(SAMPLE / "cls-fr", tmp_path / "corpora" / "flue")
        given["CORPORA"] = str(tmp_path / "corpora")
    notebook = reduced(HERE / f"{name}.py", **given)
    if name == "5-encodeur-decodeur":
        # Nothing that follows depends on it.
        last = max(n for n, cell in enumerate(notebook.cells) if "if HUB" in cell.source)
        del notebook.cells[last + 1 :]
    with recorded(hub) as (address, requests):
        home = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "0"}
        run(notebook, tmp_path, **home)
    assert all(cell.execution_count for cell in code_cells(notebook))
    for asked in ASKED[name]:
        assert any(asked in request for request in requests), asked
