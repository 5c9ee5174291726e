"""Config files whose values can be overridden on the command line: --section.name value."""

import configparser
import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click import NoSuchOption
from spacy.cli._util import parse_config_overrides
from spacy.util import load_config
from thinc.api import Config, ConfigValidationError

from .errors import UserError, first_line


def as_json(text: str) -> str:
    """Return a text as JSON, unless it is a JSON string already."""
    return text if text.startswith('"') else json.dumps(text)


def quoted(arguments: list[str], texts: Collection[str]) -> Iterator[str]:
    """Yield the arguments of a command line, with the values of the settings in `texts` as JSON."""
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
    """Return the settings given on a command line as --section.name value. Raises UserError.

    Values that are valid JSON are parsed, except those of the settings in `texts`, which are kept as
    typed: a tag 1.10 is not 1.1.
    """
    try:
        return parse_config_overrides(list(quoted(arguments, texts)))
    except NoSuchOption as error:
        raise UserError(
            f"{error.option_name}: no such option; see --help. A setting is --section.name value."
        ) from error


def read_config(path: Path, like: str) -> Config:
    """Return a config file as it is written, its references unresolved.

    `like` is a config of the project that the error message refers to. Raises UserError for a file
    that is missing or not a config.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such config file; the project's are in configs/.")
    try:
        return load_config(path)
    except (ValueError, configparser.Error) as error:
        raise UserError(
            f"{path}: not a valid config ({config_problem(error)}); compare {like}."
        ) from error


def check_overrides(path: Path, config: Config, overrides: dict[str, Any], fallback: str) -> None:
    """Raise UserError for an override that the config does not have or whose type differs.

    path: what the error message calls the config. fallback: the section whose settings the message
    lists if the override's own section does not exist.
    """
    for key, value in overrides.items():
        *sections, name = key.split(".")
        place: Any = config
        for section in sections:
            place = place.get(section, {}) if isinstance(place, dict) else {}
        if not isinstance(place, dict) or name not in place:
            shown = sections[0] if sections and sections[0] in config else fallback
            raise UserError(
                f"--{key}: no such setting in {path}; those of [{shown}] are "
                f"{', '.join(config[shown])}."
            )
        default = place[name]
        kinds = {float: (int, float), int: (int,), bool: (bool,)}.get(type(default))
        # A bool is an int in Python, but not a number here.
        if kinds and (not isinstance(value, kinds) or isinstance(value, bool) != (bool in kinds)):
            kind = "true or false" if bool in kinds else "a number"
            raise UserError(f"--{key} {value}: expected {kind}, such as {default}.")


def check_settings(path: Path, given: dict[str, Any], needed: tuple[str, ...], like: str) -> Config:
    """Return a config as it is written, and check the overrides `given` against it.

    Raises UserError as `read_config` and `check_overrides` do, and for a missing section of `needed`.
    """
    config = read_config(path, like)
    if not set(needed) <= set(config):
        sections = " or no ".join(f"[{name}]" for name in needed)
        raise UserError(f"{path}: no {sections} in it; compare {like}.")
    check_overrides(path, config, given, needed[0])
    return config


def read_sections(
    path: Path, overrides: dict[str, Any], sections: tuple[str, ...], default: Path
) -> dict[str, dict[str, Any]]:
    """Return sections of a config, with overrides applied.

    default: the project's config of this kind; all that is in its [model] and [data] is needed, and whole
    numbers there are 1 or more. Raises UserError for settings that are missing, unknown or out of range.
    """
    check_settings(path, overrides, sections, f"configs/{default.name}")
    given = load_config(path, overrides=overrides)
    settings = {name: dict(given[name]) for name in sections}
    defaults = load_config(default)
    for section in ("model", "data"):
        missing = set(defaults[section]) - set(settings[section])
        if missing:
            raise UserError(
                f"{path}: no {', '.join(sorted(missing))} in [{section}]; copy it from {default}."
            )
        for name, value in settings[section].items():
            if type(value) is int and value < 1:
                raise UserError(f"--{section}.{name} {value}: give 1 or more.")
    return settings


def config_problem(error: Exception) -> str:
    """Return in one line what is wrong with a config."""
    if not isinstance(error, ConfigValidationError):
        return first_line(error)
    problems = [f"{' -> '.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors or ()]
    return "; ".join(problems) or error.desc or error.title


@contextmanager
def config_errors(path: Path) -> Iterator[None]:
    """Turn spaCy's errors about a config, and its numbered ones ([E002] …), into one UserError."""
    try:
        yield
    except ConfigValidationError as error:
        raise UserError(f"{path}: {config_problem(error)}.") from error
    except (ValueError, OSError, ImportError) as error:
        # spaCy numbers its errors; any other is a bug in this project or an accident.
        if not str(error).startswith("[E"):
            raise
        raise UserError(f"{path}: {first_line(error)}.") from error
