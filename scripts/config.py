"""The config of a training: a task's small file merged over configs/base.cfg, or a full config."""

from pathlib import Path
from typing import Any

import typer
from spacy.util import (
    CONFIG_SECTION_ORDER,
    dict_to_dot,
    get_sourced_components,
    load_config_from_str,
    load_model_from_config,
)
from thinc.api import Config

# Registers the functions that the project's configs name.
from . import code  # noqa: F401
from .common.errors import UserError
from .common.settings import check_overrides, config_errors, read_config
from .corpora.docbins import CLASSIFIERS
from .training.plan import warm_up

CONFIGS = Path(__file__).parent.parent / "configs"
BASE = "base.cfg"
LIKE = "configs/ner.cfg"
# An override that leaves a setting to `train`, and the settings that it proposes.
AUTO = "auto"
PROPOSED = {
    f"settings.{name}"
    for name in (
        "learn_rate", "batch_words", "batch_examples", "accumulate", "max_steps", "warmup_steps",
        "eval_frequency",
    )
}  # fmt: skip
# Settings that are text, even where the value looks like a number.
TEXTS = ("settings.encoder", "settings.revision", "components.transformer.model.name")


def find_config(name: str) -> Path:
    """Return the file that is meant by a path, or by the name of a task: `ner` is configs/ner.cfg."""
    path, task = Path(name), CONFIGS / f"{name}.cfg"
    return task if path.name == name and not path.is_file() and task.is_file() else path


def config_files(name: str) -> list[Path]:
    """Return the files that are meant by a path, or by names of tasks with a + between them."""
    path = find_config(name)
    parts = [name] if path.is_file() else name.split("+")
    if len(set(parts)) < len(parts):
        raise UserError(f"{name}: a task is named twice.")
    return [find_config(part) for part in parts]


def is_task(config: Config) -> bool:
    """Return whether a config is a task's, to be merged over configs/base.cfg: it has nothing in
    [training] but the score weights, or no such section."""
    return set(config.get("training", {})) <= {"score_weights"}


def join_tasks(configs: list[Config]) -> Config:
    """Return the configs of tasks as one of a pipeline that has all their components; each task
    contributes equally to the score."""
    joined = Config()
    pipeline: dict[str, bool] = {}
    for config in configs:
        weights = config.get("training", {}).get("score_weights", {})
        for name, weight in weights.items():
            weights[name] = weight and weight / len(configs)
        for name in config.get("nlp", {}).get("pipeline", []):
            factory = config.get("components", {}).get(name, {}).get("factory")
            pipeline[name] = factory in CLASSIFIERS
        joined = joined.merge(config)
    # The last component that reads the transformer's vectors passes on the gradients of all; a parser
    # does not for an update without entities, and all would be lost.
    joined.setdefault("nlp", {})["pipeline"] = sorted(pipeline, key=pipeline.__getitem__)
    return joined


def override(config: Config, overrides: dict[str, Any]) -> Config:
    """Return a copy of a config with some settings, named section.name, replaced."""
    return load_config_from_str(config.to_str(interpolate=False), overrides=overrides)


def training_config(name: str, overrides: dict[str, Any]) -> tuple[Path, Config, set[str]]:
    """Return the file and the config of a training, `overrides` applied, references unresolved, and
    the names of the settings that the user gave.

    A task's file is merged over configs/base.cfg, and so are the files of several tasks, `ner+textcat`;
    any other file is a full config, in which everything is given. An override "auto" leaves a setting
    of the project's open, for `train` to propose. Where max_steps is known and warmup_steps is not
    given, that is what `train` would propose. Raises UserError.
    """
    files = config_files(name)
    configs = [read_config(file, LIKE) for file in files]
    path, config = files[0], configs[0]
    if len(files) > 1:
        for file, part in zip(files, configs):
            if not is_task(part):
                raise UserError(f"{file}: a full config; only those of tasks can be joined by +.")
        path, config = Path(name), join_tasks(configs)
    open_settings = {key for key in overrides if overrides[key] == AUTO and key in PROPOSED}
    overrides = {key: overrides[key] for key in overrides if key not in open_settings}
    given = set(overrides)
    for file, part in zip(files, configs):
        if file.parent != CONFIGS:
            given |= set(dict_to_dot(part)) - open_settings
    if is_task(config):
        config = read_config(CONFIGS / BASE, LIKE).merge(config)
    elif "settings.max_steps" in overrides and "settings.warmup_steps" not in overrides:
        given.discard("settings.warmup_steps")
    if not config.get("nlp", {}).get("pipeline"):
        raise UserError(f"{path}: no component to train in [nlp] pipeline; compare {LIKE}.")
    check_overrides(path, config, overrides, "settings" if "settings" in config else "nlp")
    with config_errors(path):
        config = override(config, overrides)
    settings = config.get("settings", {})
    steps = settings.get("max_steps")
    open_warm_up = "warmup_steps" in settings and "settings.warmup_steps" not in given
    if isinstance(steps, int) and open_warm_up:
        values = dict_to_dot(config)
        tasks = {values.get(f"components.{name}.factory") for name in config["nlp"]["pipeline"]}
        settings["warmup_steps"], _ = warm_up(steps, tasks)
    return path, config, given


def fill(path: Path, config: Config) -> Config:
    """Return a config with spaCy's defaults filled in, as `spacy init fill-config` does.

    Components are created, but nothing is loaded into them. Raises UserError.
    """
    with config_errors(path):
        nlp = load_model_from_config(config, auto_fill=True, validate=False)
        # Again, now that nothing is missing, with validation.
        filled = load_model_from_config(nlp.config).config
    filled["components"].update(get_sourced_components(config))
    return filled


def grouped(text: str) -> str:
    """Return the text of a config with its sections in spaCy's order, subsections beneath them.

    A config is written level by level, which tears components apart.
    """

    def place(section: str) -> tuple[float, list[str]]:
        path = section[1 : section.index("]")].split(".")
        known = path[0] in CONFIG_SECTION_ORDER
        # Sections that spaCy does not know, such as [settings], follow the first one, [paths].
        return CONFIG_SECTION_ORDER.index(path[0]) if known else 0.5, path

    return "\n\n".join(sorted(text.split("\n\n"), key=place))


def show_config(name: str, overrides: dict[str, Any]) -> None:
    """Print the complete config of a training. Raises UserError."""
    path, config, _ = training_config(name, overrides)
    complete = fill(path, config)
    typer.echo(grouped(complete.to_str(interpolate=False)))
