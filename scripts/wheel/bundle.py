"""Make one file of a module of this folder and of those that it imports from it.

`spacy package` runs each --code file on its own, where an import of its neighbour fails.
"""

import ast
from pathlib import Path

FOLDER = Path(__file__).parent
# Of what a wheel includes, the module that registers what its config names.
TORCH, ONNX = "components", "onnx"


def neighbours(tree: ast.Module) -> list[ast.ImportFrom]:
    """Return a module's imports from its own folder."""
    return [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.level == 1]


def in_order(name: str) -> list[str]:
    """Return the names of the modules that a module needs, itself last, each after those it needs."""
    found: list[str] = []
    for node in neighbours(ast.parse((FOLDER / f"{name}.py").read_text("utf8"))):
        found += [module for module in in_order(node.module or "") if module not in found]
    return [*found, name]


def bundle(name: str) -> str:
    """Return the source of a module with those that it needs before it, instead of imports."""
    parts = []
    for module in in_order(name):
        source = (FOLDER / f"{module}.py").read_text("utf8")
        lines = source.splitlines()
        for node in neighbours(ast.parse(source)):
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
        parts.append("\n".join(lines).strip())
    return "\n\n\n".join(parts) + "\n"
