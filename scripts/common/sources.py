"""Where corpora and encoders come from, and under which licence: configs/sources.yml."""

from pathlib import Path
from typing import Any

import srsly

SOURCES = Path(__file__).parent.parent.parent / "configs" / "sources.yml"


def known(kind: str) -> dict[str, dict[str, Any]]:
    """Return what is on record of all `corpora` or `encoders`, by their names."""
    return srsly.read_yaml(SOURCES)[kind]


def source(kind: str, name: str) -> dict[str, str]:
    """Return name, url and license of a corpus or an encoder, as spaCy's meta.json wants them."""
    found = known(kind).get(name)
    if found is None:
        return {"name": name, "url": "", "license": "unknown", "author": ""}
    return {"name": found["title"], "url": found["url"], "license": found["license"], "author": ""}
