"""Config files whose values can be given on the command line: --section.name value."""

import configparser
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from click import NoSuchOption
from spacy.cli._util import parse_config_overrides
from spacy.util import load_config
from thinc.api import Config

from .errors import UserError, first_line

# For typer: options that are not a command's own are settings of its config.
SETTINGS = {"context_settings": {"allow_extra_args": True, "ignore_unknown_options": True}}


def as_json(text: str) -> str:
    """Return a text as JSON, unless it is a JSON string already."""
    return text if text.startswith('"') else json.dumps(text)


def quoted(arguments: list[str], texts: Collection[str]) -> Iterator[str]:
    """Yield the arguments of a command line, in which the values of some settings are JSON strings."""
    is_text = False
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if is_text and not argument.startswith("--"):
            yield as_json(argument)
        elif equals and name.removeprefix("--") in texts:
            yield f"{name}={as_json(value)}"
        else:
            yield argument
        is_text = argument.removeprefix("--") in texts


def parse_settings(arguments: list[str], texts: Collection[str] = ()) -> dict[str, Any]:
    """Return the settings of a command line, --section.name value. Raises UserError.

    A value is read as JSON, where it is some; but `texts` are settings that stay as they were typed:
    a tag 1.10 is not 1.1.
    """
    try:
        return parse_config_overrides(list(quoted(arguments, texts)))
    except NoSuchOption as error:
        raise UserError(
            f"{error.option_name}: no such option; see --help. A setting is --section.name value."
        ) from error


def check_settings(path: Path, given: dict[str, Any], needed: tuple[str, ...], like: str) -> Config:
    """Return a config as it is written. Raises UserError where it is none or lacks a section of
    `needed`, and for a given value that it does not have or of another type.

    `like` is a config of the project to compare with.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such config file; the project's are in configs/.")
    try:
        written = load_config(path)
    except (ValueError, configparser.Error) as error:
        raise UserError(f"{path}: no config ({first_line(error)}); compare {like}.") from error
    if not set(needed) <= set(written):
        sections = " or no ".join(f"[{name}]" for name in needed)
        raise UserError(f"{path}: no {sections} in it; compare {like}.")
    for key, value in given.items():
        *sections, name = key.split(".")
        place: Any = written
        for section in sections:
            place = place.get(section, {}) if isinstance(place, dict) else {}
        if not isinstance(place, dict) or name not in place:
            first = sections[0] if sections and sections[0] in written else needed[0]
            raise UserError(
                f"--{key}: no such setting in {path}; those of [{first}] are "
                f"{', '.join(written[first])}."
            )
        default = place[name]
        kinds = {float: (int, float), int: (int,), bool: (bool,)}.get(type(default))
        # A bool is an int in Python, and no number here.
        if kinds and (not isinstance(value, kinds) or isinstance(value, bool) != (bool in kinds)):
            kind = "true or false" if bool in kinds else "a number"
            raise UserError(f"--{key} {value}: {kind} is expected, such as {default}.")
    return written
