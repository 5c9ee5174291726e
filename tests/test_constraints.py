"""The versions that are stated in several files agree."""

import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import run

from .conftest import ROOT


def test_constraints_pin_every_requirement_but_torch():
    """And each within its range; what only torch requires is left to its build."""
    lines = {
        name: (ROOT / f"{name}.txt").read_text("utf8").splitlines()
        for name in ("requirements", "constraints")
    }
    required, pinned = (
        {
            canonicalize_name(r.name): r
            for r in (Requirement(line) for line in lines[name] if line and line[0] != "#")
        }
        for name in lines
    )
    assert required.keys() - pinned.keys() == {"torch"}
    for name, requirement in required.items():
        if name != "torch":
            ((operator, version),) = [(s.operator, s.version) for s in pinned[name].specifier]
            assert operator == "==" and version in requirement.specifier, name
    assert not {"torch", "sympy", "mpmath", "networkx", "triton"} & pinned.keys()
    assert not [name for name in pinned if name.startswith(("nvidia", "cuda"))]
    assert run.TORCH.removeprefix("torch==") in required["torch"].specifier


def test_the_supported_pythons_are_stated_once():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))
    assert settings["project"]["requires-python"] == f">={'.'.join(map(str, run.OLDEST))}"
