"""Pretrain an encoder on raw text: `python -m scripts.encoders.pretrain TEXT OUTPUT --tokenizer T`.

Masked-language modelling (Devlin et al. 2019) with transformers' Trainer, from scratch or from an
encoder that is there. On several GPUs: `torchrun --nproc_per_node 2 -m scripts.encoders.pretrain …`.
"""

import hashlib
import json
import math
import shutil
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

from spacy.util import load_config
from transformers import (
    AutoConfig,
    AutoModelForMaskedLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerState,
    set_seed,
)
from wasabi import msg

from ..common.errors import UserError, first_line
from ..common.files import check_folder, discard, written_beside
from ..common.raw_text import measure_lines, read_lines, split
from ..common.settings import check_settings
from .checkpoint import longest, open_checkpoint, open_tokenizer, strip_local_path, writing
from .mlm import (
    MaskedTrainer,
    begin,
    last_checkpoint,
    masking,
    perplexity,
    training_arguments,
)
from .packing import Blocks, pack
from .snapshot import snapshot

CONFIG = Path(__file__).parents[2] / "configs" / "pretraining.cfg"
TYPES = ("bert", "camembert", "distilbert")
POSITIONS = ("absolute", "relative_key", "relative_key_query")
SECTIONS = ("model", "data", "training", "further")
# Fields of [training] with which nothing can be done at 0.
POSITIVE = (
    "per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps"
)  # fmt: skip


def read_settings(config: Path, overrides: dict[str, Any], going_on: bool) -> dict[str, Any]:
    """Return the sections of a config, with what was given; [further] is in [training] already
    where an encoder goes on. Raises UserError for what is missing, unknown or out of range."""
    check_settings(config, overrides, SECTIONS, "configs/pretraining.cfg")
    given = load_config(config, overrides=overrides)
    settings = {name: dict(given[name]) for name in SECTIONS}
    shipped = load_config(CONFIG)
    for section in ("model", "data"):
        missing = set(shipped[section]) - set(settings[section])
        if missing:
            raise UserError(
                f"{config}: no {', '.join(sorted(missing))} in [{section}]; compare {CONFIG}."
            )
        for name, value in settings[section].items():
            if type(value) is int and value < 1:
                raise UserError(f"--{section}.{name} {value}: 1 or more.")
    for name in POSITIVE:
        if settings["training"].get(name, 1) < 1:
            raise UserError(f"--training.{name} {settings['training'][name]}: 1 or more.")
    if going_on:
        for name, value in settings["further"].items():
            if f"training.{name}" not in overrides:
                settings["training"][name] = value
    return settings


def new_model(shape: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """Return an encoder with a head for masked words, of random weights.

    shape: what [model] holds. Raises UserError where no encoder has that shape.
    """
    shape = dict(shape)
    kind, length, dropout = (shape.pop(name) for name in ("type", "max_length", "dropout"))
    if kind not in TYPES:
        raise UserError(f"--model.type {kind}: there are {', '.join(TYPES)}.")
    if shape["position_embedding_type"] not in POSITIONS:
        raise UserError(f"--model.position_embedding_type: there are {', '.join(POSITIONS)}.")
    if not 0 <= dropout < 1:
        raise UserError(f"--model.dropout {dropout}: a share is expected, such as 0.1.")
    if kind == "distilbert":
        # Names that DistilBERT does not share with the others.
        shape["hidden_dim"] = shape.pop("intermediate_size")
        shape |= {"dropout": dropout, "attention_dropout": dropout}
        # It has absolute positions alone.
        shape.pop("position_embedding_type")
    else:
        shape |= {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    if kind == "camembert":
        # It counts positions from the one after its padding's id (fairseq's way), and has one type.
        shape["type_vocab_size"] = 1
        length += tokenizer.pad_token_id + 1
    try:
        config = AutoConfig.for_model(
            kind,
            vocab_size=len(tokenizer),
            max_position_embeddings=length,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.cls_token_id,
            eos_token_id=tokenizer.sep_token_id,
            **shape,
        )
        return AutoModelForMaskedLM.from_config(config)
    except (ValueError, TypeError, RuntimeError, ZeroDivisionError) as error:
        raise UserError(f"[model]: no such shape ({first_line(error)}).") from error


def pack_text(
    text: Path, encoding: str | None, tokenizer: PreTrainedTokenizerBase, work: Path, data: dict
) -> None:
    """Write train.blocks and dev.blocks. Raises UserError for too little text."""
    size = data["block_size"]
    for name, held_out, most in (("train", False, 0), ("dev", True, data["eval_blocks"])):
        lines = split(read_lines(text, encoding), held_out)
        if not pack(lines, tokenizer, work / f"{name}.blocks", size, most):
            part = "what is held out of it" if held_out else "the text"
            raise UserError(
                f"{text}: {part} does not fill a block of {size} pieces; give more text, or a smaller "
                "--data.block_size."
            )


CARD = """---
library_name: transformers
pipeline_tag: fill-mask
{front}---
{what}, for {steps:,} updates on {lines:,} lines of text ({train:,} blocks of {block} pieces; sha256
of the lines {digest}).

Held-out loss {loss:.3f} (perplexity {perplexity:,.1f}); a model that knows how frequent each piece is,
and no context, has {entropy:.3f}. `pretraining.json` has all settings and the losses on the way.

Licence: not stated; that of the text{base} applies.
"""


def choose_model(
    tokenizer: str, encoder: str, revision: str | None, shape: dict[str, Any]
) -> tuple[PreTrainedTokenizerBase, PreTrainedModel, str]:
    """Return a tokenizer and a model, new or to go on with, and what it is in words.

    Raises UserError where pieces are missing without which nothing can be masked or packed.
    """
    if encoder:
        pieces, model = open_checkpoint(
            encoder, AutoModelForMaskedLM, head_may_lack=True, revision=revision
        )
    else:
        pieces = open_tokenizer(tokenizer, revision)
        pieces.model_max_length = shape["max_length"]
    for role in ("mask", "pad", "cls", "sep"):
        if getattr(pieces, f"{role}_token") is None:
            raise UserError(f"{tokenizer or encoder}: its tokenizer has no {role} token.")
    if encoder:
        return pieces, model, f"{strip_local_path(encoder)}, pretrained further"
    model = new_model(shape, pieces)
    what = f"{type(model).__name__} of {model.num_parameters():,} parameters, from scratch"
    return pieces, model, what


def write(
    trainer: MaskedTrainer, work: Path, output: Path, about: dict[str, Any], what: str
) -> dict[str, float]:
    """Write the encoder with its card, its curves and figures, of which `about` has the held-out
    losses and the entropy; return the figures. Raises UserError where the training went astray.
    """
    train, loss = trainer.train_dataset, about["held_out"][-1]["loss"]
    if not math.isfinite(loss):
        raise UserError(
            f"held-out loss is {loss}: the training went astray; delete {work} and lower "
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
        with writing(output):
            trainer.model.save_pretrained(folder)
        trainer.processing_class.save_pretrained(folder)
        shutil.copytree(work / "logs", folder / "logs")
        (folder / "pretraining.json").write_text(json.dumps({**about, **figures}, indent=1), "utf8")
        (folder / "README.md").write_text(card, encoding="utf8")
    return figures


def pretrain(
    text: Path,
    output: Path,
    tokenizer: str,
    encoder: str,
    revision: str,
    config: Path | None,
    encoding: str | None,
    overrides: dict[str, Any],
) -> None:
    """Pretrain an encoder on masked words, from scratch (--tokenizer) or going on (--encoder).

    Any setting can follow, as --training.max_steps 5000. Broken off, it goes on when run again.
    """
    # Of transformers, about torch: of no use to who runs this.
    warnings.filterwarnings("ignore", message=".*torch.cpu.amp.autocast.*", category=FutureWarning)
    settings = read_settings(config or CONFIG, overrides, bool(encoder))
    if bool(tokenizer) == bool(encoder):
        raise UserError("give --tokenizer to begin from scratch, or --encoder to go on with one.")
    output = output.resolve()
    check_folder(output)
    n_lines, digest = measure_lines(text, encoding)
    work = output.with_name(f"{output.name}.unfinished")
    arguments = training_arguments(settings["training"], work)
    set_seed(arguments.seed)
    _, commit = snapshot(encoder or tokenizer, revision, weights=False)
    pieces, model, what = choose_model(tokenizer, encoder, commit, settings["model"])
    size, limit = settings["data"]["block_size"], longest(pieces, model)
    if not 3 <= size <= limit:
        raise UserError(f"--data.block_size {size}: from 3 to {limit} pieces.")
    mask = masking(pieces, settings["data"]["mlm_probability"])
    vocabulary = hashlib.sha256(json.dumps(sorted(pieces.get_vocab().items())).encode())
    about = {
        "encoder": strip_local_path(encoder), "tokenizer": strip_local_path(tokenizer), "revision": commit,
        "lines": n_lines, "text_sha256": digest, "pieces": len(pieces),
        "pieces_sha256": vocabulary.hexdigest(), **settings,
    }  # fmt: skip
    with arguments.main_process_first(desc="blocks"):
        if arguments.process_index == 0:
            begin(work, about)
            try:
                pack_text(text, encoding, pieces, work, settings["data"])
            except (UserError, OSError):
                if last_checkpoint(work) is None:
                    discard(work)
                raise
    train, dev = (
        Blocks(work / f"{name}.blocks", size, pieces.all_special_ids) for name in ("train", "dev")
    )
    checkpoint, finished = last_checkpoint(work), False
    if checkpoint:
        state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
        finished = 0 < arguments.max_steps <= state.global_step
        if finished:
            # A copy: the weights that were read are mapped from a file that is deleted in the end.
            model = deepcopy(AutoModelForMaskedLM.from_pretrained(checkpoint))
    trainer = MaskedTrainer(model, arguments, pieces, mask, train, dev)
    entropy = train.entropy()
    if trainer.is_world_process_zero():
        msg.info(f"{what}: {len(train):,} blocks of {size} pieces, {len(dev):,} held out")
        msg.info(
            f"unigram entropy of the pieces: {entropy:.3f} (perplexity {perplexity(entropy):,.1f})"
        )
        if checkpoint:
            msg.info(f"going on from {checkpoint}")
    if finished:
        trainer.state = state
    else:
        with writing(work):
            trainer.train(resume_from_checkpoint=checkpoint and str(checkpoint))
    about |= {"entropy": entropy, "held_out": trainer.losses()}
    if trainer.is_world_process_zero():
        figures = write(trainer, work, output, about, what)
    trainer.close()
    dev.close()
    # Of several processes none leaves before the others, nor has a file of the folder open now.
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        discard(work)
        msg.good(
            f"{output}: held-out loss {figures['loss']:.3f} (perplexity {figures['perplexity']:,.1f}), "
            f"where the unigram entropy is {entropy:.3f}"
        )
    trainer.accelerator.end_training()


if __name__ == "__main__":
    from ..cli import run_module

    run_module(__spec__.name)
