"""Train a restorer of marks and capitals: `python -m scripts train-restorer TEXT OUTPUT --encoder E`.

An encoder that was pretrained reads the words in lower case without marks, and a decoder from scratch
writes the text (Rothe et al. 2020).
"""

import json
import math
import shutil
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

from transformers import EncoderDecoderModel, Seq2SeqTrainingArguments, set_seed
from wasabi import msg

from ..common.errors import UserError, warn
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
from ..encoders.checkpoint import max_length, save_errors, strip_local_path
from ..encoders.snapshot import snapshot
from .chunks import LEAST
from .model import encoder_decoder, open_encoder
from .pairs import Pairs, make_pairs, row
from .pieces import Pieces
from .restorer import Restorer
from .scores import ALL_MARKS, CAPITALS, evaluate
from .trainer import PairsTrainer

CONFIG = Path(__file__).parents[2] / "configs" / "restoring.cfg"
SECTIONS = ("model", "data", "training")
SCORES = "F of marks", "F of capitals", "chrF"
# Pieces that the decoder has positions for, in those of the longest text: text that is all in capitals
# takes several times as many.
POSITIONS = 2

CARD = """---
library_name: transformers
base_model: {encoder}
---
Restores punctuation marks ({marks}) and capitals: an encoder-decoder of {parameters:,} parameters, its
encoder {encoder}, its decoder from scratch, trained for {steps:,} updates on {train:,} texts of {lines:,} lines
(sha256 of the lines: {digest}). It reads words in lower case without marks.

On {held_out:,} held-out texts: {accuracy:.2%} of the pieces right when those before them are given. Restored
so that no word can change, beside the text as it is read, and the same with each word in its most frequent
form, a capital at the beginning and the most frequent mark at the end:

| | {names} |
|---|--:|--:|--:|
{rows}

All settings and scores are in `restoring.json`.

Licence: not stated; that of the text and of {encoder} applies.
"""


def scores_of(model: EncoderDecoderModel, trainer: PairsTrainer, pairs: Pairs, limit: int) -> dict:
    """Return the scores of the restorer and of the two baselines on the held-out texts."""
    restorer = Restorer(trainer.processing_class, model, limit, pairs.habits.spaced)
    gold = [list(zip(*chunk)) for chunk in pairs.held_out]
    spoken = [chunk.spoken for chunk in pairs.held_out]
    restored = [one.words for one in restorer.restore(spoken)]
    copied = [[(word, "") for word in text.split()] for text in spoken]
    frequent = [pairs.habits.written(text.split()) for text in spoken]
    return {
        name: evaluate(found, gold)
        for name, found in (
            ("restored", restored),
            ("as it is read", copied),
            ("most frequent", frequent),
        )
    }


def table(scored: dict[str, dict]) -> list[tuple[str, ...]]:
    """Return a row for each way to restore: F of marks, F of capitals, chrF."""
    return [
        (name, f"{one[ALL_MARKS]['f']:.3f}", f"{one[CAPITALS]['f']:.3f}", f"{one['chrf']:.1f}")
        for name, one in scored.items()
    ]


def warn_of(scored: dict[str, dict]) -> None:
    """Say by which scores restored texts are no better than with the most frequent forms."""
    rows = {name: cells for name, *cells in table(scored)}
    short = [
        f"{name} {one} against {other}"
        for name, one, other in zip(SCORES, rows["restored"], rows["most frequent"])
        if float(one) <= float(other)
    ]
    if short:
        warn(
            f"no better than the most frequent forms: {', '.join(short)}; give more text or a higher "
            "--training.max_steps"
        )


def write(
    trainer: PairsTrainer, work: Path, output: Path, about: dict[str, Any], pairs: Pairs
) -> None:
    """Write the encoder-decoder, its model card, TensorBoard logs and restoring.json.

    about: the contents of restoring.json, with evaluations and scores.
    """
    card = CARD.format(
        encoder=about["encoder"], marks=" ".join(about["marks"]), steps=trainer.state.global_step,
        parameters=trainer.model.num_parameters(), train=len(pairs.train), lines=about["lines"],
        digest=about["text_sha256"], held_out=len(pairs.held_out), accuracy=about["held_out"][-1]["accuracy"],
        names=" | ".join(SCORES), rows="\n".join(f"| {' | '.join(cells)} |" for cells in table(about["scores"])),
    )  # fmt: skip
    with written_beside(output) as folder:
        with save_errors(output):
            trainer.model.save_pretrained(folder)
        trainer.processing_class.save_pretrained(folder)
        shutil.copytree(work / "logs", folder / "logs")
        (folder / "restoring.json").write_text(json.dumps(about, indent=1), "utf8")
        (folder / "README.md").write_text(card, encoding="utf8")


def show(scored: dict[str, dict]) -> None:
    """Print the scores, and those of each mark."""
    msg.table(
        table(scored),
        header=("held-out texts", *SCORES),
        divider=True,
        aligns=("l", "r", "r", "r"),
    )
    msg.table(
        [
            (name, f"{one['precision']:.3f}", f"{one['recall']:.3f}", f"{one['f']:.3f}", f"{one['gold']:,}")
            for name, one in scored["restored"].items()
            if isinstance(one, dict) and one["gold"]
        ],
        header=("restored", "precision", "recall", "F", "in the texts"),
        divider=True,
        aligns=("l", "r", "r", "r", "r"),
    )  # fmt: skip


def train_restorer(
    text: Path,
    output: Path,
    encoder_name: str,
    revision: str,
    config: Path | None,
    encoding: str | None,
    overrides: dict[str, Any],
) -> None:
    """Train a restorer of marks and capitals from an encoder.

    An interrupted training resumes when run again with the same arguments. Raises UserError.
    """
    # A warning from transformers about torch, which users can do nothing about.
    warnings.filterwarnings("ignore", message=".*torch.cpu.amp.autocast.*", category=FutureWarning)
    settings = read_sections(config or CONFIG, overrides, SECTIONS, CONFIG)
    named, output = output, output.resolve()
    check_folder(output)
    n_lines, digest = measure_lines(text, encoding)
    work = output.with_name(f"{output.name}.unfinished")
    arguments = training_arguments(
        settings["training"], work, Seq2SeqTrainingArguments, eval_on_start=True
    )
    set_seed(arguments.seed)
    _, commit = snapshot(encoder_name, revision, weights=False)
    tokenizer, encoder = open_encoder(encoder_name, commit)
    pieces = Pieces(tokenizer)
    limit, most = settings["data"]["max_pieces"], max_length(tokenizer, encoder) - 2
    if not LEAST <= limit <= most:
        raise UserError(f"--data.max_pieces {limit}: give {LEAST} to {most} pieces.")
    model = encoder_decoder(settings["model"], tokenizer, encoder, limit * POSITIONS)
    about = {
        "encoder": strip_local_path(encoder_name), "revision": commit, "lines": n_lines,
        "text_sha256": digest, "marks": "".join(pieces.marks), **settings,
    }  # fmt: skip
    with arguments.main_process_first(desc="pairs"):
        if arguments.process_index == 0:
            begin(work, about, "training of a restorer", "text or encoder")
        try:
            path = work / f"pairs-{arguments.process_index}.arrow"
            pairs = make_pairs(text, encoding, pieces, settings["data"], path)
        except (UserError, OSError):
            if arguments.process_index == 0 and last_checkpoint(work) is None:
                discard(work)
            raise
    model.config.restoring = {"max_pieces": limit, "spaced": pairs.habits.spaced}
    checkpoint = last_checkpoint(work)
    finished = finished_state(checkpoint)
    if finished:
        # A copy, because the loaded weights are mapped from a file that is deleted at the end.
        model = deepcopy(EncoderDecoderModel.from_pretrained(checkpoint))
    arguments = in_best_precision(arguments, settings["training"].get("bf16", False), model.encoder)
    held_out = [row(chunk, pieces) for chunk in pairs.held_out]
    set_seed(arguments.seed)
    trainer = PairsTrainer(model, arguments, tokenizer, pairs.train, held_out)
    if trainer.is_world_process_zero():
        for what, count in sorted(pairs.counts.items()):
            msg.info(f"{count:,} {what}")
        msg.info(
            f"{model.num_parameters():,} parameters; {len(pairs.train):,} texts, {len(held_out):,} held out"
        )
    with save_errors(work):
        trainer.resume(checkpoint, finished)
    trainer.evaluate_last()
    about |= {"counts": dict(pairs.counts), "held_out": trainer.evaluations("loss", "accuracy")}
    last = about["held_out"][-1]
    if not math.isfinite(last["loss"]):
        raise UserError(
            f"held-out loss is {last['loss']}: the training diverged; delete {work} and lower "
            "--training.learning_rate."
        )
    if trainer.is_world_process_zero():
        about["scores"] = scores_of(trainer.model, trainer, pairs, limit)
        write(trainer, work, output, about, pairs)
        show(about["scores"])
        warn_of(about["scores"])
    del pairs
    trainer.close()
    # Wait until no process has a file in the work folder open.
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        discard(work)
        msg.good(f"{named}: {last['accuracy']:.2%} of held-out pieces right")
    trainer.leave()
