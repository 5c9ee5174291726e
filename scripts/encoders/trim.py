"""Cut an encoder's vocabulary: `python -m scripts.encoders.trim ENCODER OUTPUT --language fr`.

In a multilingual encoder most parameters are embeddings of pieces that a French or English text
never meets; each of them costs memory, disk and a step of the optimiser. Texts whose pieces are
kept get the same pieces and the same hidden states as before.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import wordfreq
from spacy.util import minibatch
from tokenizers import Tokenizer
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from wasabi import msg

from ..common.errors import UserError
from ..common.files import check_folder
from ..common.raw_text import measure_lines, read_lines, split
from .checkpoint import class_of, open_checkpoint, save_checkpoint, strip_local_path
from .snapshot import snapshot
from .tokenizer_fixes import fix_offsets, rebuilt

# How a word of the (lower-case) frequency list is met in text, how often beside it, and from
# which frequency on it is tried. "(" stands for whatever makes a word start without a space
# before it: quotes, hyphen, elision.
FORMS = (
    (str.lower, 1.0, 0),
    (str.capitalize, 0.3, 0),
    (str.upper, 0.03, 1e-6),
    (lambda word: f"({word}", 0.1, 1e-6),
    (lambda word: f"({word.capitalize()}", 0.05, 1e-6),
)
# Kept without being seen: letters and marks of Latin, Greek and Cyrillic, symbols and emoji one by
# one; runs of punctuation and digits ("...", "!!!", "/20", "1998"). ▁ begins a word in unigram
# vocabularies, ## goes on with one in WordPiece.
CHARACTER = re.compile("(▁|##)?[\u0000-\u052f\u1e00-\u2bff\U0001f000-\U0001faff]?")
NO_LETTERS = re.compile(r"(▁|##)?[\d\u0021-\u0040\u005b-\u0060\u007b-\u00bf\u2000-\u206f€]+")


def count_words(tokenizer: Tokenizer, languages: Sequence[str]) -> Counter:
    """Count the pieces of the languages' word lists (wordfreq), weighted by word frequency.

    Raises UserError for a language without a list.
    """
    counts: Counter = Counter()
    for language in languages:
        if language not in wordfreq.available_languages("large"):
            raise UserError(f"{language}: no large word list in wordfreq; choose another language.")
        words = wordfreq.get_frequency_dict(language, "large")
        for form, weight, threshold in FORMS:
            tried = {word: value for word, value in words.items() if value >= threshold}
            encodings = tokenizer.encode_batch_fast(
                [form(word) for word in tried], add_special_tokens=False
            )
            for encoding, frequency in zip(encodings, tried.values()):
                for piece in encoding.ids:
                    counts[piece] += weight * frequency
    return counts


def count_lines(tokenizer: Tokenizer, lines: Iterable[str]) -> Counter:
    """Count the pieces of a text."""
    counts: Counter = Counter()
    for some in minibatch(lines, 1000):
        for encoding in tokenizer.encode_batch_fast(some, add_special_tokens=False):
            counts.update(encoding.ids)
    return counts


def always_kept(tokenizer: PreTrainedTokenizerBase) -> Iterator[int]:
    """Ids of what is kept unseen: added tokens, single characters, punctuation, numbers, and all up
    to the padding, as models count positions from its id."""
    for piece, index in tokenizer.get_vocab().items():
        if CHARACTER.fullmatch(piece) or NO_LETTERS.fullmatch(piece):
            yield index
    yield from tokenizer.added_tokens_decoder
    yield from range((tokenizer.pad_token_id or 0) + 1)


def choose_pieces(tokenizer: PreTrainedTokenizerBase, counts: Counter, size: int) -> list[int]:
    """Return piece ids, sorted: those always kept, then the most frequent, `size` in all (0: all
    that were counted). Raises UserError where `size` is too few."""
    kept: set[int] = set(always_kept(tokenizer))
    if size and len(kept) > size:
        raise UserError(f"{size} pieces are too few: {len(kept)} are needed for characters alone.")
    for index, _ in counts.most_common():
        if size and len(kept) >= size:
            break
        kept.add(index)
    return sorted(kept)


def renumber(processor: dict[str, Any] | None, new_id: dict[int, int]) -> None:
    """Give the special tokens that a post-processor adds their new ids."""
    if processor is None:
        return
    for inner in processor.get("processors", ()):
        renumber(inner, new_id)
    special = processor.get("special_tokens", {})
    for token in special.values() if isinstance(special, dict) else ():
        token["ids"] = [new_id[old] for old in token["ids"]]
    for role in ("sep", "cls"):
        if role in processor:
            token, old = processor[role]
            processor[role] = [token, new_id[old]]


def trim_tokenizer(
    tokenizer: PreTrainedTokenizerFast, kept: Sequence[int]
) -> PreTrainedTokenizerFast:
    """Return a tokenizer of the pieces with the ids `kept`. Raises UserError for other kinds than
    WordPiece and unigram."""
    new_id = {old: new for new, old in enumerate(kept)}
    data = json.loads(tokenizer.backend_tokenizer.to_str())
    model = data["model"]
    if model["type"] == "Unigram":
        # An added token may lie beyond the vocabulary (<mask>); it keeps its place at the end.
        model["vocab"] = [model["vocab"][old] for old in kept if old < len(model["vocab"])]
        model["unk_id"] = new_id[model["unk_id"]]
    elif model["type"] == "WordPiece":
        model["vocab"] = {
            piece: new_id[old] for piece, old in model["vocab"].items() if old in new_id
        }
    else:
        raise UserError(
            f"{model['type']} vocabulary: only WordPiece and unigram vocabularies can be cut."
        )
    for token in data["added_tokens"]:
        token["id"] = new_id[token["id"]]
    renumber(data["post_processor"], new_id)
    if data["padding"]:
        data["padding"]["pad_id"] = new_id[data["padding"]["pad_id"]]
    return rebuilt(tokenizer, Tokenizer.from_str(json.dumps(data)))


def trim_vocabulary(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, kept: Sequence[int]
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Keep the pieces with the ids `kept`, and the special tokens, in their old order.

    The model is changed in place: its word embeddings, and the head for masked words that it may
    have, become [pieces, hidden]. Raises UserError for a tokenizer of another kind.
    """
    kept = sorted(
        {*kept, *tokenizer.added_tokens_decoder, *range((tokenizer.pad_token_id or 0) + 1)}
    )
    cut = trim_tokenizer(tokenizer, kept)
    rows = torch.tensor(kept)
    # Moved to the front, and cut by transformers, which ties the head again.
    matrices = [model.get_input_embeddings().weight]
    head = model.get_output_embeddings()
    if head is not None:
        matrices += [head.bias] if head.weight is matrices[0] else [head.weight, head.bias]
    for matrix in matrices:
        if matrix is not None:
            matrix.data[: len(kept)] = matrix.data[rows].clone()
    model.resize_token_embeddings(len(kept))
    new_id = {old: new for new, old in enumerate(kept)}
    for role in ("bos", "eos", "sep", "cls", "pad", "unk", "mask"):
        old = getattr(model.config, f"{role}_token_id", None)
        if old is not None:
            setattr(model.config, f"{role}_token_id", new_id.get(old))
    return model, cut


def lost(counts: Counter, kept: Sequence[int]) -> float:
    """Return the share of counted pieces that are not kept."""
    return 1 - sum(counts[index] for index in kept) / counts.total()


def weights_size(folder: Path) -> int:
    """Return the bytes of the weights in a folder, 0 where there are none."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


CARD = """---
base_model: {encoder}
---
{encoder}{commit}, its vocabulary cut from {before:,} to {after:,} pieces: {kept}. {parameters:,} parameters.
Texts whose pieces are kept have the same hidden states as before. Its licence is that of the
original.
"""


def continued(encoder: str, card: str) -> str:
    """Return a card that goes on with that of the encoder, where it is a folder that has one."""
    old = Path(encoder) / "README.md"
    if not old.is_file():
        return card
    return f"{old.read_text(encoding='utf8', errors='replace').rstrip()}\n\n{card.split('---')[-1].strip()}\n"


def trim(
    encoder: str,
    output: Path,
    language: list[str],
    text: Path | None,
    pieces: int,
    measure: Path | None,
    encoding: str | None,
    revision: str,
    half: bool,
) -> None:
    """Keep the pieces of some languages or of a text; print what it saves and what it loses."""
    if not language and text is None:
        raise UserError("say what to keep: --language fr, or --text with a raw text.")
    check_folder(output)
    if text is not None:
        measure_lines(text, encoding)
    if measure is not None and not any(read_lines(measure, encoding)):
        raise UserError(f"{measure}: no line of text in it.")
    _, commit = snapshot(encoder, revision, weights=False)
    tokenizer, model = open_checkpoint(encoder, class_of(encoder, commit), revision=commit)
    if not tokenizer.is_fast:
        raise UserError(f"{encoder}: a tokenizer without tokenizer.json cannot be cut.")
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    counts = count_words(backend, language)
    if text is not None:
        seen = count_lines(backend, split(read_lines(text, encoding), held_out=False))
        # Of one weight with the word lists: shares, not counts.
        for index, count in seen.items():
            counts[index] += count / seen.total()
    kept = choose_pieces(tokenizer, counts, pieces)
    before = (len(tokenizer), model.num_parameters(), model.get_input_embeddings().weight.numel())
    if len(kept) >= before[0]:
        raise UserError(f"{encoder}: {before[0]:,} pieces, all of which would be kept; give fewer.")
    held_out = Counter()
    if measure is not None:
        held_out = count_lines(backend, read_lines(measure, encoding))
    elif text is not None:
        held_out = count_lines(backend, split(read_lines(text, encoding), held_out=True))
    model, cut = trim_vocabulary(model, tokenizer, kept)
    if fix_offsets(cut.backend_tokenizer):
        msg.info("the tokenizer's offsets included spaces: WhitespaceSplit put before Metaspace")
    after = (len(cut), model.num_parameters(), model.get_input_embeddings().weight.numel())
    what = [f"those of {', '.join(language)}"] if language else []
    what += [f"those of {text.name}"] if text is not None else []
    card = CARD.format(
        encoder=strip_local_path(encoder), commit=f" (commit {commit})" if commit else "", before=before[0], after=after[0], kept=" and ".join(what), parameters=after[1],
    )  # fmt: skip
    card = continued(encoder, card)
    save_checkpoint(model, cut, card, output, half)
    rows = [
        (name, f"{old:,}", f"{new:,}", f"{new / old:.1%}")
        for name, old, new in zip(("pieces", "parameters", "of them embeddings"), before, after)
    ]
    # What a name on the hub has on its disk is not known here: as in float32.
    old = weights_size(Path(encoder)) or 4 * before[1]
    new = weights_size(output)
    rows.append(("MB of weights", f"{old / 1e6:,.0f}", f"{new / 1e6:,.0f}", f"{new / old:.1%}"))
    msg.table(rows, header=("", "before", "after", ""), divider=True, aligns=("l", "r", "r", "r"))
    if held_out:
        msg.info(f"{lost(held_out, kept):.3%} of the pieces of held-out text are lost")
    msg.good(f"{output}: {after[0]:,} pieces, {after[1]:,} parameters")


if __name__ == "__main__":
    from ..cli import run_module

    run_module(__spec__.name)
