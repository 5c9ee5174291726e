"""Pretrain an encoder on raw text: `python -m scripts pretrain TEXT OUTPUT --tokenizer T`.

Masked-language modelling (Devlin et al. 2019) with transformers' Trainer, from scratch or from an
existing encoder. On several GPUs: `torchrun --standalone --nproc_per_node 2 -m scripts pretrain …`.
"""

import hashlib
import json
import math
import shutil
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

from transformers import (
    AutoConfig,
    AutoModelForMaskedLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    set_seed,
)
from wasabi import msg

from ..common.errors import UserError, first_line
from ..common.files import check_folder, discard, written_beside
from ..common.raw_text import measure_lines
from ..common.settings import read_sections
from ..common.trainer import (
    begin,
    finished_state,
    in_best_precision,
    last_checkpoint,
    training_arguments,
)
from .checkpoint import max_length, open_checkpoint, open_tokenizer, save_errors, strip_local_path
from .mlm import MaskedTrainer, masking_collator, perplexity
from .packing import Blocks, pack_text
from .snapshot import snapshot

CONFIG = Path(__file__).parents[2] / "configs" / "pretraining.cfg"
TYPES = ("bert", "camembert", "distilbert")
# transformers 5 silently ignores the relative ones: the default in configs/pretraining.cfg must
# change, and encoders that were pretrained with them need transformers 4.
POSITIONS = ("absolute", "relative_key", "relative_key_query")
SECTIONS = ("model", "data", "training", "further")


def read_settings(config: Path, overrides: dict[str, Any], further: bool) -> dict[str, Any]:
    """Return the sections of a config, with overrides applied.

    further: pretraining continues from an encoder, so the values of [further] replace those of
    [training] that are not overridden. Raises UserError for settings that are missing, unknown or
    out of range.
    """
    settings = read_sections(config, overrides, SECTIONS, CONFIG)
    if further:
        for name, value in settings["further"].items():
            if f"training.{name}" not in overrides:
                settings["training"][name] = value
    return settings


def new_model(shape: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """Return a randomly initialised encoder with a masked-LM head.

    shape: the section [model]. Raises UserError for an invalid shape.
    """
    shape = dict(shape)
    model_type, length, dropout = (shape.pop(name) for name in ("type", "max_length", "dropout"))
    if model_type not in TYPES:
        raise UserError(f"--model.type {model_type}: choose one of {', '.join(TYPES)}.")
    positions = shape["position_embedding_type"]
    if positions not in POSITIONS:
        raise UserError(
            f"--model.position_embedding_type {positions}: choose one of {', '.join(POSITIONS)}."
        )
    if not 0 <= dropout < 1:
        raise UserError(f"--model.dropout {dropout}: expected 0 or a fraction such as 0.1.")
    if model_type == "distilbert":
        # DistilBERT's config has names of its own ...
        shape["hidden_dim"] = shape.pop("intermediate_size")
        shape |= {"dropout": dropout, "attention_dropout": dropout}
        # ... and no choice of position embeddings.
        shape.pop("position_embedding_type")
    else:
        shape |= {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    if model_type == "camembert":
        # It numbers positions from padding_idx + 1, as fairseq does, and has a single token type.
        shape["type_vocab_size"] = 1
        length += tokenizer.pad_token_id + 1
    try:
        config = AutoConfig.for_model(
            model_type,
            vocab_size=len(tokenizer),
            max_position_embeddings=length,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.cls_token_id,
            eos_token_id=tokenizer.sep_token_id,
            **shape,
        )
        return AutoModelForMaskedLM.from_config(config)
    except (ValueError, TypeError, RuntimeError, ZeroDivisionError) as error:
        raise UserError(f"[model]: invalid shape; {first_line(error)}.") from error


CARD = """---
library_name: transformers
pipeline_tag: fill-mask
{front}---
{what}, for {steps:,} updates on {lines:,} lines of text ({train:,} blocks of {block} pieces;
sha256 of the lines: {digest}).

Held-out loss {loss:.3f} (perplexity {perplexity:,.1f}). For comparison: the unigram entropy, the loss
of a model that knows only how frequent each piece is, is {entropy:.3f}. All settings and the losses
during training are in `pretraining.json`.

Licence: not stated; that of the text{base} applies.
"""


def choose_model(
    tokenizer_name: str, encoder: str, revision: str | None, shape: dict[str, Any]
) -> tuple[PreTrainedTokenizerBase, PreTrainedModel, str]:
    """Return a tokenizer, a new model or the one to pretrain further, and its description.

    Raises UserError if the tokenizer lacks a special token that masking or packing needs.
    """
    if encoder:
        tokenizer, model = open_checkpoint(
            encoder, AutoModelForMaskedLM, allow_new_head=True, revision=revision
        )
    else:
        tokenizer = open_tokenizer(tokenizer_name, revision)
        tokenizer.model_max_length = shape["max_length"]
    for role in ("mask", "pad", "cls", "sep"):
        if getattr(tokenizer, f"{role}_token") is None:
            raise UserError(
                f"{tokenizer_name or encoder}: its tokenizer has no {role} token; choose one for "
                "masked-language models."
            )
    if encoder:
        return tokenizer, model, f"{strip_local_path(encoder)}, pretrained further"
    model = new_model(shape, tokenizer)
    what = f"{type(model).__name__} with {model.num_parameters():,} parameters, from scratch"
    return tokenizer, model, what


def write(
    trainer: MaskedTrainer, work: Path, output: Path, about: dict[str, Any], what: str
) -> dict[str, float]:
    """Write the encoder, its model card, TensorBoard logs and pretraining.json; return its figures.

    about: the contents of pretraining.json, with the held-out losses and the entropy. Raises
    UserError if the training diverged.
    """
    train, loss = trainer.train_dataset, about["held_out"][-1]["loss"]
    if not math.isfinite(loss):
        raise UserError(
            f"held-out loss is {loss}: the training diverged; delete {work} and lower "
            "--training.learning_rate."
        )
    figures = {"loss": loss, "perplexity": perplexity(loss), "entropy": about["entropy"]}
    encoder = about["encoder"]
    card = CARD.format(
        what=what, steps=trainer.state.global_step, lines=about["lines"], train=len(train),
        block=train.rows.shape[1], digest=about["text_sha256"],
        front=f"base_model: {encoder}\n" if encoder else "",
        base=f" and of {encoder}" if encoder else "", **figures,
    )  # fmt: skip
    with written_beside(output) as folder:
        with save_errors(output):
            trainer.model.save_pretrained(folder)
        trainer.processing_class.save_pretrained(folder)
        shutil.copytree(work / "logs", folder / "logs")
        (folder / "pretraining.json").write_text(json.dumps({**about, **figures}, indent=1), "utf8")
        (folder / "README.md").write_text(card, encoding="utf8")
    return figures


def pretrain(
    text: Path,
    output: Path,
    tokenizer_name: str,
    encoder: str,
    revision: str,
    config: Path | None,
    encoding: str | None,
    overrides: dict[str, Any],
) -> None:
    """Pretrain an encoder with masked-language modelling.

    It starts from scratch with a tokenizer or continues from an encoder; exactly one is given. An
    interrupted pretraining resumes when run again with the same arguments. Raises UserError.
    """
    # A warning from transformers about torch, which users can do nothing about.
    warnings.filterwarnings("ignore", message=".*torch.cpu.amp.autocast.*", category=FutureWarning)
    settings = read_settings(config or CONFIG, overrides, bool(encoder))
    if bool(tokenizer_name) == bool(encoder):
        raise UserError(
            "give either --tokenizer, to start from scratch, or --encoder, to continue from one."
        )
    named, output = output, output.resolve()
    check_folder(output)
    n_lines, digest = measure_lines(text, encoding)
    work = output.with_name(f"{output.name}.unfinished")
    arguments = training_arguments(settings["training"], work, eval_on_start=True)
    set_seed(arguments.seed)
    _, commit = snapshot(encoder or tokenizer_name, revision, weights=False)
    tokenizer, model, what = choose_model(tokenizer_name, encoder, commit, settings["model"])
    size, limit = settings["data"]["block_size"], max_length(tokenizer, model)
    if not 3 <= size <= limit:
        raise UserError(f"--data.block_size {size}: give 3 to {limit} pieces.")
    collator = masking_collator(tokenizer, settings["data"]["mlm_probability"])
    vocabulary = hashlib.sha256(json.dumps(sorted(tokenizer.get_vocab().items())).encode())
    about = {
        "encoder": strip_local_path(encoder), "tokenizer": strip_local_path(tokenizer_name), "revision": commit,
        "lines": n_lines, "text_sha256": digest, "pieces": len(tokenizer),
        "pieces_sha256": vocabulary.hexdigest(), **settings,
    }  # fmt: skip
    with arguments.main_process_first(desc="blocks"):
        if arguments.process_index == 0:
            begin(work, about, "pretraining", "text or tokenizer")
            try:
                pack_text(text, encoding, tokenizer, work, settings["data"])
            except (UserError, OSError):
                if last_checkpoint(work) is None:
                    discard(work)
                raise
    train, dev = (
        Blocks(work / f"{name}.blocks", size, tokenizer.all_special_ids)
        for name in ("train", "dev")
    )
    checkpoint = last_checkpoint(work)
    finished = finished_state(checkpoint)
    if finished:
        # A copy, because the loaded weights are mapped from a file that is deleted at the end.
        model = deepcopy(AutoModelForMaskedLM.from_pretrained(checkpoint))
    arguments = in_best_precision(
        arguments, settings["training"].get("bf16", False), model.base_model
    )
    trainer = MaskedTrainer(model, arguments, tokenizer, collator, train, dev)
    entropy = train.entropy()
    if trainer.is_world_process_zero():
        msg.info(f"{what}: {len(train):,} blocks of {size} pieces, {len(dev):,} held out")
        msg.info(
            f"unigram entropy of the pieces: {entropy:.3f} (perplexity {perplexity(entropy):,.1f})"
        )
    with save_errors(work):
        trainer.resume(checkpoint, finished)
    about |= {"entropy": entropy, "held_out": trainer.losses()}
    if trainer.is_world_process_zero():
        figures = write(trainer, work, output, about, what)
    trainer.close()
    dev.close()
    # Wait until no process has a file in the work folder open.
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        discard(work)
        msg.good(
            f"{named}: held-out loss {figures['loss']:.3f} "
            f"(perplexity {figures['perplexity']:,.1f}); unigram entropy {entropy:.3f}"
        )
    trainer.leave()


if __name__ == "__main__":
    from ..common.old_names import run_module

    run_module(__spec__.name)
