"""Look inside an encoder: `python -m scripts.encoders.inspect ENCODER "texte"`.

Its pieces beside spaCy's tokens, the shapes of its hidden states, where its parameters are, how alike
two sentences are layer by layer, and its attention as a page.
"""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jinja2 import Environment, FileSystemLoader
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from wasabi import msg

from ..common.errors import UserError, warn
from ..common.files import check_file, written_beside
from ..common.languages import blank
from ..wheel.components import with_places
from .checkpoint import longest, open_checkpoint

# Attention is drawn as a table of so many pieces at most; it has layers × heads of them.
MOST_DRAWN = 64


class Piece(NamedTuple):
    """A piece of a text: its place in the text, in characters, and the spaCy tokens it falls on.

    misaligned: it covers white space or more than one token, so that spaCy gives its vector to
    several tokens.
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
    """Return the pieces of a text."""
    tokenizer = with_places(tokenizer)
    encoding = tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True)
    tokens = [(token.idx, token.idx + len(token), token.text) for token in blank(language)(text)]
    found = []
    names = tokenizer.convert_ids_to_tokens(encoding["input_ids"])
    fields = ("input_ids", "offset_mapping", "special_tokens_mask")
    for name, index, (start, end), special in zip(names, *(encoding[field] for field in fields)):
        inside = text[start:end]
        touched = [word for first, last, word in tokens if first < end and start < last]
        wrong = not special and (len(touched) > 1 or inside != inside.strip())
        found.append(Piece(name, index, start, end, inside, touched, bool(special), wrong))
    return found


def part_of(parameter: str) -> str:
    """Return the part of an encoder that a parameter belongs to: embeddings, layer 3, head."""
    layer = re.search(r"\b(?:layers?|attentions|ffns|layer_norm[12])\.(\d+)\.", parameter)
    if layer:
        return f"layer {int(layer[1]) + 1}"
    return "embeddings" if re.search(r"embedding|_emb\b", parameter) else "rest"


def parameters(model: PreTrainedModel) -> dict[str, int]:
    """Return the number of parameters of each part; shared ones are counted once."""
    counts: Counter = Counter()
    for name, parameter in model.named_parameters():
        counts[part_of(name)] += parameter.numel()
    return dict(counts)


def run_model(
    texts: list[str], tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel
) -> tuple[Any, torch.Tensor]:
    """Return the model's output for a batch, and the attention mask (texts, pieces).

    Raises UserError for a text that is longer than the encoder takes.
    """
    batch = tokenizer(texts, return_tensors="pt", padding=True)
    length = batch["input_ids"].shape[1]
    limit = longest(tokenizer, model)
    if length > limit:
        raise UserError(
            f"the text has {length} pieces, the encoder takes {limit}: give a shorter one."
        )
    with torch.no_grad():
        output = model(**batch, output_hidden_states=True, output_attentions=True)
    return output, batch["attention_mask"]


def similarities(states: tuple[torch.Tensor, ...], mask: torch.Tensor) -> list[float]:
    """Return the cosine of two sentences after the embeddings and after each layer.

    states: (2, pieces, width) each; mask: (2, pieces). A sentence is the mean of its pieces.
    """
    weights = mask[..., None].float()
    means = [(state * weights).sum(1) / weights.sum(1) for state in states]
    return [torch.cosine_similarity(a, b, dim=0).item() for a, b in means]


def describe(
    text: str, pieces: list[Piece], output: Any, tokenizer: Any, model: PreTrainedModel
) -> dict[str, Any]:
    """Return what is shown of a text and the model's output for it, as plain values."""
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


def print_inspection(found: dict[str, Any]) -> None:
    rows = []
    for index, piece in enumerate(found["pieces"]):
        mark = "special" if piece["special"] else "✘ misaligned" if piece["misaligned"] else ""
        tokens = " · ".join(piece["tokens"])
        place = "" if piece["special"] else f"{piece['start']}–{piece['end']}"
        rows.append((index, piece["piece"], piece["id"], place, tokens, mark))
    header = ("", "piece", "id", "characters", "spaCy's token", "")
    msg.table(rows, header=header, divider=True, aligns=("r", "l", "r", "r", "l", "l"))
    total = sum(found["parameters"].values())
    rows = [(part, f"{n:,}", f"{n / total:.1%}") for part, n in found["parameters"].items()]
    rows.append(("all", f"{total:,}", ""))
    msg.table(rows, header=("part", "parameters", ""), divider=True, aligns=("l", "r", "r"))
    shape = " × ".join(map(str, found["last_hidden_state"]))
    layers = " × ".join(map(str, found["hidden_states"]))
    heads = " × ".join(map(str, found["attentions"]))
    rows = [
        ("last hidden state", shape, "texts × pieces × width"),
        ("all hidden states", layers, "embeddings and layers × texts × pieces × width"),
        ("attention", heads, "layers × texts × heads × pieces × pieces"),
        ("special tokens", "", "  ".join(map(str, found["special_tokens"].values()))),
    ]
    msg.table(rows, max_col=120)
    if "similarity" in found:
        rows = [
            (
                "embeddings" if not layer else f"layer {layer}",
                f"{value:.3f}",
                "█" * round(30 * value),
            )
            for layer, value in enumerate(found["similarity"])
        ]
        msg.table(rows, header=("after", "cosine", found["other"]), divider=True, max_col=60)
    if found["misaligned"]:
        warn(f"{found['misaligned']} pieces fall on several tokens or on white space")


def attention_page(
    found: dict[str, Any], attentions: tuple[torch.Tensor, ...], language: str
) -> str:
    """Return the page with the attention of each layer and head, (1, heads, pieces, pieces) each.

    Raises UserError for a text of too many pieces to be read in a table.
    """
    names = [piece["piece"] for piece in found["pieces"]]
    if len(names) > MOST_DRAWN:
        raise UserError(
            f"--attention: {len(names)} pieces; a page of up to {MOST_DRAWN} can be read: give a "
            "shorter text."
        )
    # In thousandths: a third of the size, and more than an eye sees.
    weights = [(layer[0] * 1000).round().int().tolist() for layer in attentions]
    data = json.dumps({"pieces": names, "weights": weights}, ensure_ascii=True)
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    # As it stands inside a script element, nothing in it may end that.
    data = data.replace("<", "\\u003c")
    return environment.get_template("attention.html").render(found=found, data=data, lang=language)


def inspect(
    encoder: str,
    text: str,
    compare: str,
    lang: str,
    revision: str,
    attention: Path | None,
    as_json: bool,
) -> None:
    """Show what an encoder makes of a text: pieces, ids, hidden states, parameters, attention."""
    if not text.strip():
        raise UserError("the text is empty; give a word at least.")
    if attention:
        check_file(attention)
    tokenizer, model = open_checkpoint(encoder, revision=revision, attn_implementation="eager")
    pieces = pieces_of(text, tokenizer, lang)
    output, _ = run_model([text], tokenizer, model)
    found = describe(text, pieces, output, tokenizer, model)
    if compare:
        both, mask = run_model([text, compare], tokenizer, model)
        found["other"] = compare
        found["similarity"] = similarities(both.hidden_states, mask)
    if attention:
        page = attention_page(found, output.attentions, lang)
        with written_beside(attention.parent) as folder:
            (folder / attention.name).write_text(page, encoding="utf8")
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
        return
    print_inspection(found)
    if attention:
        msg.good(f"{attention}: attention of {len(found['pieces'])} pieces")


if __name__ == "__main__":
    from ..cli import run_module

    run_module(__spec__.name)
