"""What the server answers does not depend on what else is asked at the same time."""

import pytest
from spacy.vocab import Vocab

from scripts.corpora.docbins import read_docs
from scripts.to_onnx import FASTEST
from scripts.web.annotator import BATCH_TEXTS, Annotator


@pytest.mark.parametrize("form", ["torch", "float32", "int8"])
def test_a_text_has_the_same_answer_alone_and_in_a_batch(opened, few_corpora, form):
    docs = [
        doc
        for corpus in ("ner", "textcat")
        for doc in read_docs(few_corpora / corpus / "test.spacy", Vocab())
    ]
    texts = ["", *(doc.text for doc in docs), docs[0].text * 30]
    annotator = Annotator(form, opened[form], None)
    assert annotator.batch_texts == BATCH_TEXTS
    for text, answer in zip(texts, annotator.read(texts)):
        (alone,) = annotator.read([text])
        assert answer["entities"] == alone["entities"] and answer["label"] == alone["label"]
        assert answer["cats"] == pytest.approx(alone["cats"], abs=1e-5)


def test_texts_are_read_one_by_one_where_a_batch_changes_answers(opened):
    assert Annotator(FASTEST, opened[FASTEST], None).batch_texts == 1
