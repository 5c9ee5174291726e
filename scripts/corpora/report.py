"""The report of a conversion, report.json, as other commands read it."""

from pathlib import Path
from typing import Any

import srsly

from ..common.errors import UserError
from ..common.files import check_whole


def corpus_report(path: Path) -> dict[str, Any]:
    """Return the report of a conversion, {} if there is none. Raises UserError for another file."""
    check_whole(path)
    if not path.exists():
        return {}
    try:
        found = srsly.read_json(path)
    except ValueError:
        found = None
    parts = [found.get("read"), found.get("splits")] if isinstance(found, dict) else [None]
    if not all(
        isinstance(part, dict) and all(isinstance(entry, dict) for entry in part.values())
        for part in parts
    ) or not all("sha256" in read for read in parts[0].values()):
        raise UserError(f"{path}: not a report of `convert`; convert the corpus again.")
    return found
