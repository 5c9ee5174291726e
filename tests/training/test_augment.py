"""Training texts that are joined with their neighbours, or changed as users write."""

import random

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.util import dot_to_dict
from thinc.api import Config

from scripts.common.errors import UserError
from scripts.config import training_config
from scripts.training.augment import MOST, join_neighbours, vary_texts
from scripts.training.plan import Plan, Split, check_ranges
from scripts.training.readers import balanced_corpora
from scripts.training.stream import shuffled_corpus

NLP = spacy.blank("fr")


def sentence(number: int, document: str = "") -> Doc:
    """Return "Marie vit ici." with an entity and a number; the last token has no space after it."""
    words = ["Marie", "vit", "ici", str(number), "."]
    doc = Doc(NLP.vocab, words, [True, True, True, False, False])
    doc.ents = [Span(doc, 0, 1, "PER")]
    doc.user_data |= {"file": "a.conll", "line": number}
    if document:
        doc.user_data["document"] = document
    return doc


def numbers(docs: list[Doc]) -> list[list[int]]:
    return [[int(token.text) for token in doc if token.like_num] for doc in docs]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
def test_a_share_of_the_sentences_is_joined_and_none_is_lost(share):
    docs = [sentence(number) for number in range(2000)]
    joined = list(join_neighbours(docs, share, random.Random(0)))
    found = numbers(joined)
    assert [number for group in found for number in group] == list(range(2000))
    assert max(map(len, found)) == (MOST if share else 1)
    together = sum(len(group) for group in found if len(group) > 1)
    assert together / 2000 == pytest.approx(share, abs=0.05)
    assert [len(doc.ents) for doc in joined] == list(map(len, found))
    assert all(doc.text.count(". Marie") == len(group) - 1 for doc, group in zip(joined, found))


def test_only_sentences_of_a_document_are_joined_and_no_labelled_text():
    docs = [sentence(number, document=str(number // 4)) for number in range(40)]
    docs[5].cats = {"good": 1.0}
    joined = list(join_neighbours(docs, 1.0, random.Random(0)))
    for group in numbers(joined):
        assert len({number // 4 for number in group}) == 1
        assert 5 not in group or group == [5]
    assert sum(map(len, numbers(joined))) == 40


def test_unknown_annotation_stays_unknown_in_a_joined_text():
    unknown = Doc(NLP.vocab, ["Marie", "."])
    unknown.set_ents([], default="missing")
    unknown.user_data["file"] = "a.conll"
    (doc,) = join_neighbours([unknown, sentence(1)], 1.0, random.Random(1))
    assert [token.ent_iob_ for token in doc] == ["", "", "B", "O", "O", "O", "O"]


def test_the_plan_and_both_readers_count_joined_texts(tmp_path):
    docs = [sentence(number) for number in range(400)]
    path = tmp_path / "train.spacy"
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    expected = len(list(join_neighbours(docs, 0.5, random.Random(0))))
    assert len(Split.of(docs, 0.5).lengths) == expected < 350
    random.seed(0)
    for reader in (balanced_corpora(str(path), joined=0.5), shuffled_corpus(path, joined=0.5)):
        examples = list(reader(NLP))
        assert abs(len(examples) - expected) < 40
        assert sum(len(example.reference.ents) for example in examples) == 400
    assert len(list(balanced_corpora(str(path))(NLP))) == 400


CHANGED = {
    "lower_case": "l'été, marie saint-lô vit à st. malo !",
    "upper_case": "L'ÉTÉ, MARIE SAINT-LÔ VIT À ST. MALO !",
    "no_punctuation": "l'été marie saint-lô vit à st. malo",
}


@pytest.mark.parametrize("kind", CHANGED)
def test_a_changed_text_keeps_its_entities_and_labels(kind):
    doc = NLP("L'été, Marie Saint-Lô vit à St. Malo !")
    doc.ents = [doc.char_span(7, 21, "PER"), doc.char_span(28, 36, "LOC")]
    doc.cats = {"good": 1.0}
    shares = {name: float(name == kind) for name in CHANGED}
    (example,) = vary_texts(**shares)(NLP, Example(NLP.make_doc(doc.text), doc))
    assert example.text.rstrip() == CHANGED[kind] and example.reference.cats == {"good": 1.0}
    found = [(ent.text.lower(), ent.label_) for ent in example.reference.ents]
    assert found == [("marie saint-lô", "PER"), ("st. malo", "LOC")]
    assert [t.ent_iob_ for t in example.reference].count("") == 0
    assert {"U-LOC", "L-LOC"} & set(example.get_aligned_ner())


def test_words_do_not_run_together_where_punctuation_was():
    doc = Doc(
        NLP.vocab, ["Paris", "-", "Nice", ",", "fini", "."], [False] * 3 + [True, False, False]
    )
    shares = {"lower_case": 0.0, "upper_case": 0.0, "no_punctuation": 1.0}
    (example,) = vary_texts(**shares)(NLP, Example(NLP.make_doc(doc.text), doc))
    assert example.text.rstrip() == "paris nice fini"


@pytest.mark.parametrize("name", ["settings.joined", "corpora.train.augmenter.upper_case"])
@pytest.mark.parametrize("share", [-0.1, 1.5, "many", None])
def test_a_share_that_is_none_is_refused(name, share):
    with pytest.raises(UserError, match=f"{name} {share}: a share"):
        check_ranges(Config(dot_to_dict({name: share})))


def test_shares_of_more_than_all_are_refused():
    names = [f"corpora.train.augmenter.{name}" for name in CHANGED]
    with pytest.raises(UserError, match="1.2 in all"):
        check_ranges(Config(dot_to_dict(dict.fromkeys(names, 0.4))))


def test_what_is_joined_is_said_and_so_is_that_nothing_is(capsys):
    _, config, given = training_config("ner", {"settings.joined": 1.0})
    docs = [sentence(number) for number in range(50)]
    labelled = [sentence(number) for number in range(50)]
    for doc in labelled:
        doc.cats = {"good": 1.0}
    for examples, said in ((docs, "50 sentences are joined"), (labelled, "nothing is joined")):
        split = Split.of(examples, 1.0)
        plan = Plan(config, given)
        plan.propose_all(split, {"ner"}, 384, False)
        plan.show(split, split, [("a", 50)])
        printed = capsys.readouterr()
        assert said in printed.out + printed.err


def test_shares_of_the_examples_are_changed():
    random.seed(0)
    augment = vary_texts(lower_case=0.2, upper_case=0.1, no_punctuation=0.3)
    texts = []
    for number in range(1000):
        doc = sentence(number)
        texts += [example.text for example in augment(NLP, Example(NLP.make_doc(doc.text), doc))]
    assert len(texts) == 1000
    shares = [
        sum(text.startswith("marie") and text.endswith(".") for text in texts) / 1000,
        sum(text.startswith("MARIE") for text in texts) / 1000,
        sum(not text.endswith(".") for text in texts) / 1000,
    ]
    assert shares == pytest.approx([0.2, 0.1, 0.3], abs=0.04)
    empty = Example(Doc(NLP.vocab), Doc(NLP.vocab))
    assert len(list(augment(NLP, empty))) == 1
