"""What a learning curve is said to tell, in English and French."""

import pytest

from scripts.reporting.curve import SAID, in_words
from scripts.reporting.numbers import Numbers


def result(pays: str, seeds: int = 3) -> dict:
    step = {
        "from": 630, "to": 1259, "gain": -0.004, "interval": (-0.0126, 0.0049),
        "by_doubling_interval": (-0.0126, 0.0049), "pays": pays,
    }  # fmt: skip
    return {"last_step": step, "seeds": list(range(seeds))}


def test_it_is_said_how_little_more_annotation_would_bring():
    assert in_words(result("little"), "en") == (
        "More annotation like this would bring little: a doubling brings at most 0.005.",
        "The last step, from 630 to 1,259 examples, added −0.004 (−0.013 to +0.005).",
    )
    said, why = in_words(result("little", seeds=1), "fr")
    assert said.endswith("doubler le corpus apporte au plus 0,005.")
    assert "de 630 à 1\u202f259 exemples, a apporté −0,004 (−0,013 à +0,005)" in why
    assert why.endswith("ces intervalles ignorent le bruit de l’entraînement.")


@pytest.mark.parametrize("pays", SAID)
@pytest.mark.parametrize("lang", ["en", "fr"])
def test_each_verdict_has_words_in_both_languages(pays, lang):
    said, why = in_words(result(pays), lang)
    tells = {"en": ("does not tell", "would"), "fr": ("ne dit pas", "Annoter davantage")}[lang]
    assert tells[pays in ("yes", "little")] in said
    assert "{" not in said + why and said.endswith(".") and why.endswith(".")


def test_differences_have_signs():
    assert [Numbers("en").signed(value) for value in (0.0314, -1234.5, 0, None)] == [
        "+0.031", "−1,234.500", "+0.000", "–",
    ]  # fmt: skip
    assert Numbers("fr").signed(-0.5, 2) == "−0,50"
