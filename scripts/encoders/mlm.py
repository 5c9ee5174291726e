"""transformers' Trainer for masked-language modelling."""

import math

from transformers import (
    DataCollatorForLanguageModeling,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainingArguments,
    default_data_collator,
    set_seed,
)

from ..common.errors import UserError
from ..common.trainer import QuietTrainer
from .packing import Blocks

# Keeps the perplexity of a diverged training finite.
MAX_LOSS = 50


def perplexity(loss: float) -> float:
    """Return the exponential of a loss in nats."""
    return math.exp(min(loss, MAX_LOSS))


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


def figures(metrics: dict[str, float]) -> str:
    """Return the metrics of an evaluation in words."""
    return f"held-out {metrics['eval_loss']:6.3f}   perplexity {metrics['eval_perplexity']:10,.1f}"


class MaskedTrainer(QuietTrainer):
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
        self.show(figures)

    def log(self, logs: dict[str, float], *arguments) -> None:
        if "eval_loss" in logs:
            logs["eval_perplexity"] = perplexity(logs["eval_loss"])
        super().log(logs, *arguments)

    def losses(self) -> list[dict[str, float]]:
        """Return step and held-out loss of each evaluation, that of the final weights last."""
        self.evaluate_last()
        return self.evaluations("loss")

    def close(self) -> None:
        """Close the files in the work folder: Windows does not delete open ones."""
        self.train_dataset.close()
        super().close()
