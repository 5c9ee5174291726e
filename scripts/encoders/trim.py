"""Cut a unigram encoder's vocabulary to some languages: same ids-to-text, fewer embeddings.

In a multilingual encoder most parameters are embeddings of pieces that a French or English
text never meets; each of them costs memory, disk and a step of the optimiser.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import torch
import wordfreq
from tokenizers import Tokenizer
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from ..errors import UserError

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
# Kept without being seen in a word list: letters and marks of Latin, Greek and Cyrillic, symbols
# and emoji one by one; runs of punctuation and digits ("...", "!!!", "/20", "1998").
CHARACTER = re.compile("▁?[\u0000-\u052f\u1e00-\u2bff\U0001f000-\U0001faff]?")
NO_LETTERS = re.compile(r"▁?[\d\u0021-\u0040\u005b-\u0060\u007b-\u00bf\u2000-\u206f€]+")


def count_pieces(tokenizer: Tokenizer, languages: Sequence[str]) -> Counter:
    """Count the pieces of the languages' word lists (wordfreq), weighted by word frequency."""
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


def always_kept(tokenizer: Tokenizer) -> Iterator[int]:
    """Ids of what word lists do not show: added tokens, single characters, punctuation, numbers."""
    for piece, index in tokenizer.get_vocab().items():
        if CHARACTER.fullmatch(piece) or NO_LETTERS.fullmatch(piece):
            yield index
    yield from tokenizer.get_added_tokens_decoder()


def choose_pieces(tokenizer: Tokenizer, languages: Sequence[str], size: int) -> list[int]:
    """Return `size` piece ids, sorted: those always kept, then the languages' most frequent."""
    kept: set[int] = set(always_kept(tokenizer))
    if len(kept) > size:
        raise UserError(f"{size} pieces are too few: {len(kept)} are needed for characters alone.")
    for index, _ in count_pieces(tokenizer, languages).most_common():
        if len(kept) >= size:
            break
        kept.add(index)
    return sorted(kept)


def trim(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, kept: Sequence[int]
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Keep the pieces with the ids `kept` only, in their old order.

    The model is changed in place (its word embeddings become [len(kept), hidden]); texts whose
    pieces are all kept get the same hidden states as before. The special tokens must be kept.
    """
    new_id = {old: new for new, old in enumerate(kept)}
    data = json.loads(tokenizer.backend_tokenizer.to_str())
    if data["model"]["type"] != "Unigram":
        raise UserError(f"{data['model']['type']} vocabulary: only unigram tokenizers can be cut.")
    old_vocab = data["model"]["vocab"]
    # An added token may lie beyond the unigram vocabulary (<mask>); it keeps its place at the end.
    data["model"]["vocab"] = [old_vocab[old] for old in kept if old < len(old_vocab)]
    data["model"]["unk_id"] = new_id[data["model"]["unk_id"]]
    for token in data["added_tokens"]:
        token["id"] = new_id[token["id"]]
    for special in data["post_processor"]["special_tokens"].values():
        special["ids"] = [new_id[old] for old in special["ids"]]
    cut = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(data)),
        model_max_length=tokenizer.model_max_length,
        **tokenizer.special_tokens_map_extended,
    )
    old_weight = model.get_input_embeddings().weight.data
    embeddings = torch.nn.Embedding.from_pretrained(
        old_weight[torch.tensor(kept)].clone(), freeze=False, padding_idx=cut.pad_token_id
    )
    model.set_input_embeddings(embeddings)
    model.config.vocab_size = len(kept)
    model.config.pad_token_id = cut.pad_token_id
    return model, cut
