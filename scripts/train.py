"""Train a pipeline as `spacy train` does, in a folder where an interrupted training is kept."""

import io
from pathlib import Path
from typing import Any

import srsly
import typer
from spacy.cli._util import setup_gpu, show_validation_error
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import get_lang_class, load_config
from spacy.vocab import Vocab
from thinc.api import require_gpu
from transformers import PreTrainedTokenizerBase
from wasabi import msg

from .corpora.docbins import check_task
from .encoders.checkpoint import open_checkpoint
from .errors import UserError, first_line, run
from .files import check_whole
from .serving.annotate import TASKS
from .settings import SETTINGS, check_settings, parse_settings
from .training.unfinished import LOGS, WORK, unfinished, wrap_logger


def check_gpu(gpu_id: int) -> None:
    """Raise UserError where there is no such GPU, or nothing to use it with."""
    try:
        require_gpu(gpu_id)
    except ValueError as error:
        raise UserError(f"--gpu-id {gpu_id}: {error}; leave it out to use the CPU.") from error


def check_vocabulary(tokenizer: PreTrainedTokenizerBase, encoder: str) -> None:
    """Raise UserError for SentencePiece's tokenizers without their own file, which spaCy stores."""
    if getattr(tokenizer, "vocab_file", "") is None:
        raise UserError(
            f"encoder {encoder}: {type(tokenizer).__name__} without {tokenizer.vocab_files_names['vocab_file']};"
            ' put that file beside tokenizer.json, or "tokenizer_class": "PreTrainedTokenizerFast" into '
            "tokenizer_config.json."
        )


def train_pipeline(config: Path, overrides: dict[str, Any], gpu_id: int, work: Path) -> None:
    """Train as `spacy train` does. Raises UserError for what spaCy and torch fail at on the way."""
    setup_gpu(gpu_id)
    with show_validation_error(config):
        nlp = init_nlp(load_config(config, overrides=overrides, interpolate=False), use_gpu=gpu_id)
    wrap_logger(nlp, work)
    try:
        with show_validation_error(config, hint_fill=False):
            # Without its own lines: they repeat errors, and name folders that are gone in the end.
            train(nlp, work / WORK, use_gpu=gpu_id, stdout=io.StringIO())
    except (ValueError, RuntimeError) as error:
        raise UserError(f"the training failed: {first_line(error)}.") from error


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
    overrides = parse_settings(context.args)
    written = check_settings(config, overrides, ("settings", "nlp"), "configs/ner.cfg")
    try:
        get_lang_class(lang)
    except ImportError as error:
        raise UserError(f"--lang {lang!r}: spaCy has no such language; fr, en, xx…") from error
    overrides["nlp.lang"] = lang
    if gpu_id >= 0:
        check_gpu(gpu_id)
        overrides.setdefault("system.gpu_allocator", "pytorch")
    check_whole(corpus)
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
    with unfinished(output) as work:
        if "logs" in written["paths"]:
            overrides["paths.logs"] = str(work / LOGS)
        train_pipeline(config, overrides, gpu_id, work)
    scores = srsly.read_json(output / "model-best" / "meta.json")["performance"]
    best = {name: value for name, value in scores.items() if isinstance(value, float)}
    msg.good(f"{output / 'model-best'}: {', '.join(f'{k} {v:.3f}' for k, v in best.items())}")


if __name__ == "__main__":
    run(main, **SETTINGS)
