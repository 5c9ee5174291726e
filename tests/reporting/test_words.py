"""Every text of the templates has a French one."""

import pytest
from jinja2 import nodes

from scripts.reporting.templates import HERE, Words, environment
from scripts.serving.comparison import TESTS
from scripts.serving.intervals import SCORES

# Texts that are put together.
JOINED = [
    *(f"p: {test}, two-sided." for test in TESTS.values()),
    *(
        f"Each sample, by {unit}, is part of the next larger one; each seed draws others."
        for unit in ("example", "document")
    ),
    *SCORES.values(),
]


def texts_of(template: str) -> set[str]:
    """Return the constants that a template passes to `_` as the text to translate."""
    pages = environment("en")
    tree = pages.parse((HERE / template).read_text("utf8"))
    calls = [call for call in tree.find_all(nodes.Call) if getattr(call.node, "name", "") == "_"]
    found = set()
    for call in calls:
        choices = [call.args[0]]
        if isinstance(choices[0], nodes.CondExpr):
            choices = [choices[0].expr1, choices[0].expr2]
        found |= {choice.value for choice in choices if isinstance(choice, nodes.Const)}
    return found


@pytest.mark.parametrize("template", sorted(path.name for path in HERE.glob("*.html")))
def test_every_text_has_a_translation(template):
    texts = texts_of(template)
    assert texts or "_(" not in (HERE / template).read_text("utf8")
    french = environment("fr").globals["_"].french
    assert texts | set(JOINED) <= set(french)


def test_a_text_without_a_translation_is_an_error():
    assert Words("en")("{n} texts", n=3) == "3 texts"
    with pytest.raises(KeyError):
        Words("fr")("something else")
