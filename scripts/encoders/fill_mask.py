"""Fill the gaps of a text: `python -m scripts.encoders.fill_mask ENCODER "Paris est la [MASK]."`."""

import json
from typing import Any

import torch
from transformers import AutoModelForMaskedLM, PreTrainedModel, PreTrainedTokenizerBase
from wasabi import msg

from ..common.errors import UserError
from .checkpoint import longest, open_checkpoint

# However a gap is written, it becomes the encoder's own mask token.
GAPS = ("[MASK]", "<mask>")


def fill(
    text: str, tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, top: int
) -> list[list[dict[str, Any]]]:
    """Return the `top` likeliest pieces for each gap of a text, with their probabilities.

    Several gaps are filled each by itself, the others staying masked. Raises UserError for a text
    without a gap, or one that is too long.
    """
    for gap in GAPS:
        text = text.replace(gap, tokenizer.mask_token)
    batch = tokenizer(text, return_tensors="pt")
    places = (batch["input_ids"][0] == tokenizer.mask_token_id).nonzero().flatten()
    if not len(places):
        raise UserError(f"no gap in {text[:60]!r}: write {tokenizer.mask_token} where a word is.")
    length, limit = batch["input_ids"].shape[1], longest(tokenizer, model)
    if length > limit:
        raise UserError(
            f"the text has {length} pieces, the encoder takes {limit}: give a shorter one."
        )
    with torch.no_grad():
        probabilities = model(**batch).logits[0, places].softmax(-1)
    best = probabilities.topk(min(top, probabilities.shape[-1]))
    return [
        [
            {"piece": tokenizer.decode([index]).strip(), "id": index, "probability": value}
            for value, index in zip(values, indices)
        ]
        for values, indices in zip(best.values.tolist(), best.indices.tolist())
    ]


def fill_mask(encoder: str, text: str, top: int, revision: str, as_json: bool) -> None:
    """Show the likeliest pieces for each gap of a text, by the head that learnt on masked text."""
    tokenizer, model = open_checkpoint(encoder, AutoModelForMaskedLM, revision=revision)
    if tokenizer.mask_token is None:
        raise UserError(f"encoder {encoder}: its tokenizer has no mask token.")
    gaps = fill(text, tokenizer, model, top)
    if as_json:
        print(json.dumps({"text": text, "gaps": gaps}, ensure_ascii=False, indent=1))
        return
    for number, found in enumerate(gaps, 1):
        rows = [
            (item["piece"], f"{item['probability']:.4f}", "█" * round(30 * item["probability"]))
            for item in found
        ]
        header = (f"gap {number}", "probability", "")
        msg.table(rows, header=header, divider=True, aligns=("l", "r", "l"), max_col=60)


if __name__ == "__main__":
    from ..cli import run_module

    run_module(__spec__.name)
