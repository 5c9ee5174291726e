"""Pretrain an encoder on raw text: `python -m scripts.encoders.pretrain TEXT OUTPUT --tokenizer T`.

Masked-language modelling (Devlin et al. 2019) with transformers' Trainer, from scratch or from an
encoder that is there. On several GPUs: `torchrun --nproc_per_node 2 -m scripts.encoders.pretrain …`.
"""

import shutil
import warnings
from pathlib import Path
from typing import Any

import srsly
import typer
from spacy.cli._util import parse_config_overrides
from spacy.util import load_config
from transformers import (
    AutoConfig,
    AutoModelForMaskedLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    set_seed,
)
from wasabi import msg

from ..corpora.plain import measure_lines, read_lines, split
from ..errors import UserError, first_line, run
from ..files import check_folder, written_beside
from ..settings import SETTINGS, check_settings
from .blocks import Blocks, pack
from .checkpoint import open_checkpoint, open_tokenizer
from .masked import MaskedTrainer, last_checkpoint, masking, perplexity, training_arguments

CONFIG = Path(__file__).parents[2] / "configs" / "pretraining.cfg"
TYPES = ("bert", "camembert", "distilbert")
SECTIONS = ("model", "data", "training", "further")


def new_model(shape: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """Return an encoder with a head for masked words, of random weights.

    shape: type, num_hidden_layers, hidden_size, num_attention_heads, intermediate_size, dropout,
    initializer_range, position_embedding_type,
    max_length. Raises UserError for a shape that there is not.
    """
    shape = dict(shape)
    kind, length, dropout = (shape.pop(name) for name in ("type", "max_length", "dropout"))
    if kind not in TYPES:
        raise UserError(f"--model.type {kind}: there are {', '.join(TYPES)}.")
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
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError(f"[model]: no such shape ({first_line(error)}).") from error


def begin(work: Path, about: dict[str, Any]) -> None:
    """Make the folder of what is not finished; raise UserError where it is another training's."""
    record = work / "begun.json"
    if record.exists() and srsly.read_json(record) != about:
        raise UserError(
            f"{work}: a pretraining with other settings, text or tokenizer was broken off there; "
            "delete it, or go on with what it was begun with."
        )
    work.mkdir(parents=True, exist_ok=True)
    srsly.write_json(record, about)


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
---
{what}, for {steps:,} updates on {lines:,} lines of text ({train:,} blocks of {block} pieces; sha256
of the lines {digest}).

Held-out loss {loss:.3f} (perplexity {perplexity:,.1f}); a model that knows how frequent each piece is,
and no context, has {entropy:.3f}. `pretraining.json` has all settings and the losses on the way.

Licence: not stated; that of the text{base} applies.
"""


def choose_model(
    tokenizer: str, encoder: str, shape: dict[str, Any]
) -> tuple[PreTrainedTokenizerBase, PreTrainedModel, str]:
    """Return a tokenizer and a model, new or to go on with, and what it is in words.

    Raises UserError where pieces are missing without which nothing can be masked or packed.
    """
    if encoder:
        pieces, model = open_checkpoint(encoder, AutoModelForMaskedLM, head_may_lack=True)
    else:
        pieces = open_tokenizer(tokenizer)
        pieces.model_max_length = shape["max_length"]
    for role in ("mask", "pad", "cls", "sep"):
        if getattr(pieces, f"{role}_token") is None:
            raise UserError(f"{tokenizer or encoder}: its tokenizer has no {role} token.")
    if encoder:
        return pieces, model, f"{encoder}, pretrained further"
    model = new_model(shape, pieces)
    what = f"{type(model).__name__} of {model.num_parameters():,} parameters, from scratch"
    return pieces, model, what


def main(
    context: typer.Context,
    text: Path = typer.Argument(..., help="Raw text: a file or a folder; .txt, .trs, also .gz"),
    output: Path = typer.Argument(..., help="Folder for the encoder"),
    tokenizer: str = typer.Option(
        "", help="From scratch: a folder of `train_tokenizer`, or a name"
    ),
    encoder: str = typer.Option("", help="To go on with: an encoder, a folder or a hub name"),
    config: Path = typer.Option(CONFIG, help="The settings"),
    encoding: str | None = typer.Option(None, help="Encoding of the text, where it is not UTF-8"),
) -> None:
    """Pretrain an encoder on masked words, from scratch (--tokenizer) or going on (--encoder).

    Any setting can follow, as --training.max_steps 5000. Broken off, it goes on when run again.
    """
    # Of transformers, about torch: of no use to who runs this.
    warnings.filterwarnings("ignore", message=".*torch.cpu.amp.autocast.*", category=FutureWarning)
    overrides = parse_config_overrides(context.args)
    check_settings(config, overrides, SECTIONS, "configs/pretraining.cfg")
    settings = {name: dict(load_config(config, overrides=overrides)[name]) for name in SECTIONS}
    if bool(tokenizer) == bool(encoder):
        raise UserError("give --tokenizer to begin from scratch, or --encoder to go on with one.")
    if encoder:
        for name, value in settings["further"].items():
            if f"training.{name}" not in overrides:
                settings["training"][name] = value
    check_folder(output)
    n_lines, digest = measure_lines(text, encoding)
    work = output.with_name(f"{output.name}.unfinished")
    arguments = training_arguments(settings["training"], work)
    set_seed(arguments.seed)
    pieces, model, what = choose_model(tokenizer, encoder, settings["model"])
    size = settings["data"]["block_size"]
    if not 3 <= size <= pieces.model_max_length:
        raise UserError(f"--data.block_size {size}: from 3 to {pieces.model_max_length} pieces.")
    mask = masking(pieces, settings["data"]["mlm_probability"])
    about = {
        "encoder": encoder, "tokenizer": tokenizer, "lines": n_lines, "text_sha256": digest,
        "vocabulary": len(pieces), **settings,
    }  # fmt: skip
    with arguments.main_process_first(desc="blocks"):
        if arguments.process_index == 0:
            begin(work, about)
            try:
                pack_text(text, encoding, pieces, work, settings["data"])
            except (UserError, OSError):
                if last_checkpoint(work) is None:
                    shutil.rmtree(work)
                raise
    train, dev = (
        Blocks(work / f"{name}.blocks", size, pieces.all_special_ids) for name in ("train", "dev")
    )
    trainer = MaskedTrainer(model, arguments, pieces, mask, train, dev)
    entropy = train.entropy()
    checkpoint = last_checkpoint(work)
    if trainer.is_world_process_zero():
        msg.info(f"{what}: {len(train):,} blocks of {size} pieces, {len(dev):,} held out")
        msg.info(
            f"unigram entropy of the pieces: {entropy:.3f} (perplexity {perplexity(entropy):,.1f})"
        )
        if checkpoint:
            msg.info(f"going on from {checkpoint}")
    trainer.train(resume_from_checkpoint=checkpoint)
    curve = trainer.losses()
    if not trainer.is_world_process_zero():
        return
    loss = curve[-1]["loss"]
    figures = {"loss": loss, "perplexity": perplexity(loss), "entropy": entropy}
    card = CARD.format(
        what=what, steps=trainer.state.global_step, lines=n_lines, train=len(train),
        block=size, digest=digest, base=f" and of {encoder}" if encoder else "", **figures,
    )  # fmt: skip
    with written_beside(output) as folder:
        trainer.model.save_pretrained(folder)
        pieces.save_pretrained(folder)
        shutil.copytree(work / "logs", folder / "logs")
        srsly.write_json(folder / "pretraining.json", {**about, **figures, "held_out": curve})
        (folder / "README.md").write_text(card, encoding="utf8")
    shutil.rmtree(work)
    msg.good(
        f"{output}: held-out loss {loss:.3f} (perplexity {figures['perplexity']:,.1f}), where the "
        f"unigram entropy is {entropy:.3f}"
    )


if __name__ == "__main__":
    run(main, **SETTINGS)
