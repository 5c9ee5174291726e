"""transformers' Trainer for masked words: arguments, evaluation with the same masks, checkpoints."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import srsly
from transformers import (
    DataCollatorForLanguageModeling,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    TrainingArguments,
    default_data_collator,
    set_seed,
)
from transformers.integrations import TensorBoardCallback
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from ..common.errors import UserError, first_line
from ..common.files import discard, written_beside
from .hardware import has_bfloat16, has_gpu
from .packing import Blocks

# Above e^50 nothing can be told apart any more.
HIGHEST_LOSS = 50


def perplexity(loss: float) -> float:
    """Return e to the power of a loss in nats."""
    return math.exp(min(loss, HIGHEST_LOSS))


def training_arguments(fields: dict[str, Any], work: Path) -> TrainingArguments:
    """Return the fields of [training] as Trainer takes them. Raises UserError."""
    cpu = not has_gpu()
    try:
        return TrainingArguments(
            **{**fields, "bf16": fields.get("bf16", False) and has_bfloat16()},
            output_dir=str(work),
            logging_dir=str(work / "logs"),
            report_to=["tensorboard"],
            use_cpu=cpu,
            dataloader_pin_memory=not cpu,
            # Which pieces are special is for the masks, not for the model.
            remove_unused_columns=False,
            eval_on_start=True,
        )
    except (ValueError, TypeError) as error:
        raise UserError(
            f"[training]: {first_line(error)}; see transformers.TrainingArguments."
        ) from error


def masking(tokenizer: PreTrainedTokenizerBase, share: float) -> DataCollatorForLanguageModeling:
    """Return what masks a share of the pieces of a batch. Raises UserError for what is no share."""
    if not 0 < share < 1:
        raise UserError(f"--data.mlm_probability {share}: a share is expected, such as 0.15.")
    return DataCollatorForLanguageModeling(tokenizer, mlm_probability=share)


class Progress(ProgressCallback):
    """A bar, and a line for each evaluation."""

    loss: float | None = None

    def on_prediction_step(self, args, state, control, **kwargs) -> None:
        """No bar within the bar."""

    def on_log(self, args, state, control, logs=None, **kwargs) -> None:
        self.loss = logs.get("loss", self.loss)

    def on_evaluate(self, args, state, control, metrics=None, **kwargs) -> None:
        super().on_evaluate(args, state, control, **kwargs)
        if state.is_world_process_zero and metrics:
            bar = self.training_bar
            trained = "     –" if self.loss is None else f"{self.loss:6.3f}"
            (bar.write if bar else print)(
                f"{state.global_step:7,}   loss in training {trained}   held out "
                f"{metrics['eval_loss']:6.3f}   perplexity {metrics['eval_perplexity']:10,.1f}"
            )


class MaskedTrainer(Trainer):
    """Learns on blocks that are masked anew each time, and is asked the same each time."""

    def __init__(
        self,
        model: PreTrainedModel,
        arguments: TrainingArguments,
        tokenizer: PreTrainedTokenizerBase,
        mask: DataCollatorForLanguageModeling,
        train: Blocks,
        dev: Blocks,
    ) -> None:
        set_seed(arguments.seed)
        asked = mask([dev[index] for index in range(len(dev))])
        super().__init__(
            model,
            arguments,
            data_collator=lambda rows: (default_data_collator if "labels" in rows[0] else mask)(
                rows
            ),
            train_dataset=train,
            eval_dataset=[dict(zip(asked, row)) for row in zip(*asked.values())],
            processing_class=tokenizer,
        )
        for callback in (PrinterCallback, ProgressCallback):
            self.remove_callback(callback)
        self.add_callback(Progress)

    def log(self, logs: dict[str, float], *arguments) -> None:
        if "eval_loss" in logs:
            logs["eval_perplexity"] = perplexity(logs["eval_loss"])
        super().log(logs, *arguments)

    def losses(self) -> list[dict[str, float]]:
        """Return step and held-out loss of each evaluation, the last being that of the result."""
        history = self.state.log_history
        if not any(e["step"] == self.state.global_step for e in history if "eval_loss" in e):
            self.evaluate()
        # A training that was broken off is asked twice where it goes on: the last answer counts.
        losses = {e["step"]: e["eval_loss"] for e in history if "eval_loss" in e}
        return [{"step": step, "loss": losses[step]} for step in sorted(losses)]

    def close(self) -> None:
        """Let go of the files in the folder of the training: Windows deletes none that is open."""
        self.train_dataset.close()
        curves = self.pop_callback(TensorBoardCallback)
        if curves.tb_writer:
            curves.tb_writer.close()


def last_checkpoint(work: Path) -> Path | None:
    """Return the last whole checkpoint of a broken-off training; Trainer writes its state last."""
    for path in sorted(work.glob("checkpoint-*"), key=step_of, reverse=True):
        try:
            srsly.read_json(path / "trainer_state.json")
            return path
        except ValueError:
            continue
    return None


def step_of(checkpoint: Path) -> int:
    """Return the number of updates before a checkpoint, by its name."""
    return int(checkpoint.name.split("-")[1])


def sweep(work: Path) -> None:
    """Delete checkpoints that a kill cut short: all after the last whole one."""
    last = last_checkpoint(work)
    for path in work.glob("checkpoint-*"):
        if last is None or step_of(path) > step_of(last):
            shutil.rmtree(path)


def begin(work: Path, about: dict[str, Any]) -> None:
    """Make the folder of what is not finished, or see that it can be gone on with.

    Raises UserError where it is another training's, or nothing of the kind.
    """
    record = work / "begun.json"
    if work.exists() and any(work.iterdir()) and not record.is_file():
        raise UserError(f"{work}: something else is there; move it away.")
    if last_checkpoint(work) is None:
        # Nothing was learnt yet.
        discard(work)
        with written_beside(work) as folder:
            # Not srsly, which rounds numbers.
            (folder / record.name).write_text(json.dumps(about, indent=1), encoding="utf8")
    elif json.loads(record.read_text(encoding="utf8")) != about:
        raise UserError(
            f"{work}: a pretraining with other settings, text or tokenizer was broken off there; "
            "delete it, or go on with what it was begun with."
        )
    sweep(work)
