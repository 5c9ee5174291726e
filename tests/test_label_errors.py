"""Likely label errors: what is changed on purpose comes first, and nothing is left out or made up."""

import random
import shutil

import numpy
import pytest
import spacy
import srsly
from spacy.tokens import Doc, DocBin, Span

from scripts import evaluate, label_errors
from scripts.corpora.docbins import read_docs
from scripts.encoders.frozen import Vectors, open_frozen, vectors_of
from scripts.serving.label_errors import label_errors as errors_of
from scripts.training.label_errors import (
    FOLDS,
    TEXTS,
    UNKNOWN,
    Suspect,
    folds_of,
    out_of_fold,
    suspects_of_entities,
    suspects_of_texts,
)

from .small import small_pipeline

NLP = spacy.blank("fr")


def labelled(text: str, **cats: float) -> Doc:
    doc = NLP.make_doc(text)
    doc.cats = cats
    return doc


def written(folder, docs, split="train"):
    folder.mkdir(exist_ok=True)
    for line, doc in enumerate(docs, 1):
        doc.user_data |= {"file": f"{split}.txt", "line": line}
    DocBin(docs=docs, store_user_data=True).to_disk(folder / f"{split}.spacy")
    return folder


def reviews() -> list[Doc]:
    """Reviews that a word gives away; those of lines 8, 60 and 111 have the wrong label."""
    draw = random.Random(0)
    docs = []
    for line in range(1, 121):
        good = line % 2 == 0
        about = draw.choice(["film", "livre", "disque", "roman"])
        text = f"Un {about} {'superbe et réussi' if good else 'raté et pénible'} , numéro {line} ."
        given = good != (line in (8, 60, 111))
        docs.append(labelled(text, neg=float(not given), pos=float(given)))
    return docs


def sentences() -> list[Doc]:
    """Sentences with a person and a town; the person of line 10 is a town, the town of line 21 is not
    marked, and in line 32 a verb is a town."""
    draw = random.Random(0)
    docs = []
    for line in range(1, 101):
        person, town = (
            draw.choice(["Marie", "Paul", "Jeanne"]),
            draw.choice(["Lyon", "Lens", "Brest"]),
        )
        doc = Doc(NLP.vocab, words=[person, "habite", "à", town, "depuis", str(1900 + line), "."])
        ents = [Span(doc, 0, 1, "LOC" if line == 10 else "PER")]
        ents += [Span(doc, 1, 2, "LOC")] * (line == 32) + [Span(doc, 3, 4, "LOC")] * (line != 21)
        doc.set_ents(ents, default="outside")
        docs.append(doc)
    return docs


def test_changed_labels_of_texts_come_first(command, distilbert, tmp_path):
    corpus = written(tmp_path / "corpus", [*reviews(), labelled("Sans avis")])
    result = command(
        label_errors, corpus, "--encoder", distilbert, "--json", tmp_path / "e.json", "--show", 3
    )
    assert result.code == 0, result.err
    assert "1 of 121 texts are not annotated: left out" in result.err
    found = srsly.read_json(tmp_path / "e.json")
    assert (found["task"], found["examples"]) == ("textcat", 120)
    errors = found["label_errors"]
    assert {error["at"] for error in errors[:3]} == {f"train.txt:{n}" for n in (8, 60, 111)}
    by_place = {error["at"]: error for error in errors}
    assert (by_place["train.txt:8"]["given"], by_place["train.txt:8"]["found"]) == ("neg", "pos")
    assert by_place["train.txt:8"]["text"].endswith("numéro 8 .")
    confidences = [error["confidence"] for error in errors]
    assert confidences == sorted(confidences, reverse=True) and confidences[0] > 0.7
    assert found["agreement"] == pytest.approx(1 - len(errors) / 120)
    assert result.out.count("train.txt:") == 3
    again = command(
        label_errors, corpus, "--encoder", distilbert, "--json", tmp_path / "again.json"
    )
    assert again.code == 0 and srsly.read_json(tmp_path / "again.json") == found


def test_changed_labels_of_entities_come_first(command, distilbert, tmp_path):
    corpus = written(tmp_path / "corpus", sentences())
    result = command(label_errors, corpus, "--encoder", distilbert, "--json", tmp_path / "e.json")
    assert result.code == 0, result.err
    errors = srsly.read_json(tmp_path / "e.json")["label_errors"]
    first = {(e["at"], e["given"], e["found"], e["start"]) for e in errors[:5]}
    assert first >= {
        ("train.txt:10", "LOC", "PER", 0),
        ("train.txt:32", "LOC", "–", len(sentences()[31][0].text) + 1),
        ("train.txt:21", "–", "LOC", sentences()[20][3].idx),
    }
    for error in errors:
        assert error["text"][error["start"] :].startswith(error["entity"])


def test_several_labels_a_text(command, distilbert, tmp_path):
    docs = []
    for line in range(1, 121):
        sport, politics = line % 2, line % 3 == 0
        text = f"{'but stade match ' * 3 * sport}{'vote maire loi ' * 3 * politics} hier {line}"
        cats = {"sport": float(sport), "politics": float(politics)}
        if line == 14:
            cats["sport"] = 1.0
        docs.append(labelled(text, **cats))
    corpus = written(tmp_path / "corpus", docs)
    result = command(label_errors, corpus, "--encoder", distilbert, "--json", tmp_path / "e.json")
    assert result.code == 0, result.err
    found = srsly.read_json(tmp_path / "e.json")
    first = [(e["at"], e["given"], e["found"]) for e in found["label_errors"][:3]]
    assert ("train.txt:14", "sport", "–") in first
    assert found["agreement"] == pytest.approx(1 - len(found["label_errors"]) / 240)


def test_no_model_sees_the_fold_that_it_predicts_nor_equal_texts():
    groups = numpy.array([0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 9, 9])
    folds = folds_of(groups, 0)
    assert folds[0] == folds[8] and folds[1] == folds[9] and folds[10] == folds[11]
    assert set(folds) == set(range(FOLDS)) and max(numpy.bincount(folds)) <= 4
    # Without other examples of it, a label cannot be told: each is alone in its fold.
    values = numpy.eye(10, dtype="f2").repeat(2, axis=0)
    owner = numpy.arange(20)
    gold = numpy.arange(20) // 2 % 2
    vectors = Vectors(values, owner, owner)
    apart = out_of_fold(vectors, gold, owner // 2, TEXTS)
    seen = out_of_fold(vectors, gold, owner, TEXTS)
    right = numpy.arange(20), gold
    assert seen[right].mean() > apart[right].mean()


def test_unknown_labels_are_not_learnt():
    values = numpy.repeat(numpy.eye(2, dtype="f2"), 30, axis=0)
    owner = numpy.arange(60)
    gold = numpy.repeat([0, 1], 30)
    gold[::3] = UNKNOWN
    found = out_of_fold(Vectors(values, owner, owner), gold, owner, TEXTS)
    assert found.shape == (60, 2)
    assert (found.argmax(1) == numpy.repeat([0, 1], 30)).all()


def test_suspects_of_entities_are_whole_and_do_not_cross_texts():
    #        two words, PER  none  LOC  |  none, read as PER  LOC LOC: two
    gold = [1, 1, 0, 2, 0, 0, 2, 2, UNKNOWN]
    begins = numpy.array([1, 0, 0, 1, 0, 0, 1, 1, 0], bool)
    owner = numpy.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    best = [2, 2, 0, 1, 1, 1, 2, 0, 1]
    found = numpy.full((9, 3), 0.05)
    found[range(9), best] = [0.9, 0.9, 0.9, 0.5, 0.9, 0.7, 0.9, 0.6, 0.9]
    suspects = suspects_of_entities(found, numpy.array(gold), begins, owner)
    assert [suspect[1:] for suspect in suspects] == [
        (0, 0, 2, 1, 2), (1, 4, 6, 0, 1), (1, 7, 8, 2, 0), (0, 3, 4, 2, 1),
    ]  # fmt: skip
    margins = [0.85, 0.75, 0.55, 0.45]
    assert [s.confidence for s in suspects] == pytest.approx([(1 + m) / 2 for m in margins])


def test_suspects_of_texts():
    found = numpy.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    assert suspects_of_texts(found, numpy.array([1, 1, 0])) == [
        Suspect(pytest.approx(0.9), 0, 0, 1, 1, 0), Suspect(pytest.approx(0.6), 2, 2, 3, 0, 1),
    ]  # fmt: skip
    gold = numpy.array([[1.0, 1.0], [0.0, 0.0], [0.0, 1.0]])
    assert suspects_of_texts(found, gold) == [
        Suspect(pytest.approx(0.9), 0, 0, 1, 1, UNKNOWN),
        Suspect(pytest.approx(0.8), 1, 1, 2, UNKNOWN, 1),
    ]  # fmt: skip


def test_vectors_are_those_of_the_encoder_whatever_the_batch(distilbert):
    frozen = open_frozen(str(distilbert), precision="float32")
    texts = ["Un film superbe", "mot " * 700, "Raté ."]
    docs = list(map(NLP.make_doc, texts))
    assert frozen.layers == [1, 2]
    with vectors_of(docs, frozen, tokens=False) as together:
        both = numpy.array(together.values)
    for doc, row in zip(docs, both):
        with vectors_of([doc], frozen, tokens=False) as alone:
            assert numpy.allclose(alone.values[0], row, atol=2e-3)
    with vectors_of(docs, frozen, tokens=True) as tokens:
        assert numpy.bincount(tokens.owner).tolist() == [3, 700, 2]
        assert tokens.token[:3].tolist() == [0, 1, 2]
        assert tokens.values.shape == (705, both.shape[1]) == (705, 64)


def test_evaluate_lists_likely_errors_of_a_classifier(command, sample_corpora, tmp_path):
    corpus = tmp_path / "corpus"
    shutil.copytree(sample_corpora / "textcat", corpus)
    pipeline = small_pipeline(sample_corpora, "textcat", examples=1900)
    pipeline.to_disk(tmp_path / "pipeline")
    result = command(evaluate, tmp_path / "pipeline", corpus, tmp_path / "m.json")
    assert result.code == 0, result.err
    errors = srsly.read_json(tmp_path / "m.json")["label_errors"]
    docs = list(read_docs(corpus / "test.spacy", NLP.vocab))
    expected = {}
    for doc in docs:
        found, gold = pipeline(doc.text), max(doc.cats, key=doc.cats.get)
        if max(found.cats, key=found.cats.get) != gold:
            expected[f"{doc.user_data['file']}:{doc.user_data['line']}"] = 1 - found.cats[gold]
    assert {error["at"]: error["confidence"] for error in errors} == pytest.approx(
        expected, abs=1e-3
    )
    assert [e["confidence"] for e in errors] == sorted(
        (e["confidence"] for e in errors), reverse=True
    )
    assert "likely label errors" in result.out
    assert result.out.count(".review:") == 10


def test_evaluate_says_when_entities_have_no_confidences(command, sample_corpora, tmp_path):
    small_pipeline(sample_corpora, "ner").to_disk(tmp_path / "pipeline")
    result = command(evaluate, tmp_path / "pipeline", sample_corpora / "ner", tmp_path / "m.json")
    assert result.code == 0, result.err
    assert srsly.read_json(tmp_path / "m.json")["label_errors"] is None
    assert "no confidences of entities" in result.out


def test_evaluate_lists_likely_errors_of_entities_with_confidences(
    command, heads, sample_corpora, tmp_path
):
    assert command("wrap", heads / "distilbert", tmp_path / "out", "--lang", "fr").code == 0
    result = command(evaluate, tmp_path / "out", sample_corpora / "ner", tmp_path / "m.json")
    assert result.code == 0, result.err
    metrics = srsly.read_json(tmp_path / "m.json")
    errors = metrics["label_errors"]
    docs = {
        f"{doc.user_data['file']}:{doc.user_data['line']}": doc
        for doc in read_docs(sample_corpora / "ner" / "test.spacy", NLP.vocab)
    }
    assert errors
    for error in errors:
        doc = docs[error["at"]]
        span = (error["start"], error["end"])
        gold = {(e.start_char, e.end_char): e.label_ for e in doc.ents}
        assert doc.text[slice(*span)] == error["entity"] and gold.get(span) != error["found"]
        if error["given"] == "–":
            assert not any(start < span[1] and span[0] < end for start, end in gold)
        elif span in gold:
            assert error["given"] == gold[span]


def test_regions_whose_gold_is_not_known_are_no_errors():
    doc = Doc(NLP.vocab, words=["Marie", "vit"])
    found = doc.copy()
    found.ents = [Span(found, 0, 1, "PER")]
    found.user_data["confidence"] = [0.9]
    assert errors_of("ner", [found], [doc]) == []
    doc.set_ents([], default="outside")
    (error,) = errors_of("ner", [found], [doc])
    assert (error["at"], error["given"], error["found"]) == ("example:1", "–", "PER")


@pytest.mark.parametrize(
    "docs, options, said",
    [
        (lambda: reviews()[:19], [], "19 annotated texts: too few"),
        (lambda: [NLP.make_doc(f"texte {i}") for i in range(30)], [], "has no"),
        (
            lambda: [labelled(f"texte {i}", a=1.0) for i in range(30)],
            [],
            "all texts have the label a",
        ),
        (lambda: reviews() + sentences(), [], "choose with --task"),
        (reviews, ["--task", "ner"], "has no entities to look at"),
        (reviews, ["--task", "x"], "--task x: expected one of"),
        (
            lambda: [labelled(f"texte {i}", a=1.0, b=1.0) for i in range(30)],
            ["--task", "textcat"],
            "choose --task textcat_multilabel",
        ),
        (reviews, ["--split", "dev"], "dev.spacy is missing"),
        (reviews, ["--encoder", "no/such"], "no/such"),
        (reviews, ["--precision", "half"], "--precision 'half'"),
    ],
)
def test_bad_input_is_refused_in_one_line(command, distilbert, tmp_path, docs, options, said):
    corpus = written(tmp_path / "corpus", docs())
    result = command(
        label_errors, corpus, "--encoder", distilbert, *options, "--json", tmp_path / "e.json"
    )
    assert result.code == 1 and said in result.line
    assert not (tmp_path / "e.json").exists()
