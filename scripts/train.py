"""Train a pipeline: `spacy train` with the project's logger, whole output or none."""

import shutil
from pathlib import Path

import srsly
import typer
from spacy.cli._util import parse_config_overrides
from spacy.cli.train import train
from spacy.util import load_config
from transformers import AutoConfig
from wasabi import msg

from . import training  # noqa: F401 (registers what the configs name)
from .downloads import Unavailable, impatient_hub, reason_of
from .errors import UserError, run
from .files import written_beside


def check_encoder(name: str) -> None:
    """Raise UserError where the encoder is neither a checkpoint folder nor to be had from the hub."""
    if Path(name).exists() and not (Path(name) / "config.json").is_file():
        raise UserError(
            f"encoder {name}: no config.json in it; name a Hugging Face checkpoint folder."
        )
    # Tried once, or a hub that cannot be reached costs a minute; the weights are more patient.
    try:
        with impatient_hub():
            AutoConfig.from_pretrained(name)
    except (OSError, ValueError, Unavailable) as error:
        raise UserError(
            f"encoder {name}: neither a local folder nor to be had from the hub "
            f"({reason_of(error)}). Put its files into a folder and name that "
            "instead."
        ) from error


def main(
    context: typer.Context,
    config: Path = typer.Argument(..., help="Config file, e.g. configs/textcat.cfg"),
    output: Path = typer.Argument(..., help="Folder for model-best and TensorBoard's logs"),
    corpus: Path = typer.Option(..., help="Folder with train.spacy and dev.spacy"),
    lang: str = typer.Option(..., help="Language of the pipeline's tokenizer: fr, en, xx…"),
    gpu_id: int = typer.Option(-1, help="GPU to use, -1 for the CPU"),
) -> None:
    """Train a pipeline on a converted corpus. Any setting of the config can follow, as
    --settings.learn_rate 3e-5. --settings.warmup_steps is a tenth of max_steps unless given."""
    overrides = parse_config_overrides(context.args)
    for split in ("train", "dev"):
        path = corpus / f"{split}.spacy"
        if not path.exists():
            raise UserError(
                f"{path} is missing: convert a corpus with a {split} split (--dev-ratio)."
            )
        overrides[f"paths.{split}"] = str(path)
    if not config.is_file():
        raise UserError(f"{config}: no such config file; the project's are in configs/.")
    overrides["nlp.lang"] = lang
    settings = load_config(config, overrides=overrides)["settings"]
    overrides.setdefault("settings.warmup_steps", settings["max_steps"] // 10)
    if gpu_id >= 0:
        overrides.setdefault("system.gpu_allocator", "pytorch")
    check_encoder(settings["encoder"])
    logs = output / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    overrides["paths.logs"] = str(logs)
    with written_beside(output) as folder:
        train(config, folder, use_gpu=gpu_id, overrides=overrides)
        # model-last is the same pipeline, older or worse: not worth the disk.
        shutil.rmtree(folder / "model-last")
    scores = srsly.read_json(output / "model-best" / "meta.json")["performance"]
    best = {name: value for name, value in scores.items() if isinstance(value, float)}
    msg.good(f"{output / 'model-best'}: {', '.join(f'{k} {v:.3f}' for k, v in best.items())}")


# Options that are not its own are settings of the config.
SETTINGS = {"context_settings": {"allow_extra_args": True, "ignore_unknown_options": True}}

if __name__ == "__main__":
    run(main, **SETTINGS)
