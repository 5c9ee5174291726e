"""transformers' Trainer: its arguments, checkpoints of an interrupted training, a progress bar."""

import gc
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import srsly
import torch
from accelerate.utils import broadcast_object_list
from spacy.util import minibatch
from torch.utils.data import Dataset, RandomSampler, Sampler
from transformers import PreTrainedModel, Trainer, TrainerState, TrainingArguments
from transformers.integrations import TensorBoardCallback
from transformers.trainer_callback import PrinterCallback, ProgressCallback
from transformers.trainer_pt_utils import LengthGroupedSampler
from wasabi import msg

from .devices import has_gpu
from .errors import UserError, first_line
from .files import discard, written_beside
from .precision import trains_in_bfloat16

# Fields of [training] that must be 1 or more, which TrainingArguments does not check.
POSITIVE = (
    "per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps"
)  # fmt: skip

# With several processes on a CPU, accelerate's device is "cpu:0", and torch.load, which knows only "cpu",
# raised an error when a training was to resume.
torch.serialization.register_package(
    0, lambda _: None, lambda storage, place: storage if place == "cpu:0" else None
)


def training_arguments(
    fields: dict[str, Any], work: Path, kind: type[TrainingArguments] = TrainingArguments, **fixed
) -> TrainingArguments:
    """Return the fields of [training] as TrainingArguments, or as a `kind` of these. Raises UserError.

    fixed: fields that are not the user's. bf16 is left to `in_best_precision`.

    transformers 5 removes two of the fields in use: logging_dir (set TENSORBOARD_LOGGING_DIR in the
    environment instead) and, in the configs, warmup_ratio (give the fraction as warmup_steps).
    """
    for name in POSITIVE:
        if fields.get(name, 1) < 1:
            raise UserError(f"--training.{name} {fields[name]}: give 1 or more.")
    cpu = not has_gpu()
    forget_precision()
    try:
        return kind(
            **{**fields, "bf16": False, **fixed},
            output_dir=str(work),
            logging_dir=str(work / "logs"),
            report_to=["tensorboard"],
            use_cpu=cpu,
            dataloader_pin_memory=not cpu,
            # Keep what is for the collator and not for the model.
            remove_unused_columns=False,
        )
    except (ValueError, TypeError) as error:
        raise UserError(
            f"[training]: {first_line(error)}; see the fields of transformers.{kind.__name__}."
        ) from error


def forget_precision() -> None:
    """Keep accelerate from taking over the precision of an earlier training in this process, or that of
    its own configuration, where there is neither bf16 nor fp16."""
    os.environ.pop("ACCELERATE_MIXED_PRECISION", None)


def in_best_precision(
    arguments: TrainingArguments, bf16: bool, encoder: PreTrainedModel
) -> TrainingArguments:
    """Return the arguments with bf16 where that is wanted, fp16 is not, and the device runs the encoder
    faster in it, which the first process finds out for all."""
    asked = bf16 and not arguments.fp16
    chosen = [asked and arguments.process_index == 0 and trains_in_bfloat16(encoder)]
    (use,) = broadcast_object_list(chosen)
    forget_precision()
    return replace(arguments, bf16=use)


class Progress(ProgressCallback):
    """Show a progress bar, and a line for each evaluation: the loss, and what `figures` makes of the
    evaluation's metrics."""

    loss: float | None = None

    def __init__(self, figures: Callable[[dict[str, float]], str]) -> None:
        super().__init__()
        self.figures = figures

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
                f"{state.global_step:7,}   loss: training {training}   {self.figures(metrics)}"
            )


class ByLength(LengthGroupedSampler):
    """Rows of about the same length in a batch, the batches in random order: from long to short, as they
    come otherwise, a restorer forgot long texts again and again. The order is the same in a training
    that resumes.

    kept: how many rows each epoch has, drawn anew for each.
    """

    def __init__(self, batch_size: int, lengths: list[int], seed: int, kept: int) -> None:
        super().__init__(batch_size, lengths=lengths, generator=torch.Generator())
        self.seed, self.kept = seed, kept
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        self.generator.manual_seed(self.seed + epoch)

    def __len__(self) -> int:
        return self.kept

    def __iter__(self) -> Iterator[int]:
        rows = range(len(self.lengths))
        draw = random.Random(self.generator.initial_seed())
        left_out = set(draw.sample(rows, len(rows) - self.kept))
        kept = (row for row in super().__iter__() if row not in left_out)
        batches = list(minibatch(kept, self.batch_size))
        # An incomplete batch stays the last.
        whole = self.kept // self.batch_size
        order = torch.randperm(whole, generator=self.generator).tolist()
        return chain.from_iterable(batches[n] for n in [*order, *range(whole, len(batches))])


class QuietTrainer(Trainer):
    """Trainer that shows nothing but Progress, and resumes in the middle of an epoch with the rows that
    are left of it."""

    def lengths(self) -> list[int]:
        """Return the lengths of the rows, for group_by_length."""
        return [len(row["input_ids"]) for row in self.train_dataset]

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler:
        batches = self.args.gradient_accumulation_steps
        size = self.args.train_batch_size * batches
        update = size * self.args.world_size
        kept = rows = len(self.train_dataset)
        if batches > 1 and rows > update:
            # If the last update of an epoch has fewer batches, Trainer skips it in an epoch that it
            # resumes in.
            kept -= rows % update
        if self.args.group_by_length:
            return ByLength(size, self.lengths(), self.args.seed, kept)
        return RandomSampler(self.train_dataset, num_samples=kept)

    def show(self, figures: Callable[[dict[str, float]], str]) -> None:
        """Replace what Trainer prints by Progress; `figures` is the text for its metrics."""
        for callback in (PrinterCallback, ProgressCallback):
            self.remove_callback(callback)
        self.add_callback(Progress(figures))

    def resume(self, checkpoint: Path | None, finished: TrainerState | None) -> None:
        """Train, from a checkpoint if there is one; take over the state of a finished training."""
        if checkpoint and self.is_world_process_zero():
            msg.info(f"resuming from {checkpoint}")
        if finished:
            self.state = finished
        else:
            self.train(resume_from_checkpoint=checkpoint and str(checkpoint))

    def evaluate_last(self) -> None:
        """Evaluate the final weights, unless they were."""
        history = self.state.log_history
        if not any(e["step"] == self.state.global_step for e in history if "eval_loss" in e):
            self.evaluate()

    def evaluations(self, *names: str) -> list[dict[str, float]]:
        """Return step and metrics, such as the loss, of each evaluation."""
        # A resumed training can evaluate the step that it resumes from again; use the later result.
        found = {e["step"]: e for e in self.state.log_history if f"eval_{names[-1]}" in e}
        return [
            {"step": step, **{name: found[step][f"eval_{name}"] for name in names}}
            for step in sorted(found)
        ]

    def close(self) -> None:
        """Close the files in the work folder: Windows does not delete open ones."""
        tensorboard = self.pop_callback(TensorBoardCallback)
        if tensorboard.tb_writer:
            tensorboard.tb_writer.close()

    def leave(self) -> None:
        """Leave the other processes, if there are any.

        The wrapped model must go before the group of processes does. If it is the last to hold that
        group, it waits for the group's thread when it goes itself, while the thread may wait for the
        interpreter's lock, which it holds: sometimes a command that had done its work never ended.
        """
        self.model_wrapped = self.model
        self.accelerator.free_memory()
        gc.collect()
        self.accelerator.end_training()


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


def finished_state(checkpoint: Path | None) -> TrainerState | None:
    """Return the state of a training whose last checkpoint is that of its last update, else None."""
    if checkpoint is None:
        return None
    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    return state if state.global_step >= state.max_steps else None


def step_of(checkpoint: Path) -> int:
    """Return the update after which a checkpoint was saved, from its name."""
    return int(checkpoint.name.split("-")[1])


def delete_incomplete(work: Path) -> None:
    """Delete the checkpoints that a kill left incomplete: all after the last complete one."""
    last = last_checkpoint(work)
    for path in work.glob("checkpoint-*"):
        if last is None or step_of(path) > step_of(last):
            shutil.rmtree(path)


def begin(work: Path, about: dict[str, Any], kind: str, given: str) -> None:
    """Create the work folder of a training, or check that the one in it can be resumed.

    about: what identifies the training. kind: what the training is called. given: what it is made
    from, besides settings. Raises UserError if the folder belongs to a different training, or holds
    something else.
    """
    record = work / "begun.json"
    if work.exists() and any(work.iterdir()) and not record.is_file():
        raise UserError(
            f"{work}: not an interrupted {kind}; move it away or choose another output folder."
        )
    if last_checkpoint(work) is None:
        # There is nothing to resume from yet.
        discard(work)
        with written_beside(work) as folder:
            # Not srsly, which rounds numbers.
            (folder / record.name).write_text(json.dumps(about, indent=1), encoding="utf8")
    elif json.loads(record.read_text(encoding="utf8")) != about:
        raise UserError(
            f"{work}: an interrupted {kind} with other settings, {given}; delete it to start "
            "afresh, or resume it with the same ones."
        )
    delete_incomplete(work)
