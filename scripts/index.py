"""Write the front door, index.html: every scored pipeline, comparison and learning curve in tables."""

from pathlib import Path

from wasabi import msg

from .common.errors import UserError, warn
from .common.files import check_file, written_beside
from .reporting.index import Folders, language_of, tables
from .reporting.templates import check_language, read, render

INDEX = "index.html"
# What the page says of its origin; another page of this name is not replaced.
GENERATOR = "spacy-project index"
# How many files a warning names.
NAMED = 5


def is_foreign(page: Path) -> bool:
    """Return whether there is a page that this module did not write."""
    return page.exists() and GENERATOR not in page.read_text("utf8", errors="replace")


def write_index(page: Path, folders: Folders, language: str = "") -> None:
    """Write the front door. Files that it has no place for are named on stderr.

    language: fr or en (default: fr if all pipelines are French, else en).
    """
    found, others = tables(folders)
    if others:
        names = ", ".join(map(str, others[:NAMED]))
        more = f" and {len(others) - NAMED:,} more" if len(others) > NAMED else ""
        warn(f"{page} leaves out {names}{more}: not in the current format of metrics or figures")
    language = language or language_of(found["pipelines"])
    html = render(INDEX, language, generator=GENERATOR, script=read("sort.js"), **found)
    with written_beside(page.parent) as folder:
        # A name or label can have half of a surrogate pair, which UTF-8 cannot write.
        (folder / page.name).write_text(html, encoding="utf8", errors="replace")
    msg.good(f"{page}: {len(found['pipelines']):,} pipelines")


def update_index(folders: Folders) -> None:
    """Write the front door of a folder of pages again, unless that has a page of another origin."""
    page = folders.reports / INDEX
    if page.is_dir() or is_foreign(page):
        warn(f"{page}: not made by this project, and left as it is; `index` lists all pipelines")
    else:
        write_index(page, folders)


def index(
    output: Path, metrics: Path, training: Path | None, packages: Path | None, language: str
) -> None:
    """Write the front door to a file, and print how many pipelines it lists.

    training, packages: folders of the pipelines and of their wheels (default: beside that of the
    metrics). Raises UserError, also rather than replace a page of another origin.
    """
    check_file(output)
    check_language(language)
    if not metrics.is_dir():
        raise UserError(f"{metrics}: no such folder; name that of the metrics with --metrics.")
    if is_foreign(output):
        raise UserError(f"{output}: not made by `index`; delete it, or name another file.")
    folders = Folders.beside(metrics, output.parent)
    write_index(
        output,
        folders._replace(
            training=training or folders.training, packages=packages or folders.packages
        ),
        language,
    )
