"""Docs record where they came from, in files and shards, and work with spaCy as usual."""

import pytest
import spacy
from spacy import displacy
from spacy.tokens import Doc
from spacy.training import Corpus

from scripts.corpora import writer
from scripts.corpora.options import Plan

from .reading import convert, docs, found


@pytest.mark.parametrize("shards", [False, True])
def test_docs_record_where_they_came_from(write, tmp_path, monkeypatch, shards):
    if shards:
        monkeypatch.setattr(writer, "SHARD_TOKENS", 2)
    lines = "a O\nb B-X\n\n# newdoc id = n1\n# sent_id = 1\nc O\n\n-DOCSTART- O\n\nd O\n\ne O\n"
    convert("iob", write("raw/train.iob", lines), tmp_path / "a")
    files = (tmp_path / "a" / "train.spacy").rglob("*") if shards else [tmp_path / "a/train.spacy"]
    read = [doc for path in sorted(files) for doc in docs(path)]
    assert [doc.user_data for doc in read] == [
        {"file": "train.iob", "line": 1},
        {"file": "train.iob", "line": 6, "document": "n1"},
        {"file": "train.iob", "line": 10, "document": 2},
        {"file": "train.iob", "line": 12, "document": 2},
    ]
    assert found(read[0]) == (["a", "b"], [(1, 2, "X")])


def test_documents_of_wikiner_and_categories_of_reviews_are_recorded(write, tmp_path):
    write("raw/train.wikiner", "\na|N|B-X\n\n\nb|N|O\nc|N|O\n\n")
    convert("wikiner", tmp_path / "raw", tmp_path / "a", Plan(dev_ratio=0, test_ratio=0))
    assert [
        (doc.user_data["line"], doc.user_data["document"])
        for doc in docs(tmp_path / "a/train.spacy")
    ] == [(2, 1), (5, 2), (6, 2)]
    item = "<item><category>Livres</category><rating>{}</rating><text>{}</text></item>"
    reviews = f"<items>{item.format(5, 'bon')}{item.format(1, 'mal')}</items>"
    write("cls/fr/books/train.review", reviews)
    convert("cls", tmp_path / "cls", tmp_path / "b", Plan(dev_ratio=0), "fr")
    assert [doc.user_data for doc in docs(tmp_path / "b/train.spacy")] == [
        {"file": "fr/books/train.review", "line": line, "category": "Livres"} for line in (1, 2)
    ]


def test_spacy_trains_on_converted_docs(write, tmp_path):
    text = "-DOCSTART- O\n\n" + "Marie B-PER\nva O\nà O\nLens B-LOC\n\n" * 20
    convert("iob", write("a.iob", text), tmp_path / "out", language="fr")
    nlp = spacy.blank("fr")
    nlp.add_pipe("ner")
    examples = list(Corpus(tmp_path / "out" / "train.spacy", gold_preproc=True)(nlp))
    assert len(examples) == 20
    nlp.initialize(lambda: examples)
    losses = [nlp.update(examples)["ner"] for _ in range(15)]
    assert losses[-1] < losses[0] / 2
    assert nlp.evaluate(examples)["ents_f"] > 0.9
    references = list(Corpus(tmp_path / "out" / "train.spacy")(nlp))
    doc = Doc.from_docs([example.reference for example in references], exclude=["user_data"])
    assert len(doc.ents) == 40 and displacy.render(doc, style="ent").count("Marie") == 20
    assert references[3].reference.user_data == {"file": "a.iob", "line": 18, "document": 1}
