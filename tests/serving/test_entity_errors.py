"""Kinds of errors of entities, by hand and as nervaluate counts them; names that train has."""

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from nervaluate.evaluator import Evaluator
from spacy.tokens import Doc

from scripts.corpora.docbins import write_docs
from scripts.serving.entity_errors import KINDS, counted, mistakes, seen_and_unseen
from scripts.serving.gold import Gold
from scripts.serving.train_split import baseline, read_train

NLP = spacy.blank("fr")


def doc_of(text: str, *spans: tuple[str, str]) -> Doc:
    """Return a document with entities: their text and label."""
    doc = NLP.make_doc(text)
    starts = [text.index(words) for words, _ in spans]
    doc.set_ents(
        [doc.char_span(at, at + len(words), label) for at, (words, label) in zip(starts, spans)]
    )
    return doc


@pytest.mark.parametrize(
    "found, wanted, kinds",
    [
        ([], [], []),
        ([(0, 5, "PER")], [(0, 5, "PER")], []),
        ([], [(0, 5, "PER")], ["missed"]),
        ([(0, 5, "PER")], [], ["spurious"]),
        ([(0, 4, "PER")], [(0, 5, "PER")], ["wrong border"]),
        ([(0, 5, "LOC")], [(0, 5, "PER")], ["wrong type"]),
        ([(0, 4, "LOC")], [(0, 5, "PER")], ["wrong border and type"]),
        # Two found in one gold entity: that of its type is the one with a wrong border.
        ([(0, 4, "LOC"), (5, 9, "PER")], [(0, 9, "PER")], ["spurious", "wrong border"]),
        # One found over two gold entities: it is compared with the one of its type.
        ([(0, 9, "LOC")], [(0, 4, "PER"), (5, 9, "LOC")], ["missed", "wrong border"]),
        # What is right is compared with nothing else.
        ([(0, 4, "PER"), (2, 9, "LOC")], [(0, 4, "PER")], ["spurious"]),
        # They touch, but share no character.
        ([(0, 4, "PER")], [(4, 9, "PER")], ["spurious", "missed"]),
    ],
)
def test_kinds_of_mistakes(found, wanted, kinds):
    assert [one.kind for one in mistakes(found, wanted)] == kinds


# A gold entity of ten characters each, and what is found of it: nothing, or it with other borders or type.
ONE = st.tuples(
    st.booleans(), st.booleans(), st.integers(0, 2), st.integers(0, 2), *[st.sampled_from("AB")] * 2
)


@given(st.lists(ONE, max_size=8))
def test_as_many_of_each_kind_as_nervaluate_counts(cases):
    found, wanted = [], []
    for place, (is_found, is_wanted, left, right, label, other) in enumerate(cases):
        if is_wanted:
            wanted.append((20 * place, 20 * place + 9, label))
        if is_found:
            found.append((20 * place + left, 20 * place + 9 - right, other))
    kinds = [one.kind for one in mistakes(found, wanted)]
    as_dicts = [
        [[{"start": start, "end": end - 1, "label": label} for start, end, label in side]]
        for side in (wanted, found)
    ]
    if not (found or wanted):
        assert not kinds
        return
    results = Evaluator(*as_dicts, tags=["A", "B"], loader="dict").evaluate()["overall"]
    missed, spurious, border, type_, both = map(kinds.count, KINDS)
    assert (results["strict"].missed, results["strict"].spurious) == (missed, spurious)
    assert results["strict"].incorrect == border + type_ + both
    assert results["exact"].incorrect == border + both
    assert results["ent_type"].incorrect == type_ + both


def test_entities_on_tokens_without_gold_annotation_are_no_mistakes():
    gold = doc_of("Marie vit à Lyon", ("Marie", "PER"))
    gold.set_ents(list(gold.ents), missing=[gold[3:4]], default="outside")
    found = doc_of("Marie vit à Lyon", ("Marie", "PER"), ("Lyon", "LOC"))
    assert sum(counted([found], [gold]).values()) == 0
    assert counted([found], [doc_of(gold.text, ("Marie", "PER"))])["spurious"] == 1


def test_names_of_train_and_others():
    gold = doc_of("Marie et Paul vont à Lyon", ("Marie", "PER"), ("Paul", "PER"), ("Lyon", "LOC"))
    found = doc_of(gold.text, ("Marie", "PER"), ("Paul", "LOC"))
    result = seen_and_unseen([found], [gold], {"Marie", "Lyon"})
    assert result["seen"] | {"interval": None} == {
        "entities": 2, "p": 1.0, "r": 0.5, "f": pytest.approx(2 / 3), "interval": None,
    }  # fmt: skip
    assert (result["unseen"]["p"], result["unseen"]["r"]) == (0.0, 0.0)
    nobody = seen_and_unseen([found], [gold], {"Marie", "Lyon", "Paul"})["unseen"]
    assert nobody == {"entities": 0, "p": None, "r": None, "f": None, "interval": None}


def written(path, docs):
    write_docs([(doc, {}) for doc in docs], path)
    return path


def test_the_gazetteer_of_train_takes_the_longest_name_and_its_commonest_type(tmp_path):
    train = [
        doc_of("Paris est grand", ("Paris", "LOC")),
        doc_of("Paris Hilton arrive", ("Paris Hilton", "PER")),
        doc_of("Paris gagne", ("Paris", "ORG")),
        doc_of("à Paris", ("Paris", "LOC")),
    ]
    test = [
        doc_of("Paris Hilton vient", ("Paris Hilton", "PER")),
        doc_of("Paris gagne", ("Paris", "ORG")),
        doc_of("à Rome", ("Rome", "LOC")),
    ]
    gold = Gold("ner", test, [0, 1, 2])
    known = read_train(gold, written(tmp_path / "train.spacy", train))
    assert known.shared == {"Paris gagne"}
    assert known.names == {"Paris", "Paris Hilton"}
    # One right of two given (Paris as LOC is wrong) and three wanted.
    assert baseline(known, gold) == {
        "what": "gazetteer of train", "name": "entity F", "score": pytest.approx(2 / 5),
    }  # fmt: skip


@pytest.mark.parametrize("task, score", [("textcat", 0.25), ("textcat_multilabel", 0.25)])
def test_the_most_frequent_label_of_train(tmp_path, task, score):
    def text(label):
        doc = NLP.make_doc("Un texte")
        doc.cats = {name: float(name == label) for name in "abc"}
        return doc

    gold = Gold(task, list(map(text, "abcc")), [0, 1, 2, 3])
    known = read_train(gold, written(tmp_path / "train.spacy", map(text, "bbbac")))
    assert known.labels == {"a": 1, "b": 3, "c": 1}
    found = baseline(known, gold)
    assert (found["what"], found["score"]) == ("most frequent label of train", score)
