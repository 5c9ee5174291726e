"""Tokens are joined to text with the spacing conventions of the language."""

import pytest
import spacy

from scripts.common.rawfile import RawFile
from scripts.corpora.detokenize import infer_spaces
from scripts.corpora.examples import Log
from scripts.corpora.options import Options
from scripts.corpora.readers import wikiner

from ..conftest import SAMPLE


def text(words, language):
    spaces = infer_spaces(words, language)
    return "".join(word + " " * space for word, space in zip(words, spaces))


@pytest.mark.parametrize(
    "language, text_",
    [
        ("fr", "L' Express ( 1953 ) , dit -il , n' est qu' un « journal » : lu par 10 % ."),
        ("fr", 'Aujourd\'hui , " Le Monde " coûte 3 € ! Vraiment ? Oui …'),
        ("fr", "D’ accord , Peter O ' Toole joue -t-il à l’ Odéon ?"),
        ("en", "John 's film is n't bad , he said : `` It 's $ 5 '' ( or 10 % ) ."),
        ("en", "Do n't say \" never \" again ; Tom Clancy ' s game ."),
    ],
)
def test_detokenisation(language, text_):
    expected = {
        "L' Express": "L'Express (1953), dit-il, n'est qu'un « journal » : lu par 10 %.",
        "Aujourd'hui ": 'Aujourd\'hui, "Le Monde" coûte 3 € ! Vraiment ? Oui…',
        "D’ accord ": "D’accord, Peter O'Toole joue-t-il à l’Odéon ?",
        "John 's fil": "John's film isn't bad, he said: ``It's $5'' (or 10%).",
        "Do n't say ": "Don't say \"never\" again; Tom Clancy's game.",
    }
    (answer,) = (value for key, value in expected.items() if text_.startswith(key.strip()))
    assert text(text_.split(" "), language) == answer


@pytest.mark.parametrize("words", [[], ["'"], ['"'], ["-il"], ["'s", "O", "'"]])
def test_edges(words):
    for language in ("fr", "en"):
        spaces = infer_spaces(words, language)
        assert len(spaces) == len(words) and (not words or spaces[-1] is False)


def test_entities_of_the_sample_align_with_the_tokenization_of_its_text():
    nlp = spacy.blank("fr")
    aligned = total = 0
    for path in sorted((SAMPLE / "ner-fr").glob("*.wikiner")):
        for sentence in wikiner.read(RawFile(path), Options(), Log()):
            raw = text(sentence.words, "fr")
            starts = [
                len(text(sentence.words[:i] + ["x"], "fr")) - 1 for i, _, _ in sentence.entities
            ]
            doc = nlp.make_doc(raw)
            for (start, end, _), at in zip(sentence.entities, starts):
                span = text(sentence.words[start:end], "fr")
                total += 1
                aligned += doc.char_span(at, at + len(span)) is not None
    assert total > 2000
    assert aligned / total > 0.99
