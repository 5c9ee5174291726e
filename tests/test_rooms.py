"""Each room imports only the rooms below it."""

import ast
from pathlib import Path

import pytest

from .conftest import ROOT

# From the bottom up. `wheel` stands alone: what is in it runs where this project is not.
ROOMS = (
    "common",
    "corpora",
    "encoders",
    "seq2seq",
    "training",
    "serving",
    "scale",
    "light",
    "reporting",
    "web",
)


def rooms_imported_by(path: Path) -> set[str]:
    """Return the rooms that a module imports, anywhere in it."""
    package = ("scripts", *path.relative_to(ROOT / "scripts").parent.parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = package[: len(package) - node.level + 1]
            module = [*above, *(node.module or "").split(".")]
            found |= {(module + [alias.name])[1] or alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("room", [*ROOMS, "wheel"])
def test_a_room_imports_only_the_rooms_below_it(room):
    allowed = {"wheel", *ROOMS[: ROOMS.index(room) + 1]} if room in ROOMS else {"wheel"}
    for path in sorted((ROOT / "scripts" / room).rglob("*.py")):
        assert rooms_imported_by(path) <= allowed, path.name


def test_every_folder_is_a_room():
    folders = {path.parent.name for path in (ROOT / "scripts").glob("*/__init__.py")}
    assert folders == {*ROOMS, "wheel", "cli"}
