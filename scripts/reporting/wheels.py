"""The wheel of a pipeline, among those of a folder."""

import json
import zipfile
from pathlib import Path


def weights_in(wheel: Path) -> str | None:
    """Return the hash of the weights that a wheel says it has, None if it says none."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            # Beside the package's own __init__.py; the pipeline's folder has the same one again.
            names = sorted((n for n in archive.namelist() if n.endswith("/meta.json")), key=len)
            meta = json.loads(archive.read(names[0])) if names else None
            return meta.get("weights") if isinstance(meta, dict) else None
    except (zipfile.BadZipFile, ValueError):
        return None


def wheel_of(weights: str, packages: Path) -> Path | None:
    """Return the newest wheel in a folder of the pipeline with some weights."""
    wheels = sorted(packages.glob("*.whl"), key=lambda path: path.stat().st_mtime, reverse=True)
    return next((path for path in wheels if weights_in(path) == weights), None)
