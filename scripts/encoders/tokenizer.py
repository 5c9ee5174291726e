"""What a checkpoint's tokenizer must be like to be aligned with spaCy's tokens."""

import json

from tokenizers import AddedToken, Tokenizer, pre_tokenizers
from transformers import PreTrainedTokenizerFast

# A space before it is part of it, as a masked word would have one.
MASK = AddedToken("<mask>", lstrip=True, special=True)


def mend_offsets(tokenizer: Tokenizer) -> bool:
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
