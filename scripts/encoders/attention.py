"""Draw attention as an HTML page with a table for each layer and head."""

import json
from pathlib import Path
from typing import NamedTuple

import torch
from jinja2 import Environment, FileSystemLoader

from ..common.errors import UserError
from ..common.files import written_beside

# With more pieces the tables become unreadable.
MAX_DRAWN = 64


class View(NamedTuple):
    """One kind of attention.

    rows: the pieces that attend. columns: those that they attend to. weights: (1, heads, rows,
    columns) for each layer. causal: row n attends to columns up to n only. about: shown with it.
    """

    name: str
    rows: list[str]
    columns: list[str]
    weights: tuple[torch.Tensor, ...]
    causal: bool = False
    about: str = ""


def check_drawn(count: int, what: str = "the text") -> None:
    """Raise UserError if `count` pieces are too many to be readable as a table."""
    if count > MAX_DRAWN:
        raise UserError(
            f"--attention: {what} has {count} pieces, but the page is readable only up to "
            f"{MAX_DRAWN}; give a shorter text."
        )


def attention_page(model: str, views: list[View], language: str, texts: list[str] = []) -> str:
    """Return an HTML page that shows the attention of every layer and head; a reader chooses the view.

    model: its name. language: of the pieces. texts: shown above.
    """
    data = json.dumps(
        [
            # Thousandths take a third of the space and are finer than a colour can show.
            view._replace(
                weights=[(w[0] * 1000).round().int().tolist() for w in view.weights]
            )._asdict()
            for view in views
        ]
    )
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    return environment.get_template("attention.html").render(
        # The data must not close the script element that it is in.
        model=model, data=data.replace("<", "\\u003c"), lang=language, texts=texts,
    )  # fmt: skip


def write_page(path: Path, page: str) -> None:
    """Write a page, complete or not at all."""
    with written_beside(path.parent) as folder:
        (folder / path.name).write_text(page, encoding="utf8")
