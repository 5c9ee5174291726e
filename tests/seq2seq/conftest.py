"""A minuscule Marian that has learnt sentence pairs, untrained checkpoints of other families, and lines to
learn marks and capitals from."""

import random
from pathlib import Path

import pytest

from scripts.seq2seq.small_marian import Pairs, read_pairs, train_marian

from ..conftest import SAMPLE
from . import families


@pytest.fixture(scope="session")
def pairs() -> Pairs:
    return read_pairs(SAMPLE / "pairs-fr-en.tsv")[:40]


@pytest.fixture(scope="session")
def marian(pairs, tmp_path_factory) -> Path:
    """A Marian that translates `pairs`."""
    folder = tmp_path_factory.mktemp("marian") / "tiny-marian"
    losses = train_marian(pairs, folder, steps=160)
    assert losses[0] > 4 and losses[-1] < 0.2
    return folder


@pytest.fixture(scope="session")
def translators(pairs, distilbert, tmp_path_factory) -> dict[str, Path]:
    """Untrained checkpoints: mbart, mbart50, m2m100, nllb, t5, several (a Marian with two target
    languages), bert2bert, and bart-classifier, which is no translator."""
    return families.write_all(pairs, distilbert, tmp_path_factory.mktemp("translators"))


@pytest.fixture(scope="session")
def dialogues(tmp_path_factory) -> Path:
    """400 lines of sentences whose marks and capitals are easily told from their words."""
    path = tmp_path_factory.mktemp("text") / "dialogues.txt"
    draw = random.Random(0).choice
    names, verbs = ("Paul", "Marie", "Anne", "Louis"), ("parle", "mange", "part", "vient")
    kinds = (
        "Il {verb}, et {name} {verb}.",
        "Elle {verb} avec {name}.",
        "Est-ce que {name} {verb} ?",
    )
    lines = [
        " ".join(
            draw(kinds).format(name=draw(names), verb=draw(verbs)) for _ in range(draw((1, 2, 3)))
        )
        for _ in range(400)
    ]
    path.write_text("\n".join(lines), "utf8")
    return path
