"""The tokenizer of a language, asked where it cuts the words of a corpus."""

from collections.abc import Sequence
from functools import lru_cache

from spacy.language import Language
from spacy.tokenizer import Tokenizer

from ..common.languages import blank

# The vocabulary of a tokenizer keeps all it has seen; it is made anew after this many strings.
VOCABULARY = 300_000


class BlankPipeline:
    """The tokenizer that a trained pipeline of the language will have."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.nlp: Language = blank(language)
        self.limit = len(self.nlp.vocab.strings) + VOCABULARY
        # Bounded: a natural corpus has few different neighbourhoods of entities.
        self.boundaries = lru_cache(maxsize=65536)(self.find_boundaries)

    def renew(self) -> None:
        """Forget the strings of the texts that were read, if they are many."""
        if len(self.nlp.vocab.strings) > self.limit:
            self.nlp = blank(self.language)
            self.boundaries.cache_clear()

    def find_boundaries(self, text: str) -> frozenset[int]:
        """Return the offsets where a token of the text begins or ends."""
        doc = self.nlp.make_doc(text)
        return frozenset({t.idx for t in doc} | {t.idx + len(t) for t in doc})

    def breaks_before(self, index: int, words: Sequence[str], followed: Sequence[bool]) -> bool:
        """Tell whether the tokenizer, given the text, has a boundary before words[index].

        spaCy's own tokenizer always breaks at white space and looks at nothing beyond, so that
        what stands between two spaces is enough to know. Others (Japanese, Vietnamese) get the
        whole text.
        """
        if index in (0, len(words)):
            return True
        if not isinstance(self.nlp.tokenizer, Tokenizer):
            written = [word + " " * space for word, space in zip(words, followed)]
            before = "".join(written[:index])
            offsets = {len(before), len(before.rstrip(" "))}
            return not offsets.isdisjoint(self.boundaries("".join(written)))
        if followed[index - 1]:
            return True
        start, end = index - 1, index
        while start and not followed[start - 1]:
            start -= 1
        while end < len(words) - 1 and not followed[end]:
            end += 1
        offset = sum(map(len, words[start:index]))
        return offset in self.boundaries("".join(words[start : end + 1]))

    def split(self, text: str, cuts: set[int]) -> tuple[list[str], list[bool], set[int]]:
        """Return the tokens of a text, cut also at the given offsets, what a space follows, and the
        offsets that had to be cut."""
        words: list[str] = []
        followed: list[bool] = []
        inside: set[int] = set()
        for token in self.nlp.make_doc(text):
            end = token.idx + len(token)
            inner = sorted(cut for cut in cuts if token.idx < cut < end)
            inside.update(inner)
            words += [text[a:b] for a, b in zip([token.idx, *inner], [*inner, end])]
            followed += [False] * len(inner) + [bool(token.whitespace_)]
        return words, followed, inside
