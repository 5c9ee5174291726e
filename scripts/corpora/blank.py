"""The tokenizer of a language, and where its token boundaries are in the words of a corpus."""

from collections.abc import Sequence
from functools import lru_cache

from spacy.language import Language
from spacy.tokenizer import Tokenizer

from ..common.languages import blank

# A tokenizer's vocabulary grows with every text; the pipeline is replaced after this many strings.
MAX_STRINGS = 300_000


class BlankPipeline:
    """The tokenizer that a trained pipeline of the language will have."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.nlp: Language = blank(language)
        self.limit = len(self.nlp.vocab.strings) + MAX_STRINGS
        # Entities have few distinct contexts in a natural corpus.
        self.boundaries = lru_cache(maxsize=65536)(self.find_boundaries)

    def limit_vocab(self) -> None:
        """Replace the pipeline if its vocabulary has grown too large."""
        if len(self.nlp.vocab.strings) > self.limit:
            self.nlp = blank(self.language)
            self.boundaries.cache_clear()

    def find_boundaries(self, text: str) -> frozenset[int]:
        """Return the character offsets at which tokens of the text begin or end."""
        doc = self.nlp.make_doc(text)
        return frozenset({t.idx for t in doc} | {t.idx + len(t) for t in doc})

    def is_boundary(self, index: int, words: Sequence[str], spaces: Sequence[bool]) -> bool:
        """Return whether the tokenizer, applied to the text, has a token boundary before
        words[index].

        spaCy's own tokenizer always splits at whitespace, so it is applied only to the string
        between two spaces. Others (Japanese, Vietnamese) are applied to the whole text.
        """
        if index in (0, len(words)):
            return True
        if not isinstance(self.nlp.tokenizer, Tokenizer):
            written = [word + " " * space for word, space in zip(words, spaces)]
            before = "".join(written[:index])
            offsets = {len(before), len(before.rstrip(" "))}
            return not offsets.isdisjoint(self.boundaries("".join(written)))
        if spaces[index - 1]:
            return True
        start, end = index - 1, index
        while start and not spaces[start - 1]:
            start -= 1
        while end < len(words) - 1 and not spaces[end]:
            end += 1
        offset = sum(map(len, words[start:index]))
        return offset in self.boundaries("".join(words[start : end + 1]))

    def tokenize(self, text: str, cuts: set[int]) -> tuple[list[str], list[bool], set[int]]:
        """Tokenize a text, splitting tokens at the given offsets as well.

        Returns the tokens, whether a space follows each, and the offsets that were inside a token.
        """
        words: list[str] = []
        spaces: list[bool] = []
        inside: set[int] = set()
        for token in self.nlp.make_doc(text):
            end = token.idx + len(token)
            inner = sorted(cut for cut in cuts if token.idx < cut < end)
            inside.update(inner)
            words += [text[a:b] for a, b in zip([token.idx, *inner], [*inner, end])]
            spaces += [False] * len(inner) + [bool(token.whitespace_)]
        return words, spaces, inside
