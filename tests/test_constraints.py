"""The versions that are stated in several files agree."""

import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import run

from .conftest import ROOT

EXTRAS = sum(run.EXTRAS.values(), [])


def requirements(file: Path) -> dict[str, Requirement]:
    """Return the requirements in a file, by name, without those of files that it includes."""
    lines = [line for line in file.read_text("utf8").splitlines() if line and line[0] not in "#-"]
    return {canonicalize_name(one.name): one for one in map(Requirement, lines)}


def test_constraints_pin_every_requirement_but_torch():
    """And each within its range; what only torch requires is left to its build."""
    pinned = requirements(run.CONSTRAINTS)
    required = {
        name: one
        for file in (run.REQUIREMENTS, *EXTRAS)
        for name, one in requirements(file).items()
    }
    assert required.keys() - pinned.keys() == {"torch"}
    for name, requirement in required.items():
        if name != "torch":
            ((operator, version),) = [(s.operator, s.version) for s in pinned[name].specifier]
            assert operator == "==" and version in requirement.specifier, name
    assert not {"torch", "sympy", "mpmath", "networkx", "triton"} & pinned.keys()
    assert not [name for name in pinned if name.startswith(("nvidia", "cuda"))]
    assert run.TORCH.removeprefix("torch==") in required["torch"].specifier


def test_constraints_pin_what_the_extras_bring():
    """As the installed packages state it."""
    pinned, seen = requirements(run.CONSTRAINTS), set()
    left = {name for file in EXTRAS for name in requirements(file)}
    while left:
        name = left.pop()
        seen.add(name)
        assert name in pinned
        stated = map(Requirement, metadata.requires(name) or [])
        left |= {
            canonicalize_name(one.name)
            for one in stated
            if one.marker is None or one.marker.evaluate({"extra": ""})
        } - seen


def test_the_oldest_python_has_each_pinned_version():
    """Debian 12 has 3.11.2. If one is missing, pip looks for other versions of all for many minutes."""
    oldest, pinned = ".".join(map(str, (*run.OLDEST, 0))), requirements(run.CONSTRAINTS)
    for found in metadata.distributions():
        name = canonicalize_name(found.name)
        # Where pinned ones cannot be installed, there are others.
        if name in pinned and found.version in pinned[name].specifier:
            stated = found.metadata.get("Requires-Python", "")
            assert oldest in SpecifierSet(stated), f"{name}: Python {stated}"


def test_the_supported_pythons_are_stated_once():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))
    assert settings["project"]["requires-python"] == f">={'.'.join(map(str, run.OLDEST))}"
