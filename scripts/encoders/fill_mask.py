"""Predict masked words: `python -m scripts fill-mask ENCODER "Paris est la [MASK]."`."""

import json
from typing import Any

import torch
from transformers import AutoModelForMaskedLM, PreTrainedModel, PreTrainedTokenizerBase
from wasabi import msg

from ..common.errors import UserError
from .checkpoint import check_length, open_checkpoint

# Ways to write a gap; each is replaced by the encoder's own mask token.
GAPS = ("[MASK]", "<mask>")


def fill(
    text: str, tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, top: int
) -> list[list[dict[str, Any]]]:
    """Return the `top` most probable pieces for each gap in a text, with their probabilities.

    Each gap is filled independently, with the others still masked. Raises UserError if the text has
    no gap or is too long.
    """
    for gap in GAPS:
        text = text.replace(gap, tokenizer.mask_token)
    batch = tokenizer(text, return_tensors="pt")
    positions = (batch["input_ids"][0] == tokenizer.mask_token_id).nonzero().flatten()
    if not len(positions):
        raise UserError(
            f"no gap in {text[:60]!r}: write {tokenizer.mask_token} in place of a word."
        )
    check_length(batch["input_ids"].shape[1], tokenizer, model)
    with torch.no_grad():
        probabilities = model(**batch).logits[0, positions].softmax(-1)
    best = probabilities.topk(min(top, probabilities.shape[-1]))
    return [
        [
            {"piece": tokenizer.decode([index]).strip(), "id": index, "probability": value}
            for value, index in zip(values, indices)
        ]
        for values, indices in zip(best.values.tolist(), best.indices.tolist())
    ]


def fill_mask(encoder: str, text: str, top: int, revision: str, as_json: bool) -> None:
    """Show the most probable pieces for each gap in a text, by the encoder's masked-LM head."""
    tokenizer, model = open_checkpoint(encoder, AutoModelForMaskedLM, revision=revision)
    if tokenizer.mask_token is None:
        raise UserError(
            f"encoder {encoder}: its tokenizer has no mask token; choose an encoder that was "
            "pretrained on masked text."
        )
    gaps = fill(text, tokenizer, model, top)
    if as_json:
        print(json.dumps({"text": text, "gaps": gaps}, ensure_ascii=False, indent=1))
        return
    for number, candidates in enumerate(gaps, 1):
        rows = [
            (item["piece"], f"{item['probability']:.4f}", "█" * round(30 * item["probability"]))
            for item in candidates
        ]
        header = (f"gap {number}", "probability", "")
        msg.table(rows, header=header, divider=True, aligns=("l", "r", "l"), max_col=60)


if __name__ == "__main__":
    from ..common.old_names import run_module

    run_module(__spec__.name)
