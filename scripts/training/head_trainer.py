"""transformers' Trainer for heads: dev is scored as annotated documents, the best checkpoint kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from spacy.tokens import Doc
from transformers import (
    EvalPrediction,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from ..common.trainer import QuietTrainer
from .heads import Head, Rows

# Fields of TrainingArguments that keep the best checkpoint.
KEEP_BEST = {
    "load_best_model_at_end": True, "metric_for_best_model": "score", "greater_is_better": True
}  # fmt: skip


class LastEvaluation(TrainerCallback):
    """Score dev after the last update too, which need not be one that [training] names."""

    def on_step_end(self, args, state, control, **kwargs) -> None:
        if args.eval_strategy == "steps" and state.global_step >= state.max_steps:
            control.should_evaluate = True


def first_output(logits: Any, labels: Any) -> torch.Tensor:
    """Return the logits of a model that returns hidden states or attentions as well."""
    return logits[0] if isinstance(logits, tuple) else logits


class HeadTrainer(QuietTrainer):
    """Trainer that scores the predictions for the documents of dev.

    score: returns figures for predicted and gold documents, the main one as `score`. shown: its name.
    """

    def __init__(
        self,
        head: Head,
        model: PreTrainedModel,
        arguments: TrainingArguments,
        tokenizer: PreTrainedTokenizerBase,
        train: Rows,
        dev: Rows,
        docs: list[Doc],
        score: Callable[[list[Doc], list[Doc]], dict[str, float]],
        shown: str,
    ) -> None:
        set_seed(arguments.seed)

        def metrics(found: EvalPrediction) -> dict[str, float]:
            return score(head.predicted(docs, dev, found.predictions), docs)

        super().__init__(
            model,
            arguments,
            data_collator=head.collator(tokenizer),
            train_dataset=train,
            eval_dataset=dev,
            processing_class=tokenizer,
            compute_metrics=metrics,
            preprocess_logits_for_metrics=first_output,
            callbacks=[LastEvaluation],
        )
        self.show(
            lambda metrics: f"dev {metrics['eval_loss']:6.3f}   {shown} {metrics['eval_score']:.4f}"
        )

    def _get_eval_sampler(self, eval_dataset: Rows) -> torch.utils.data.Sampler:
        # Trainer would sort them by length, and the rows of a document belong together.
        return torch.utils.data.SequentialSampler(eval_dataset)

    def _save_checkpoint(self, *arguments) -> None:
        # A process takes a checkpoint for the best only if its folder exists, which the first process
        # may not have made yet; then the others would wait at the end for one that does not come.
        checkpoint = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        checkpoint.mkdir(exist_ok=True)
        super()._save_checkpoint(*arguments)
