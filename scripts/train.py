"""Train a pipeline as `spacy train` does, in a folder where an interrupted training is kept."""

import io
from pathlib import Path
from typing import Any

import srsly
import torch
from spacy.cli._util import setup_gpu, show_validation_error
from spacy.training import loop
from spacy.training.initialize import init_nlp
from spacy.util import load_config, minibatch
from spacy.vocab import Vocab
from transformers import PreTrainedTokenizerBase
from wasabi import msg

from .common.devices import device_settings, use_device
from .common.errors import UserError, first_line, warn
from .common.files import check_whole
from .common.languages import blank
from .common.settings import check_settings
from .corpora.docbins import check_task, read_docs
from .encoders.checkpoint import longest, open_checkpoint
from .encoders.snapshot import revision_of, snapshot
from .serving.pipeline import TASKS
from .training.unfinished import LOGS, WORK, unfinished, wrap_logger
from .wheel.components import too_long

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
            loop.train(nlp, work / WORK, use_gpu=gpu_id, stdout=io.StringIO())
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


def train(
    config: Path, output: Path, corpus: Path, lang: str, gpu_id: int, overrides: dict[str, Any]
) -> None:
    """Train a pipeline on a converted corpus, with settings of the config replaced by `overrides`.
    settings.warmup_steps is a tenth of max_steps unless given. Raises UserError."""
    overrides = dict(overrides)
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
    from .cli import run_module

    run_module(__spec__.name)
