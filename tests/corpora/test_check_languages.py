"""Texts in another language than the corpus are told by the frequencies of their words."""

import pytest

from scripts.corpora.checks.findings import Text
from scripts.corpora.checks.languages import Languages

from ..marked import tagged

SENTENCES = {
    "fr": "La ville est au bord de la mer et les gens y viennent pour le soleil",
    "en": "The city lies by the sea and people go there because of the sun",
    "de": "Die Stadt liegt am Meer und die Leute kommen wegen der Sonne",
    "es": "La ciudad está a la orilla del mar y la gente viene por el sol",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_texts_in_another_language_are_told_and_short_ones_are_not(language):
    languages = Languages(language)
    names = "Manchester United, Real Madrid, Bayern München, Paris Saint-Germain"
    for line, text in enumerate([*SENTENCES.values(), names, "The sun", "et la mer"], 1):
        languages.add(Text(line, "train", tagged("."), text, f"t:{line}"))
    others = [other for other in SENTENCES if other != language]
    # A list of names is long enough to tell, and reads like no other language.
    assert languages.judged == len(SENTENCES) + 1
    assert languages.notes.counts == dict.fromkeys(others, 1)
