"""transformers' Trainer for masked-language modelling, and its checkpoints."""

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

from ..common.devices import has_bfloat16, has_gpu
from ..common.errors import UserError, first_line
from ..common.files import discard, written_beside
from .packing import Blocks

# Keeps the perplexity of a diverged training finite.
MAX_LOSS = 50


def perplexity(loss: float) -> float:
    """Return the exponential of a loss in nats."""
    return math.exp(min(loss, MAX_LOSS))


def training_arguments(fields: dict[str, Any], work: Path) -> TrainingArguments:
    """Return the fields of [training] as TrainingArguments. Raises UserError.

    transformers 5 removes two of the fields in use: logging_dir (set TENSORBOARD_LOGGING_DIR in the
    environment instead) and, in configs/pretraining.cfg, warmup_ratio (give the fraction as
    warmup_steps).
    """
    cpu = not has_gpu()
    try:
        return TrainingArguments(
            **{**fields, "bf16": fields.get("bf16", False) and has_bfloat16()},
            output_dir=str(work),
            logging_dir=str(work / "logs"),
            report_to=["tensorboard"],
            use_cpu=cpu,
            dataloader_pin_memory=not cpu,
            # Keep special_tokens_mask, which is for the collator and not for the model.
            remove_unused_columns=False,
            eval_on_start=True,
        )
    except (ValueError, TypeError) as error:
        raise UserError(
            f"[training]: {first_line(error)}; see the fields of transformers.TrainingArguments."
        ) from error


def masking_collator(
    tokenizer: PreTrainedTokenizerBase, probability: float
) -> DataCollatorForLanguageModeling:
    """Return the collator that masks the pieces of a batch with a probability. Raises UserError."""
    if not 0 < probability < 1:
        raise UserError(
            f"--data.mlm_probability {probability}: expected a fraction between 0 and 1, such as "
            "0.15."
        )
    return DataCollatorForLanguageModeling(tokenizer, mlm_probability=probability)


class Progress(ProgressCallback):
    """Show a progress bar, and a line for each evaluation."""

    loss: float | None = None

    def on_prediction_step(self, args, state, control, **kwargs) -> None:
        """Show no second bar during an evaluation."""

    def on_log(self, args, state, control, logs=None, **kwargs) -> None:
        self.loss = logs.get("loss", self.loss)

    def on_evaluate(self, args, state, control, metrics=None, **kwargs) -> None:
        super().on_evaluate(args, state, control, **kwargs)
        if state.is_world_process_zero and metrics:
            bar = self.training_bar
            training = "     –" if self.loss is None else f"{self.loss:6.3f}"
            (bar.write if bar else print)(
                f"{state.global_step:7,}   loss: training {training}   held-out "
                f"{metrics['eval_loss']:6.3f}   perplexity {metrics['eval_perplexity']:10,.1f}"
            )


class MaskedTrainer(Trainer):
    """Trainer that masks training blocks anew in every epoch, but held-out blocks only once."""

    def __init__(
        self,
        model: PreTrainedModel,
        arguments: TrainingArguments,
        tokenizer: PreTrainedTokenizerBase,
        collator: DataCollatorForLanguageModeling,
        train: Blocks,
        dev: Blocks,
    ) -> None:
        set_seed(arguments.seed)
        masked = collator([dev[index] for index in range(len(dev))])
        super().__init__(
            model,
            arguments,
            # Held-out rows already have labels, those of their masks.
            data_collator=lambda rows: (default_data_collator if "labels" in rows[0] else collator)(
                rows
            ),
            train_dataset=train,
            eval_dataset=[dict(zip(masked, row)) for row in zip(*masked.values())],
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
        """Return step and held-out loss of each evaluation, that of the final weights last."""
        history = self.state.log_history
        if not any(e["step"] == self.state.global_step for e in history if "eval_loss" in e):
            self.evaluate()
        # A resumed training evaluates the step that it resumes from again; use the later result.
        losses = {e["step"]: e["eval_loss"] for e in history if "eval_loss" in e}
        return [{"step": step, "loss": losses[step]} for step in sorted(losses)]

    def close(self) -> None:
        """Close the files in the work folder: Windows does not delete open ones."""
        self.train_dataset.close()
        tensorboard = self.pop_callback(TensorBoardCallback)
        if tensorboard.tb_writer:
            tensorboard.tb_writer.close()


def last_checkpoint(work: Path) -> Path | None:
    """Return the last complete checkpoint of an interrupted training, or None.

    A complete one has a trainer_state.json, which Trainer writes last.
    """
    for path in sorted(work.glob("checkpoint-*"), key=step_of, reverse=True):
        try:
            srsly.read_json(path / "trainer_state.json")
            return path
        except ValueError:
            continue
    return None


def step_of(checkpoint: Path) -> int:
    """Return the update after which a checkpoint was saved, from its name."""
    return int(checkpoint.name.split("-")[1])


def delete_incomplete(work: Path) -> None:
    """Delete the checkpoints that a kill left incomplete: all after the last complete one."""
    last = last_checkpoint(work)
    for path in work.glob("checkpoint-*"):
        if last is None or step_of(path) > step_of(last):
            shutil.rmtree(path)


def begin(work: Path, about: dict[str, Any]) -> None:
    """Create the work folder of a training, or check that the one in it can be resumed.

    about: what identifies the training. Raises UserError if the folder belongs to a different
    training, or holds something else.
    """
    record = work / "begun.json"
    if work.exists() and any(work.iterdir()) and not record.is_file():
        raise UserError(
            f"{work}: not an interrupted pretraining; move it away or choose another output folder."
        )
    if last_checkpoint(work) is None:
        # There is nothing to resume from yet.
        discard(work)
        with written_beside(work) as folder:
            # Not srsly, which rounds numbers.
            (folder / record.name).write_text(json.dumps(about, indent=1), encoding="utf8")
    elif json.loads(record.read_text(encoding="utf8")) != about:
        raise UserError(
            f"{work}: an interrupted pretraining with other settings, text or tokenizer; delete it "
            "to start afresh, or resume it with the same ones."
        )
    delete_incomplete(work)
