"""What a checkpoint's tokenizer must be like to be aligned with spaCy's tokens."""

import json

from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

# What a tokenizer was made of, which one of another backend is not.
ORIGIN = {"vocab_file", "tokenizer_file", "name_or_path", "added_tokens_decoder", "vocab"}
XLM_LIKE = ("xlm", "flaubert")
# A space before it is part of it, as a masked word would have one.
MASK = AddedToken("<mask>", lstrip=True, special=True)


def fix_offsets(tokenizer: Tokenizer) -> bool:
    """Put WhitespaceSplit before a pre-tokenizer that is Metaspace alone; tell whether it was.

    The encodings stay the same. With Metaspace alone the offsets of a word's first piece include
    the space before it, and spaCy aligns that piece to the previous token as well, silently.
    """
    pre_tokenizer = json.loads(tokenizer.to_str())["pre_tokenizer"]
    if pre_tokenizer is None or pre_tokenizer["type"] != "Metaspace":
        return False
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), tokenizer.pre_tokenizer]
    )
    return True


def leave_types_out(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel) -> None:
    """Make the tokenizer of an XLM-like encoder, FlauBERT for one, tell no token types.

    These were pretrained without; transformers looks type 0 up among the word embeddings, and adds
    that of <s> to each piece.
    """
    if model.config.model_type in XLM_LIKE:
        names = [name for name in tokenizer.model_input_names if name != "token_type_ids"]
        tokenizer.model_input_names = tokenizer.init_kwargs["model_input_names"] = names


def with_unigram_names(tokenizer: Tokenizer, **settings) -> PreTrainedTokenizerFast:
    """Return a unigram tokenizer that knows which of its pieces are special, as XLM-R and CamemBERT
    name them."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=512,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        mask_token=MASK,
        **settings,
    )


def rebuilt(tokenizer: PreTrainedTokenizerFast, backend: Tokenizer) -> PreTrainedTokenizerFast:
    """Return a tokenizer with the names and settings of another, on a backend of its own.

    One of a unigram vocabulary is no CamembertTokenizerFast any more: that would ask for
    SentencePiece's file, which holds the old vocabulary or is not there.
    """
    unigram = isinstance(backend.model, models.Unigram)
    kind = PreTrainedTokenizerFast if unigram else type(tokenizer)
    settings = {key: value for key, value in tokenizer.init_kwargs.items() if key not in ORIGIN}
    settings["model_input_names"] = tokenizer.model_input_names
    return kind(tokenizer_object=backend, **settings)
