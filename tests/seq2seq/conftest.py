"""A minuscule Marian that has learnt sentence pairs, and untrained checkpoints of other families."""

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
