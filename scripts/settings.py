"""Config files whose values can be given on the command line: --section.name value."""

from pathlib import Path
from typing import Any

from spacy.util import load_config
from thinc.api import Config

from .errors import UserError

# For typer: options that are not a command's own are settings of its config.
SETTINGS = {"context_settings": {"allow_extra_args": True, "ignore_unknown_options": True}}


def check_settings(path: Path, given: dict[str, Any], needed: tuple[str, ...], like: str) -> Config:
    """Return a config as it is written. Raises UserError where it is none or lacks a section of
    `needed`, and for a given value that it does not have or of another type.

    `like` is a config of the project to compare with.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such config file; the project's are in configs/.")
    try:
        written = load_config(path)
    except ValueError as error:
        raise UserError(f"{path}: no config ({error}); compare {like}.") from error
    if not set(needed) <= set(written):
        sections = " or no ".join(f"[{name}]" for name in needed)
        raise UserError(f"{path}: no {sections} in it; compare {like}.")
    for key, value in given.items():
        *sections, name = key.split(".")
        place: Any = written
        for section in sections:
            place = place.get(section, {}) if isinstance(place, dict) else {}
        if name not in place:
            first = sections[0] if sections and sections[0] in written else needed[0]
            raise UserError(
                f"--{key}: no such setting in {path}; those of [{first}] are "
                f"{', '.join(written[first])}."
            )
        default = place[name]
        numbers = (int, float) if isinstance(default, float) else int
        if type(default) in (int, float) and not isinstance(value, numbers):
            raise UserError(f"--{key} {value}: a number is expected, such as {default}.")
    return written
