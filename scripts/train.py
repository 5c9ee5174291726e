"""Train a pipeline: `spacy train` with the project's logger, whole output or none."""

import shutil
from pathlib import Path

import srsly
import typer
from spacy.cli.train import train
from spacy.util import get_lang_class, load_config
from spacy.vocab import Vocab
from transformers import PreTrainedTokenizerBase
from wasabi import msg

from . import training  # noqa: F401 (registers what the configs name)
from .corpora.docbins import check_task
from .devices import GPU_ID, device_settings, use_device
from .encoders.checkpoint import open_checkpoint
from .errors import UserError, run
from .files import written_beside
from .serving.annotate import TASKS
from .settings import SETTINGS, check_settings, parse_settings


def check_vocabulary(tokenizer: PreTrainedTokenizerBase, encoder: str) -> None:
    """Raise UserError for SentencePiece's tokenizers without their own file, which spaCy stores."""
    if getattr(tokenizer, "vocab_file", "") is None:
        raise UserError(
            f"encoder {encoder}: {type(tokenizer).__name__} without {tokenizer.vocab_files_names['vocab_file']};"
            ' put that file beside tokenizer.json, or "tokenizer_class": "PreTrainedTokenizerFast" into '
            "tokenizer_config.json."
        )


def main(
    context: typer.Context,
    config: Path = typer.Argument(..., help="Config file, e.g. configs/textcat.cfg"),
    output: Path = typer.Argument(..., help="Folder for model-best and TensorBoard's logs"),
    corpus: Path = typer.Option(..., help="Folder with train.spacy and dev.spacy"),
    lang: str = typer.Option(..., help="Language of the pipeline's tokenizer: fr, en, xx…"),
    gpu_id: int = GPU_ID,
) -> None:
    """Train a pipeline on a converted corpus. Any setting of the config can follow, as
    --settings.learn_rate 3e-5. --settings.warmup_steps is a tenth of max_steps unless given."""
    overrides = parse_settings(context.args)
    written = check_settings(config, overrides, ("settings", "nlp"), "configs/ner.cfg")
    try:
        get_lang_class(lang)
    except ImportError as error:
        raise UserError(f"--lang {lang!r}: spaCy has no such language; fr, en, xx…") from error
    overrides["nlp.lang"] = lang
    use_device(gpu_id)
    overrides = {**device_settings(gpu_id), **overrides}
    for split in ("train", "dev"):
        path = corpus / f"{split}.spacy"
        if not path.exists():
            raise UserError(
                f"{path} is missing: convert a corpus with a {split} split (--dev-ratio)."
            )
        for task in set(TASKS) & set(written["nlp"]["pipeline"]):
            check_task(path, task, Vocab())
        overrides[f"paths.{split}"] = str(path)
    settings = load_config(config, overrides=overrides)["settings"]
    overrides.setdefault("settings.warmup_steps", settings["max_steps"] // 10)
    # Opened here, as spaCy would tell in a traceback what is wrong with it.
    tokenizer, _ = open_checkpoint(settings["encoder"])
    check_vocabulary(tokenizer, settings["encoder"])
    with written_beside(output) as folder:
        overrides["paths.logs"] = str(folder / "logs")
        train(config, folder, use_gpu=gpu_id, overrides=overrides)
        # model-last is the same pipeline, older or worse: not worth the disk.
        shutil.rmtree(folder / "model-last")
    scores = srsly.read_json(output / "model-best" / "meta.json")["performance"]
    best = {name: value for name, value in scores.items() if isinstance(value, float)}
    msg.good(f"{output / 'model-best'}: {', '.join(f'{k} {v:.3f}' for k, v in best.items())}")


if __name__ == "__main__":
    run(main, **SETTINGS)
