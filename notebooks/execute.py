"""Run notebooks from top to bottom and store their outputs:

  python notebooks/execute.py                            all of them
  python notebooks/execute.py notebooks/1-encodeur.py    one

Reads the .py and writes the .ipynb. The seconds that each took are printed.
"""

import os
import sys
import time
from pathlib import Path

import jupytext
from nbclient import NotebookClient
from nbformat import NotebookNode

HERE = Path(__file__).parent
KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}


def sources() -> list[Path]:
    """Return the notebooks' sources, in the order of the course."""
    return sorted(HERE.glob("[0-9]-*.py"))


def execute(notebook: NotebookNode, **environment: str) -> None:
    """Run all cells of a notebook, as in JupyterLab, and keep their outputs in it.

    environment: further variables for its process. Raises CellExecutionError.
    """
    notebook.metadata["kernelspec"] = dict(KERNEL)
    for number, cell in enumerate(notebook.cells):
        # Random otherwise, and others each time.
        cell["id"] = f"cell-{number}"
    place = {"metadata": {"path": str(HERE)}}
    client = NotebookClient(
        notebook, timeout=None, startup_timeout=300, record_timing=False, resources=place
    )
    client.execute(env={**os.environ, **environment})


def main(paths: list[Path]) -> None:
    for path in paths:
        notebook = jupytext.read(path)
        start = time.perf_counter()
        execute(notebook)
        jupytext.write(notebook, path.with_suffix(".ipynb"))
        print(f"{path.stem}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or sources())
