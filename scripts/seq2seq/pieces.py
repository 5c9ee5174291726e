"""The pieces of words and marks, one by one: the same in what is learnt and in what may be written."""

from functools import lru_cache

from transformers import PreTrainedTokenizerBase

from ..common.errors import UserError
from .marks import MARKS

# Words whose pieces are remembered.
REMEMBERED = 200_000
# A word before another one, as some tokenizers treat the first of a text differently.
BEFORE = "a"


class Pieces:
    """Words and marks as piece ids.

    Raises UserError for a tokenizer that cannot tell capitals from small letters, or that lacks a
    special token.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        name = tokenizer.name_or_path
        for role in ("cls", "sep", "pad", "unk"):
            if getattr(tokenizer, f"{role}_token") is None:
                raise UserError(
                    f"encoder {name}: its tokenizer has no {role} token; choose one of BERT's family."
                )
        self.begin, self.end = tokenizer.cls_token_id, tokenizer.sep_token_id
        self.unknown = tokenizer.unk_token_id
        self.lead = self.ids(BEFORE)
        self.of = lru_cache(REMEMBERED)(self.after_a_word)
        if self.of("Paris") == self.of("paris"):
            raise UserError(
                f"encoder {name}: its tokenizer takes capitals for small letters, so that it cannot "
                "write them; choose a cased encoder."
            )
        following = {mark: self.ids(BEFORE + mark)[len(self.lead) :] for mark in MARKS}
        # Those that are a piece of their own.
        self.marks = {
            mark: ids[0]
            for mark, ids in following.items()
            if len(ids) == 1 and ids[0] != self.unknown
        }

    def ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def after_a_word(self, word: str) -> tuple[int, ...]:
        """Return the pieces of a word that follows another, its apostrophes straight."""
        return tuple(self.ids(f"{BEFORE} {word.replace('’', chr(39))}")[len(self.lead) :])

    def spoken(self, words: list[str]) -> list[int]:
        """Return the ids of words in lower case, with the special tokens."""
        return [self.begin, *(i for word in words for i in self.of(word.lower())), self.end]

    def written(self, words: list[str], marks: list[str]) -> list[int]:
        """Return the ids of words with the marks after them, and of the end."""
        ids: list[int] = []
        for word, mark in zip(words, marks):
            ids += self.of(word)
            if mark:
                ids.append(self.marks[mark])
        return [*ids, self.end]
