"""What a checkpoint's tokenizer must be like to be aligned with spaCy's tokens."""

import json

from tokenizers import Tokenizer, pre_tokenizers


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
