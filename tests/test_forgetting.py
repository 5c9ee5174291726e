"""A pipeline that reads ever new words stays as large as it was, and as good."""

import random
import string

import pytest

from scripts.common import annotate
from scripts.common.annotate import forgetting, pipe

from .small import small_pipeline

TEXTS = ["Marie Curie habite à Paris.", "Il n'ira pas aujourd'hui à Lyon, dit M. Dupont."]


@pytest.fixture
def nlp(sample_corpora):
    return small_pipeline(sample_corpora, "ner", epochs=2)


def read(nlp, texts: list[str]) -> list:
    with forgetting(nlp):
        return [
            [(t.text, t.norm_, t.shape_, t.is_stop, t.ent_type_, t.ent_iob_) for t in doc]
            for doc in pipe(nlp, texts)
        ]


def test_tables_do_not_grow_with_the_words_that_were_read(nlp, monkeypatch):
    monkeypatch.setattr(annotate, "LARGE", 1 << 10)
    strings, draw = nlp.vocab.strings, random.Random(0)
    before, known = read(nlp, TEXTS), set(strings)
    norm = nlp.vocab.lex_attr_getters[annotate.NORM]
    sizes = []
    for _ in range(40):
        words = ["".join(draw.choices(string.ascii_lowercase, k=12)) for _ in range(2000)]
        assert [token[0] for token in read(nlp, [" ".join(words)])[0]] == words
        sizes.append(strings._map.capacity)
    # Without renewal each new table would be larger than the last one in the end.
    assert max(sizes) <= annotate.ROOMY * (len(known) + 2000) * 2
    assert sizes[-1] <= max(sizes[:10]) and len(set(sizes)) > 1
    assert set(strings) == known
    assert read(nlp, TEXTS) == before
    assert nlp.vocab.lex_attr_getters[annotate.NORM] is norm


def test_documents_of_before_stay_valid_when_tables_are_renewed(nlp):
    docs = [nlp(text) for text in TEXTS]
    said = [[(t.text, t.lemma_, t.norm_, t.ent_type_) for t in doc] for doc in docs]
    annotate.renew_tables(nlp.vocab)
    assert [[(t.text, t.lemma_, t.norm_, t.ent_type_) for t in doc] for doc in docs] == said
    assert [doc.text for doc in map(nlp, TEXTS)] == TEXTS
