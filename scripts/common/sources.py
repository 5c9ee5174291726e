"""Sources and licences of corpora and encoders, read from configs/sources.yml."""

from pathlib import Path
from typing import Any

import srsly

# Between the names of corpora that a pipeline was trained on together.
AND = " + "
SOURCES = Path(__file__).parent.parent.parent / "configs" / "sources.yml"


def known(kind: str) -> dict[str, dict[str, Any]]:
    """Return the entries of all `corpora` or `encoders` in configs/sources.yml, by name."""
    return srsly.read_yaml(SOURCES)[kind]


def source(kind: str, name: str) -> dict[str, str]:
    """Return a corpus or encoder as an entry of `sources` in spaCy's meta.json; its licence is
    "unknown" if it is not in configs/sources.yml."""
    found = known(kind).get(name)
    if found is None:
        return {"name": name, "url": "", "license": "unknown", "author": ""}
    return {"name": found["title"], "url": found["url"], "license": found["license"], "author": ""}


def corpora_of(trained_on: str | None) -> list[str]:
    """Return the names of the corpora in a record of what a pipeline was trained on."""
    return trained_on.split(AND) if trained_on else []


def origin_of(corpus: str, split: str) -> str:
    """Return where a split of a corpus comes from, if that is on record."""
    return known("corpora").get(corpus, {}).get("splits", {}).get(split, "")
