"""Hugging Face heads through ONNX Runtime find what transformers and torch find."""

import pytest
import spacy
from transformers import AutoModelForTokenClassification, AutoTokenizer

from scripts import wrap
from scripts.light.pipeline import onnx_pipeline
from scripts.serving.pipeline import load
from scripts.to_onnx import to_onnx

LONG = "Née à Varsovie , Marie Curie rejoint la Sorbonne à Paris . Lens bat Nice . " * 40
TEXTS = [
    "Marie Curie travaille à Paris .",
    "",
    "Lens bat Nice, l'Italie perd.",
    LONG,
    "😀 " * 9,
    "Zürich",
]


def findings(nlp) -> list[tuple]:
    return [
        (
            [(e.start_char, e.end_char, e.label_, e._.confidence) for e in doc.ents],
            dict(doc.cats),
        )
        for doc in nlp.pipe(TEXTS)
    ]


def assert_alike(one, other) -> None:
    for (entities, cats), (others, values) in zip(findings(one), findings(other), strict=True):
        assert [entity[:3] for entity in entities] == [entity[:3] for entity in others]
        for entity, same in zip(entities, others):
            assert entity[3] == pytest.approx(same[3], abs=1e-4)
        assert cats == pytest.approx(values, abs=1e-4)


@pytest.mark.parametrize("name", ["distilbert", "camembert", "texts"])
def test_a_ready_made_head(command, heads, tmp_path, name):
    """WordPiece, whose words are put together; SentencePiece, whose are not; and a classifier."""
    result = command(wrap, heads / name, tmp_path / "wrapped", "--lang", "fr")
    assert result.code == 0, result.err
    torch, light = (load(str(tmp_path / "wrapped")) for _ in range(2))
    light = onnx_pipeline(light, name)
    assert_alike(torch, light)
    head, part = torch.pipeline[0][1], light.pipeline[0][1]
    assert head.counts == part.counts and head.labels == part.labels
    assert any(entities or cats for entities, cats in findings(light))
    light.to_disk(tmp_path / "light")
    assert_alike(torch, spacy.load(tmp_path / "light"))


def test_a_head_for_tags_of_tokens(heads):
    tokenizer = AutoTokenizer.from_pretrained(heads / "distilbert")
    tokenizer.model_max_length = 512
    model = AutoModelForTokenClassification.from_pretrained(heads / "distilbert")
    nlp = spacy.blank("fr")
    nlp.add_pipe("hf_token_ner", name="ner", config={"source": "x"}).wrap(tokenizer, model)
    other = spacy.blank("fr")
    other.add_pipe("hf_token_ner", name="ner", config={"source": "x"}).wrap(tokenizer, model)
    light = onnx_pipeline(other, "x")
    assert_alike(nlp, light)
    assert nlp.get_pipe("ner").counts == light.get_pipe("ner").counts


def test_a_head_in_int8(command, heads, few_corpora, tmp_path):
    assert command(wrap, heads / "distilbert", tmp_path / "wrapped", "--lang", "fr").code == 0
    to_onnx(str(tmp_path / "wrapped"), tmp_path / "light", [few_corpora / "ner"], "int8", 1.0)
    light = load(str(tmp_path / "light"))
    assert light.meta["onnx"]["precision"] == "int8"
    assert light.meta["onnx"]["cost"][0]["same"] > 0.7
