"""Trim an encoder's vocabulary: `python -m scripts trim ENCODER OUTPUT --language fr`.

Most parameters of a multilingual encoder are the embeddings of pieces that never occur in French or
English text; each of them takes memory, disk space and optimiser time. A text whose pieces are all
kept has the same pieces and hidden states as before.
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
from .checkpoint import auto_class_of, open_checkpoint, save_checkpoint, strip_local_path
from .derived import append_to_card, print_savings, sizes
from .snapshot import snapshot
from .tokenizer_fixes import OFFSETS_FIXED, fix_offsets, with_backend

# Forms in which a word of the (lower-case) frequency list occurs in text: the form, its frequency
# relative to the word's, and the frequency from which a word is given this form. "(" stands for
# anything that a word can follow without a space: a quote, a hyphen, an elision.
FORMS = (
    (str.lower, 1.0, 0),
    (str.capitalize, 0.3, 0),
    (str.upper, 0.03, 1e-6),
    (lambda word: f"({word}", 0.1, 1e-6),
    (lambda word: f"({word.capitalize()}", 0.05, 1e-6),
)
# Always kept: single Latin, Greek and Cyrillic letters, symbols and emoji; runs of punctuation and
# digits ("...", "!!!", "/20", "1998"). ▁ starts a word in unigram vocabularies, ## continues one in
# WordPiece.
CHARACTER = re.compile("(▁|##)?[\u0000-\u052f\u1e00-\u2bff\U0001f000-\U0001faff]?")
NO_LETTERS = re.compile(r"(▁|##)?[\d\u0021-\u0040\u005b-\u0060\u007b-\u00bf\u2000-\u206f€]+")


def count_words(tokenizer: Tokenizer, languages: Sequence[str]) -> Counter:
    """Count the pieces in wordfreq's word lists for some languages, weighted by word frequency.

    Raises UserError for a language without a large list.
    """
    counts: Counter = Counter()
    for language in languages:
        if language not in wordfreq.available_languages("large"):
            raise UserError(
                f"--language {language}: no large word list in wordfreq; give another language, or "
                "--text."
            )
        words = wordfreq.get_frequency_dict(language, "large")
        for form, weight, threshold in FORMS:
            frequent = {word: value for word, value in words.items() if value >= threshold}
            encodings = tokenizer.encode_batch_fast(
                [form(word) for word in frequent], add_special_tokens=False
            )
            for encoding, frequency in zip(encodings, frequent.values()):
                for piece in encoding.ids:
                    counts[piece] += weight * frequency
    return counts


def count_lines(tokenizer: Tokenizer, lines: Iterable[str]) -> Counter:
    """Count the pieces in a text."""
    counts: Counter = Counter()
    for batch in minibatch(lines, 1000):
        for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            counts.update(encoding.ids)
    return counts


def always_kept(tokenizer: PreTrainedTokenizerBase) -> Iterator[int]:
    """Yield the ids of pieces that are kept even if they do not occur.

    These are added tokens, single characters, punctuation and numbers, and all ids up to that of
    the padding token, from which some models number their positions.
    """
    for piece, index in tokenizer.get_vocab().items():
        if CHARACTER.fullmatch(piece) or NO_LETTERS.fullmatch(piece):
            yield index
    yield from tokenizer.added_tokens_decoder
    yield from range((tokenizer.pad_token_id or 0) + 1)


def choose_pieces(tokenizer: PreTrainedTokenizerBase, counts: Counter, size: int) -> list[int]:
    """Return the sorted ids of the pieces to keep: those always kept and the most frequent ones.

    size: the number of pieces to keep (0: all that were counted). Raises UserError if it is too
    small.
    """
    kept: set[int] = set(always_kept(tokenizer))
    if size and len(kept) > size:
        raise UserError(
            f"--pieces {size} is too few: {len(kept)} are needed for special tokens, single "
            "characters, punctuation and numbers; give more."
        )
    for index, _ in counts.most_common():
        if size and len(kept) >= size:
            break
        kept.add(index)
    return sorted(kept)


def renumber(processor: dict[str, Any] | None, new_id: dict[int, int]) -> None:
    """Replace the ids of the special tokens that a post-processor adds."""
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
    """Return a tokenizer with only the pieces whose ids are in `kept`.

    Raises UserError for vocabularies other than WordPiece and unigram.
    """
    new_id = {old: new for new, old in enumerate(kept)}
    data = json.loads(tokenizer.backend_tokenizer.to_str())
    model = data["model"]
    if model["type"] == "Unigram":
        # An added token such as <mask> can come after the vocabulary; it stays at the end.
        model["vocab"] = [model["vocab"][old] for old in kept if old < len(model["vocab"])]
        model["unk_id"] = new_id[model["unk_id"]]
    elif model["type"] == "WordPiece":
        model["vocab"] = {
            piece: new_id[old] for piece, old in model["vocab"].items() if old in new_id
        }
    else:
        raise UserError(
            f"{model['type']} vocabulary: only WordPiece and unigram vocabularies can be trimmed; "
            "choose another encoder."
        )
    for token in data["added_tokens"]:
        token["id"] = new_id[token["id"]]
    renumber(data["post_processor"], new_id)
    if data["padding"]:
        data["padding"]["pad_id"] = new_id[data["padding"]["pad_id"]]
    return with_backend(tokenizer, Tokenizer.from_str(json.dumps(data)))


def trim_vocabulary(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, kept: Sequence[int]
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Trim a model and its tokenizer to the pieces in `kept` and special tokens; the order stays.

    The model is changed in place: its word embeddings, and the masked-LM head if there is one,
    become [pieces, hidden]. Raises UserError for vocabularies other than WordPiece and unigram.
    """
    kept = sorted(
        {*kept, *tokenizer.added_tokens_decoder, *range((tokenizer.pad_token_id or 0) + 1)}
    )
    cut = trim_tokenizer(tokenizer, kept)
    rows = torch.tensor(kept)
    # Move the kept rows to the front; transformers then removes the rest and ties the head again.
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


def lost_share(counts: Counter, kept: Sequence[int]) -> float:
    """Return the share of the counted pieces that is not kept."""
    return 1 - sum(counts[index] for index in kept) / counts.total()


CARD = """---
base_model: {encoder}
---
{encoder}{commit} with its vocabulary trimmed from {before:,} to {after:,} pieces: {kept}. It has
{parameters:,} parameters. A text whose pieces are all kept has the same hidden states as before.
The licence is that of the original encoder.
"""


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
    """Trim an encoder's vocabulary to languages, a text or both; print what this saves and loses.

    Raises UserError.
    """
    if not language and text is None:
        raise UserError("say what to keep: give --language, such as fr, or --text.")
    check_folder(output)
    if text is not None:
        measure_lines(text, encoding)
    if measure is not None and not any(read_lines(measure, encoding)):
        raise UserError(f"{measure}: no line of text in it; give another --measure.")
    _, commit = snapshot(encoder, revision, weights=False)
    tokenizer, model = open_checkpoint(encoder, auto_class_of(encoder, commit), revision=commit)
    if not tokenizer.is_fast:
        raise UserError(
            f"{encoder}: its tokenizer has no tokenizer.json and cannot be trimmed; choose an "
            "encoder with a fast tokenizer."
        )
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    counts = count_words(backend, language)
    if text is not None:
        seen = count_lines(backend, split(read_lines(text, encoding), held_out=False))
        # Relative frequencies, as in the word lists.
        for index, count in seen.items():
            counts[index] += count / seen.total()
    kept = choose_pieces(tokenizer, counts, pieces)
    before = {"pieces": len(tokenizer), **sizes(model)}
    if len(kept) >= before["pieces"]:
        raise UserError(
            f"{encoder}: it has {before['pieces']:,} pieces, all of which would be kept; give fewer "
            "--pieces."
        )
    held_out = Counter()
    if measure is not None:
        held_out = count_lines(backend, read_lines(measure, encoding))
    elif text is not None:
        held_out = count_lines(backend, split(read_lines(text, encoding), held_out=True))
    model, cut = trim_vocabulary(model, tokenizer, kept)
    if fix_offsets(cut.backend_tokenizer):
        msg.info(OFFSETS_FIXED)
    after = {"pieces": len(cut), **sizes(model)}
    sources = [f"those of {', '.join(language)}"] if language else []
    sources += [f"those of {text.name}"] if text is not None else []
    card = CARD.format(
        encoder=strip_local_path(encoder), commit=f" (commit {commit})" if commit else "", before=before["pieces"], after=after["pieces"], kept=" and ".join(sources),
        parameters=after["parameters"],
    )  # fmt: skip
    card = append_to_card(encoder, card)
    save_checkpoint(model, cut, card, output, half)
    print_savings(before, after, encoder, output)
    if held_out:
        msg.info(f"{lost_share(held_out, kept):.3%} of the pieces of held-out text are lost")
    msg.good(f"{output}: {after['pieces']:,} pieces, {after['parameters']:,} parameters")


if __name__ == "__main__":
    from ..common.old_names import run_module

    run_module(__spec__.name)
