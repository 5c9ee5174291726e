"""transformers' Seq2SeqTrainer for pairs of which most pieces are copies."""

from functools import partial

import torch
from datasets import Dataset
from torch.nn.functional import cross_entropy
from transformers import (
    DataCollatorForSeq2Seq,
    EncoderDecoderModel,
    EvalPrediction,
    PreTrainedTokenizerBase,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
)
from transformers.modeling_outputs import Seq2SeqLMOutput

from ..common.trainer import QuietTrainer

IGNORED = -100


def loss_per_piece(
    outputs: Seq2SeqLMOutput,
    labels: torch.Tensor,
    num_items_in_batch: torch.Tensor | None = None,
    smoothing: float = 0,
) -> torch.Tensor:
    """Return the cross-entropy of a batch per piece of its update.

    EncoderDecoderModel's own is per piece of the batch, which Trainer adds up over the batches of an
    update, as if it were not.
    """
    logits = outputs.logits.flatten(0, 1)
    summed = cross_entropy(
        logits, labels.flatten(), ignore_index=IGNORED, reduction="sum", label_smoothing=smoothing
    )
    return summed / (
        (labels != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
    )


def accuracy(predictions: EvalPrediction) -> dict[str, float]:
    """Return the share of pieces that are right when those before them are given."""
    labels = predictions.label_ids
    counted = labels != IGNORED
    right = (predictions.predictions == labels) & counted
    return {"accuracy": float(right.sum() / counted.sum())}


def figures(metrics: dict[str, float]) -> str:
    """Return the metrics of an evaluation in words."""
    return f"held-out {metrics['eval_loss']:6.3f}   pieces right {metrics['eval_accuracy']:.4f}"


class PairsTrainer(QuietTrainer, Seq2SeqTrainer):
    """Seq2SeqTrainer for rows of `input_ids` and `labels`."""

    def __init__(
        self,
        model: EncoderDecoderModel,
        arguments: Seq2SeqTrainingArguments,
        tokenizer: PreTrainedTokenizerBase,
        train: Dataset,
        held_out: list[dict[str, list[int]]],
    ) -> None:
        super().__init__(
            model,
            arguments,
            data_collator=DataCollatorForSeq2Seq(tokenizer, model, label_pad_token_id=IGNORED),
            train_dataset=train,
            eval_dataset=held_out,
            processing_class=tokenizer,
            compute_loss_func=partial(loss_per_piece, smoothing=arguments.label_smoothing_factor),
            compute_metrics=accuracy,
            preprocess_logits_for_metrics=lambda outputs, labels: outputs[0].argmax(-1),
        )
        self.show(figures)

    def lengths(self) -> list[int]:
        return [len(labels) for labels in self.train_dataset["labels"]]

    def close(self) -> None:
        """Close the files in the work folder: Windows does not delete open ones, nor mapped ones."""
        super().close()
        self.train_dataset = self.callback_handler.train_dataloader = None
        self.accelerator.free_memory()
