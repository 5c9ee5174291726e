"""Look inside an encoder: `python -m scripts inspect ENCODER "texte"`.

Shows the pieces of a text next to spaCy's tokens, the shapes of the hidden states, the number of
parameters in each part, the similarity of two sentences after each layer, and the attention as an
HTML page.
"""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from wasabi import msg

from ..common.errors import UserError, warn
from ..common.files import check_file
from ..common.languages import blank
from ..wheel.offsets import with_offsets
from .attention import View, attention_page, check_drawn, write_page
from .checkpoint import check_length, open_checkpoint


class Piece(NamedTuple):
    """A piece of a text, its character offsets and the spaCy tokens that it overlaps.

    misaligned: it covers white space or more than one token, so spaCy uses its vector for several
    tokens.
    """

    piece: str
    id: int
    start: int
    end: int
    text: str
    tokens: list[str]
    special: bool
    misaligned: bool


def pieces_of(text: str, tokenizer: PreTrainedTokenizerBase, language: str) -> list[Piece]:
    """Return the pieces of a text, special tokens included."""
    tokenizer = with_offsets(tokenizer)
    encoding = tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True)
    tokens = [(token.idx, token.idx + len(token), token.text) for token in blank(language)(text)]
    pieces = []
    names = tokenizer.convert_ids_to_tokens(encoding["input_ids"])
    fields = ("input_ids", "offset_mapping", "special_tokens_mask")
    for name, index, (start, end), special in zip(names, *(encoding[field] for field in fields)):
        covered = text[start:end]
        overlapped = [word for first, last, word in tokens if first < end and start < last]
        misaligned = not special and (len(overlapped) > 1 or covered != covered.strip())
        pieces.append(
            Piece(name, index, start, end, covered, overlapped, bool(special), misaligned)
        )
    return pieces


def part_of(parameter: str) -> str:
    """Return the part of an encoder that a parameter belongs to: embeddings, layer 3 or rest."""
    layer = re.search(r"\b(?:layers?|attentions|ffns|layer_norm[12])\.(\d+)\.", parameter)
    if layer:
        return f"layer {int(layer[1]) + 1}"
    return "embeddings" if re.search(r"embedding|_emb\b", parameter) else "rest"


def parameters(model: PreTrainedModel) -> dict[str, int]:
    """Return the number of parameters in each part; tied ones are counted once."""
    counts: Counter = Counter()
    for name, parameter in model.named_parameters():
        counts[part_of(name)] += parameter.numel()
    return dict(counts)


def run_model(
    texts: list[str], tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel
) -> tuple[Any, torch.Tensor]:
    """Return the model's output for a batch, and its attention mask (texts, pieces).

    Raises UserError if a text is too long for the encoder.
    """
    batch = tokenizer(texts, return_tensors="pt", padding=True)
    check_length(batch["input_ids"].shape[1], tokenizer, model)
    with torch.no_grad():
        output = model(**batch, output_hidden_states=True, output_attentions=True)
    return output, batch["attention_mask"]


def similarities(states: tuple[torch.Tensor, ...], mask: torch.Tensor) -> list[float]:
    """Return the cosine similarity of two sentences after the embeddings and after each layer.

    states: (2, pieces, width) each; mask: (2, pieces). A sentence vector is the mean of its pieces'
    vectors.
    """
    weights = mask[..., None].float()
    means = [(state * weights).sum(1) / weights.sum(1) for state in states]
    return [torch.cosine_similarity(a, b, dim=0).item() for a, b in means]


def describe(
    text: str, pieces: list[Piece], output: Any, tokenizer: Any, model: PreTrainedModel
) -> dict[str, Any]:
    """Return the JSON report on a text, without the optional similarity."""
    return {
        "encoder": tokenizer.name_or_path,
        "type": model.config.model_type,
        "text": text,
        "pieces": [piece._asdict() for piece in pieces],
        "misaligned": sum(piece.misaligned for piece in pieces),
        "unknown": sum(piece.id == tokenizer.unk_token_id for piece in pieces),
        "special_tokens": tokenizer.special_tokens_map,
        "last_hidden_state": list(output.last_hidden_state.shape),
        "hidden_states": [len(output.hidden_states), *output.hidden_states[0].shape],
        "attentions": [len(output.attentions), *output.attentions[0].shape],
        "parameters": parameters(model),
    }


def print_report(report: dict[str, Any]) -> None:
    """Print the report as tables."""
    rows = []
    for index, piece in enumerate(report["pieces"]):
        mark = "special" if piece["special"] else "✘ misaligned" if piece["misaligned"] else ""
        tokens = " · ".join(piece["tokens"])
        offsets = "" if piece["special"] else f"{piece['start']}–{piece['end']}"
        rows.append((index, piece["piece"], piece["id"], offsets, tokens, mark))
    header = ("", "piece", "id", "characters", "spaCy tokens", "")
    msg.table(rows, header=header, divider=True, aligns=("r", "l", "r", "r", "l", "l"))
    total = sum(report["parameters"].values())
    rows = [(part, f"{n:,}", f"{n / total:.1%}") for part, n in report["parameters"].items()]
    rows.append(("total", f"{total:,}", ""))
    msg.table(rows, header=("part", "parameters", ""), divider=True, aligns=("l", "r", "r"))
    shape = " × ".join(map(str, report["last_hidden_state"]))
    layers = " × ".join(map(str, report["hidden_states"]))
    heads = " × ".join(map(str, report["attentions"]))
    rows = [
        ("last hidden state", shape, "texts × pieces × width"),
        ("all hidden states", layers, "(1 + layers) × texts × pieces × width"),
        ("attention", heads, "layers × texts × heads × pieces × pieces"),
        ("special tokens", "", "  ".join(map(str, report["special_tokens"].values()))),
    ]
    msg.table(rows, max_col=120)
    if "similarity" in report:
        rows = [
            (
                "embeddings" if not layer else f"layer {layer}",
                f"{value:.3f}",
                "█" * round(30 * value),
            )
            for layer, value in enumerate(report["similarity"])
        ]
        msg.table(rows, header=("after", "cosine", report["other"]), divider=True, max_col=60)
    if report["misaligned"]:
        warn(f"{report['misaligned']} pieces overlap several tokens or white space")


def inspect(
    encoder: str,
    text: str,
    compare: str,
    lang: str,
    revision: str,
    attention: Path | None,
    as_json: bool,
) -> None:
    """Show the pieces, hidden states, parameters and attention of an encoder for a text."""
    if not text.strip():
        raise UserError("the text is empty; give at least one word.")
    if attention:
        check_file(attention)
    tokenizer, model = open_checkpoint(encoder, revision=revision, attn_implementation="eager")
    pieces = pieces_of(text, tokenizer, lang)
    output, _ = run_model([text], tokenizer, model)
    report = describe(text, pieces, output, tokenizer, model)
    if compare:
        both, mask = run_model([text, compare], tokenizer, model)
        report["other"] = compare
        report["similarity"] = similarities(both.hidden_states, mask)
    if attention:
        names = [piece.piece for piece in pieces]
        check_drawn(len(names))
        view = View("self-attention", names, names, output.attentions)
        write_page(attention, attention_page(tokenizer.name_or_path, [view], lang))
    if as_json:
        print(json.dumps(report, ensure_ascii=False, indent=1))
        return
    print_report(report)
    if attention:
        msg.good(f"{attention}: attention between {len(report['pieces'])} pieces")


if __name__ == "__main__":
    from ..common.old_names import run_module

    run_module(__spec__.name)
