"""Restoring marks and capitals: no word changes, whatever a model writes."""

import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    set_seed,
)

from scripts.seq2seq.model import encoder_decoder, open_encoder
from scripts.seq2seq.restorer import Restorer

from ..conftest import SAMPLE
from .families import DECODER

STORIES = SAMPLE / "raw-fr" / "recits.txt"


@pytest.fixture(scope="module")
def untrained(distilbert) -> Restorer:
    """A restorer that knows nothing, and writes all sorts of marks and capitals."""
    set_seed(0)
    tokenizer, encoder = open_encoder(distilbert, None)
    model = encoder_decoder(DECODER, tokenizer, encoder, 96)
    return Restorer(tokenizer, model, 48, "?!")


def test_no_word_changes_whatever_the_model_writes(untrained):
    spoken = [line.lower() for line in STORIES.read_text("utf8").splitlines()[:5]]
    # One text of many windows, and what is no word, too long, or unknown to the tokenizer.
    spoken += [" ".join(spoken), "", " … ", "anti" * 30, "кот 猫 qu- l’ami 3,5 %", "x\u0301 \u00ad"]
    restored = list(untrained.restore(spoken))
    for text, one in zip(spoken, restored, strict=True):
        assert (
            one.source == text and "".join(one.text.lower().split()) != "" or not text.strip(" …")
        )
        # Without the marks that were added, it is the text.
        kept = iter("".join(text.split()))
        left = [c for c in "".join(one.text.lower().split()) if c not in "?!….:;,"]
        assert left == [c for c in kept if c not in "?!….:;,"]
    assert any(mark for one in restored for _, mark in one.words)
    assert any(word != word.lower() for one in restored for word, _ in one.words)
    assert restored[-3].kept == 1 and restored[-2].kept == 2


def test_the_marks_and_capitals_of_a_text_stay(untrained):
    text = "euh bonjour NPERS ! tu viens de Vierzon, non ?"
    (one,) = untrained.restore([text])
    assert "NPERS" in one.text and "Vierzon," in one.text
    assert (
        one.words[2] == ("NPERS", "!")
        and one.words[6] == ("Vierzon", ",")
        and one.text.lower().endswith("non ?")
    )
    # All in capitals, they say nothing.
    (loud,) = untrained.restore(["BONJOUR À TOUTES LES FAMILLES DE VIERZON"])
    (quiet,) = untrained.restore(["bonjour à toutes les familles de vierzon"])
    assert loud.text == quiet.text


def test_a_text_does_not_depend_on_those_beside_it(untrained):
    spoken = [line.lower() for line in STORIES.read_text("utf8").splitlines()[:4]]
    together = [one.text for one in untrained.restore(spoken)]
    assert together == [next(untrained.restore([text])).text for text in spoken]


def test_cached_pieces_change_nothing(untrained):
    """Of an encoder with relative positions."""
    set_seed(0)
    tokenizer = untrained.pieces.tokenizer
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=64, position_embedding_type="relative_key_query",
    )  # fmt: skip
    model = encoder_decoder(DECODER, tokenizer, BertModel(config), 96).eval()
    batch = tokenizer(["il y a un marché", "elle dort"], padding=True, return_tensors="pt")
    batch.pop("token_type_ids", None)
    written = [
        model.generate(**batch, use_cache=use, max_length=40, num_beams=2) for use in (True, False)
    ]
    assert torch.equal(*written) and written[0].shape[1] > 10
