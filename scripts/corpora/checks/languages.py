"""Texts in another language than the corpus: by the frequencies of their words in each."""

import re
from collections.abc import Iterable, Iterator
from math import log10

import numpy
import wordfreq

from ..detokenize import UNSPACED
from .findings import NOTE, SERIOUS, WARNING, Finding, Notes, Places, Text

CHECK = "languages"
# Others that texts are compared with.
OTHERS = ("ar", "de", "en", "es", "fr", "it", "nl", "pl", "pt", "ru", "sv", "tr")
WORD = re.compile(r"[^\W\d_]+")
# The logarithm of the frequency of a word that is in no list, and of the rarest ones in any.
RARE = -5.0
# Distinct words in lists that a text needs, and how many times as probable, to this power of 10, they
# are on average in the other language.
WORDS, MARGIN = 8, 0.7
# The same, for many texts taken together.
CLEARLY = 0.2


def frequent_words(language: str) -> dict[str, float]:
    """Return the logarithm of the frequency of a language's words, but for rare ones."""
    words = wordfreq.get_frequency_dict(language, "small")
    return {word: log10(value) for word, value in words.items() if value >= 10**RARE}


def word_scores(languages: list[str]) -> tuple[dict[str, int], numpy.ndarray]:
    """Return the row of each word, and the logarithms of the words' frequencies, of shape
    (words, languages)."""
    frequencies = [frequent_words(name) for name in languages]
    words = sorted(set().union(*frequencies))
    index = {word: number for number, word in enumerate(words)}
    scores = numpy.full((len(words), len(languages)), RARE, "f4")
    for column, found in enumerate(frequencies):
        rows = [index[word] for word in found]
        scores[rows, column] = list(found.values())
    # wordfreq keeps them.
    for cached in (wordfreq.get_frequency_dict, wordfreq.get_frequency_list):
        cached.cache_clear()
    return index, scores


def words_of(text: str) -> set[str]:
    """Return the distinct words of a text, in lower case, but for those of one letter."""
    return {word for word in WORD.findall(text.lower()) if len(word) > 1}


def likely_language(texts: Iterable[str]) -> str:
    """Return the language that texts, taken together, read like; "" if they do not tell."""
    index, scores = word_scores(list(OTHERS))
    rows = [index[word] for text in texts for word in words_of(text) if word in index]
    if len(rows) < WORDS:
        return ""
    means = scores[rows].mean(axis=0)
    second, best = numpy.argsort(means)[-2:]
    return OTHERS[best] if means[best] - means[second] > CLEARLY else ""


class Languages:
    """Compares the mean logarithm of the frequency of a text's words in each language.

    Short texts, and those that are about as probable in the corpus's language, are not judged.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        lists = wordfreq.available_languages("small")
        self.known = language in lists and language not in UNSPACED
        self.judged = 0
        self.notes = Notes()
        if not self.known:
            return
        self.languages = [language, *(other for other in OTHERS if other != language)]
        self.index, self.scores = word_scores(self.languages)

    def add(self, text: Text) -> None:
        if not self.known:
            return
        rows = [self.index[word] for word in words_of(text.string) if word in self.index]
        if len(rows) < WORDS:
            return
        self.judged += 1
        means = self.scores[rows].mean(axis=0)
        best = int(means.argmax())
        if means[best] - means[0] > MARGIN:
            self.notes.add(self.languages[best], text.place, " ".join(text.string.split())[:60])

    def findings(self, places: Places) -> Iterator[Finding]:
        if not self.known:
            why = "no list of its words to compare texts with"
            yield Finding(NOTE, CHECK, f"languages were not checked: {self.language}: {why}", 0)
            return
        for name, count in self.notes.counts.most_common():
            severity = SERIOUS if count > self.judged / 2 else WARNING
            what = f"text that reads like {name}, not {self.language}, of {self.judged:,} long enough to tell"
            yield self.notes.finding(severity, CHECK, name, what)
