"""Fixes to a checkpoint's tokenizer, so that its pieces align with spaCy's tokens."""

import json

from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

# init_kwargs that describe a tokenizer's own files and vocabulary, so not valid for a new backend.
BACKEND_KWARGS = {"vocab_file", "tokenizer_file", "name_or_path", "added_tokens_decoder", "vocab"}
XLM_LIKE = ("xlm", "flaubert")
# lstrip: it includes the space before it, as the masked word would.
MASK_TOKEN = AddedToken("<mask>", lstrip=True, special=True)
# What to print after fix_offsets has changed a tokenizer.
OFFSETS_FIXED = "the tokenizer's offsets included spaces: put WhitespaceSplit before Metaspace"


def fix_offsets(tokenizer: Tokenizer) -> bool:
    """Put WhitespaceSplit before a lone Metaspace pre-tokenizer; return whether that was needed.

    The encodings do not change. With Metaspace alone, the offsets of a word's first piece include
    the preceding space, and spaCy silently aligns that piece with the previous token as well.
    """
    pre_tokenizer = json.loads(tokenizer.to_str())["pre_tokenizer"]
    if pre_tokenizer is None or pre_tokenizer["type"] != "Metaspace":
        return False
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), tokenizer.pre_tokenizer]
    )
    return True


def drop_token_type_ids(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel) -> None:
    """Stop the tokenizer of an XLM-like encoder, such as FlauBERT, from returning token_type_ids.

    These encoders were pretrained without token types: transformers would look type 0 up in the
    word embeddings, and so add the embedding of <s> to every piece.
    """
    if model.config.model_type in XLM_LIKE:
        names = [name for name in tokenizer.model_input_names if name != "token_type_ids"]
        tokenizer.model_input_names = tokenizer.init_kwargs["model_input_names"] = names


def wrap_unigram(tokenizer: Tokenizer, **settings) -> PreTrainedTokenizerFast:
    """Wrap a unigram tokenizer for transformers, with the special tokens of XLM-R and CamemBERT."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=512,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        mask_token=MASK_TOKEN,
        **settings,
    )


def with_backend(tokenizer: PreTrainedTokenizerFast, backend: Tokenizer) -> PreTrainedTokenizerFast:
    """Return a copy of a tokenizer, with its special tokens and settings, on another backend.

    A unigram tokenizer becomes a plain PreTrainedTokenizerFast: classes such as
    CamembertTokenizerFast look for the SentencePiece file, which is missing or has the old
    vocabulary.
    """
    unigram = isinstance(backend.model, models.Unigram)
    tokenizer_class = PreTrainedTokenizerFast if unigram else type(tokenizer)
    settings = {k: v for k, v in tokenizer.init_kwargs.items() if k not in BACKEND_KWARGS}
    settings["model_input_names"] = tokenizer.model_input_names
    return tokenizer_class(tokenizer_object=backend, **settings)
