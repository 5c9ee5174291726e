"""Train a pipeline as `spacy train` does, in a folder where an interrupted training is kept."""

import io
from pathlib import Path
from typing import Any

import srsly
import torch
import typer
from spacy.cli._util import setup_gpu, show_validation_error
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_config, minibatch
from spacy.vocab import Vocab
from transformers import PreTrainedTokenizerBase
from wasabi import msg

from .corpora.docbins import check_task, read_docs
from .devices import GPU_ID, device_settings, use_device
from .encoders.checkpoint import longest, open_checkpoint
from .encoders.snapshot import revision_of, snapshot
from .errors import UserError, first_line, run, warn
from .files import check_whole
from .languages import blank
from .serving.annotate import TASKS
from .serving.components import too_long
from .settings import SETTINGS, check_settings, parse_settings
from .training.unfinished import LOGS, WORK, unfinished, wrap_logger

# Settings that are text, even where they look like a number.
TEXTS = ("settings.encoder", "settings.revision")


def check_vocabulary(tokenizer: PreTrainedTokenizerBase, encoder: str) -> None:
    """Raise UserError for SentencePiece's tokenizers without their own file, which spaCy stores."""
    if getattr(tokenizer, "vocab_file", "") is None:
        raise UserError(
            f"encoder {encoder}: {type(tokenizer).__name__} without {tokenizer.vocab_files_names['vocab_file']};"
            ' put that file beside tokenizer.json, or "tokenizer_class": "PreTrainedTokenizerFast" into '
            "tokenizer_config.json."
        )


def tell_cut(path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """Say how many tokens of a split have more pieces than the encoder takes: of these, and of
    nothing else, the rest is not read."""
    # No letter becomes more than 18 pieces (U+FDFA, spelled out).
    least = tokenizer.model_max_length // 18
    words = (token.text for doc in read_docs(path, Vocab()) for token in doc if len(token) > least)
    cut = sum(len(too_long(some, tokenizer)) for some in minibatch(words, 1000))
    if cut:
        warn(
            f"{path}: {cut:,} tokens have more pieces than the {tokenizer.model_max_length:,} that the "
            "encoder takes; the rest of each is not read"
        )


def train_pipeline(config: Path, overrides: dict[str, Any], gpu_id: int, work: Path) -> None:
    """Train as `spacy train` does. Raises UserError for what spaCy refuses, and where the memory is
    not enough."""
    setup_gpu(gpu_id)
    with show_validation_error(config):
        nlp = init_nlp(load_config(config, overrides=overrides, interpolate=False), use_gpu=gpu_id)
    wrap_logger(nlp, work)
    try:
        with show_validation_error(config, hint_fill=False):
            # Without its own lines: they repeat errors, and name folders that are gone in the end.
            train(nlp, work / WORK, use_gpu=gpu_id, stdout=io.StringIO())
    except (MemoryError, RuntimeError) as error:
        # On a CPU torch has no error of its own for it; any other is a fault of the code.
        kinds = (MemoryError, torch.OutOfMemoryError)
        if not isinstance(error, kinds) and "allocate memory" not in str(error):
            raise
        raise UserError(
            f"the device's memory is full ({first_line(error)}); give a smaller --settings.batch_words, "
            "or a larger --settings.accumulate."
        ) from error
    except ValueError as error:
        # spaCy numbers its errors; any other is a fault of the code.
        if not str(error).startswith("[E"):
            raise
        raise UserError(f"the training failed: {first_line(error)}.") from error


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
    overrides = parse_settings(context.args, TEXTS)
    written = check_settings(config, overrides, ("settings", "nlp"), "configs/ner.cfg")
    blank(lang)
    overrides["nlp.lang"] = lang
    use_device(gpu_id)
    overrides = {**device_settings(gpu_id), **overrides}
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
    encoder = settings["encoder"]
    checkpoint, commit = snapshot(encoder, revision_of(settings), weights=False)
    # spaCy opens that folder: it asks for no revision, and not for all files of one.
    overrides["components.transformer.model.name"] = str(checkpoint)
    overrides["settings.revision"] = commit
    # Opened here, as spaCy would tell in a traceback what is wrong with it.
    tokenizer, model = open_checkpoint(encoder, revision=commit)
    check_vocabulary(tokenizer, encoder)
    tokenizer.model_max_length = longest(tokenizer, model)
    for split in ("train", "dev"):
        tell_cut(corpus / f"{split}.spacy", tokenizer)
    with unfinished(output) as work:
        if "logs" in written["paths"]:
            overrides["paths.logs"] = str(work / LOGS)
        train_pipeline(config, overrides, gpu_id, work)
    scores = srsly.read_json(output / "model-best" / "meta.json")["performance"]
    best = {name: value for name, value in scores.items() if isinstance(value, float)}
    msg.good(f"{output / 'model-best'}: {', '.join(f'{k} {v:.3f}' for k, v in best.items())}")


if __name__ == "__main__":
    run(main, **SETTINGS)
