"""Renaming a pipeline's labels before it is scored and drawn."""

import pytest
import spacy
import srsly
from spacy.tokens import DocBin, Span

from scripts import evaluate, package, report
from scripts.corpora.docbins import read_docs
from scripts.serving.label_map import new_names, read_names, rename

from ..small import small_pipeline

OTHER = {"LOC": "GPE", "ORG": "ORG", "MISC": "MISC"}


@pytest.fixture(scope="module")
def other(sample_corpora, tmp_path_factory):
    """A corpus with other labels and without persons; pipelines with the samples' labels."""
    folder = tmp_path_factory.mktemp("other")
    vocab = spacy.blank("fr").vocab
    docs = list(read_docs(sample_corpora / "ner" / "test.spacy", vocab))
    for doc in docs:
        named = [entity for entity in doc.ents if entity.label_ in OTHER]
        doc.ents = [Span(doc, e.start, e.end, label=OTHER[e.label_]) for e in named]
    (folder / "corpus").mkdir()
    DocBin(docs=docs).to_disk(folder / "corpus" / "test.spacy")
    small_pipeline(sample_corpora, "ner").to_disk(folder / "ner")
    small_pipeline(sample_corpora, "textcat").to_disk(folder / "textcat")
    return folder


def scored(command, pipeline, corpus, path, *options):
    result = command(evaluate, pipeline, corpus, path, *options)
    assert result.code == 0, result.err
    return f"{result.out}{result.err}", srsly.read_json(path)


def texts(other):
    docs = read_docs(other / "corpus" / "test.spacy", spacy.blank("fr").vocab)
    return [doc.text for doc in docs]


def test_renamed_entities(command, other, sample_corpora, tmp_path):
    pipeline, path = other / "ner", tmp_path / "m.json"
    out, metrics = scored(command, pipeline, other / "corpus", path, "--map", " LOC = GPE")
    # Its PER entities are reported, and count as errors.
    found = [e.label_ for doc in spacy.load(pipeline).pipe(texts(other)) for e in doc.ents]
    assert f"predicted labels that the split does not have: PER {found.count('PER')};" in out
    assert metrics["map"] == {"LOC": "GPE"}
    types = metrics["raw_text"]["ents_per_type"]
    assert set(types) == {"GPE", "ORG", "MISC", "PER"} and types["PER"]["f"] == 0
    out, without = scored(command, pipeline, other / "corpus", path, "--map", "LOC=GPE,PER=")
    assert "that the split does not have" not in out
    assert without["raw_text"]["ents_p"] > metrics["raw_text"]["ents_p"]
    assert without["raw_text"]["ents_r"] == metrics["raw_text"]["ents_r"]
    # The same type scores the same under the sample corpus's name.
    _, own = scored(command, pipeline, sample_corpora / "ner", tmp_path / "own.json")
    assert types["GPE"] == own["raw_text"]["ents_per_type"]["LOC"] != types["PER"]
    # The page and the wheel use the names in the metrics.
    page = tmp_path / "p.html"
    assert command(report, pipeline, other / "corpus", path, page).code == 0
    drawn = page.read_text("utf8")
    assert "GPE" in drawn and "PER → –" in drawn and ">PER<" not in drawn
    nlp = spacy.load(pipeline)
    package.describe(nlp, [without], "fr_x", "1.0", None)
    assert "(labels LOC → GPE, PER → –)" in nlp.meta["description"]


def test_renamed_categories(command, other, sample_corpora, tmp_path):
    vocab = spacy.blank("fr").vocab
    docs = list(read_docs(sample_corpora / "textcat" / "test.spacy", vocab))
    for doc in docs:
        doc.cats = {"neg": doc.cats["negative"], "pos": doc.cats["positive"]}
    DocBin(docs=docs).to_disk(tmp_path / "test.spacy")
    path = tmp_path / "m.json"
    result = command(evaluate, other / "textcat", tmp_path, path)
    assert result.code == 1 and "'neg', which the pipeline does not know" in result.line
    assert "--map" in result.line
    names = ("--map", "negative=neg,positive=pos")
    _, metrics = scored(command, other / "textcat", tmp_path, path, *names)
    _, own = scored(command, other / "textcat", sample_corpora / "textcat", tmp_path / "own.json")
    assert metrics["raw_text"]["accuracy"] == own["raw_text"]["accuracy"]
    assert command(report, other / "textcat", tmp_path, path, tmp_path / "p.html").code == 0
    assert "neg ✓" in (tmp_path / "p.html").read_text("utf8")


@pytest.mark.parametrize(
    "names, message",
    [
        ("PERS=PER", "--map: no label PERS; the labels are LOC, MISC, ORG, PER."),
        ("PER", "--map PER: 'PER' is not a pair; write OLD=new"),
        ("PER=x,PER=y", "--map PER=x,PER=y: label 'PER' is given two names; give it one"),
    ],
)
def test_invalid_names_are_refused(command, other, tmp_path, names, message):
    result = command(evaluate, other / "ner", other / "corpus", tmp_path / "m.json", "--map", names)
    assert result.code == 1 and message in result.line
    assert not (tmp_path / "m.json").exists()


def test_new_names_are_parsed():
    assert read_names("--map", " A = x ,B=, ", "ABC", may_drop=True) == {"A": "x", "B": ""}
    assert new_names("ABC", {"A": "C", "B": ""}) == ["C"]
    assert read_names("--map", "", "AB") == {}


@pytest.mark.parametrize("exclusive, wanted", [(True, 0.75), (False, 0.5)])
def test_categories_with_the_same_new_name(exclusive, wanted):
    doc = spacy.blank("fr").make_doc("texte")
    doc.cats = {"a": 0.5, "b": 0.25, "c": 0.25}
    rename(doc, {"a": "x", "b": "x", "c": ""}, exclusive)
    assert doc.cats == {"x": wanted}
