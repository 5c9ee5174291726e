"""Restoring marks and capitals, with minuscule encoder-decoders that are really trained."""

import json
import random
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, set_seed

from scripts.common.errors import UserError
from scripts.seq2seq import train_restorer
from scripts.seq2seq.model import encoder_decoder, open_encoder
from scripts.seq2seq.restorer import Restorer, open_restorer
from scripts.seq2seq.scores import evaluate

from ..conftest import SAMPLE

STORIES = SAMPLE / "raw-fr" / "recits.txt"
SHAPE = {
    "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64,
    "initializer_range": 0.1, "dropout": 0.0,
}  # fmt: skip
SMALL = (
    *(option for name, value in SHAPE.items() for option in (f"--model.{name}", value)),
    "--data.max_pieces", 48, "--data.eval_texts", 20, "--training.per_device_train_batch_size", 8,
    "--training.bf16", "false",
)  # fmt: skip


@pytest.fixture(scope="module")
def untrained(distilbert) -> Restorer:
    """A restorer that knows nothing, and writes all sorts of marks and capitals."""
    set_seed(0)
    tokenizer, encoder = open_encoder(distilbert, None)
    model = encoder_decoder(SHAPE, tokenizer, encoder, 96)
    return Restorer(tokenizer, model, 48, "?!")


@pytest.fixture
def lines(tmp_path) -> Path:
    """Written text of 120 lines."""
    path = tmp_path / "text.txt"
    path.write_text("\n".join(STORIES.read_text("utf8").splitlines()[:120]), "utf8")
    return path


def test_no_word_changes_whatever_the_model_writes(untrained):
    spoken = [line.lower() for line in STORIES.read_text("utf8").splitlines()[:40]]
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
    spoken = [line.lower() for line in STORIES.read_text("utf8").splitlines()[:12]]
    together = [one.text for one in untrained.restore(spoken)]
    assert together == [next(untrained.restore([text])).text for text in spoken]


def test_cached_pieces_change_nothing(untrained):
    """Of an encoder with relative positions."""
    from transformers import BertConfig, BertModel

    set_seed(0)
    tokenizer = untrained.pieces.tokenizer
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=64, position_embedding_type="relative_key_query",
    )  # fmt: skip
    model = encoder_decoder(SHAPE, tokenizer, BertModel(config), 96).eval()
    batch = tokenizer(["il y a un marché", "elle dort"], padding=True, return_tensors="pt")
    batch.pop("token_type_ids", None)
    written = [
        model.generate(**batch, use_cache=use, max_length=40, num_beams=2) for use in (True, False)
    ]
    assert torch.equal(*written) and written[0].shape[1] > 10


@pytest.fixture(scope="module")
def dialogues(tmp_path_factory) -> Path:
    """400 lines of sentences whose marks and capitals are easily told from their words."""
    path = tmp_path_factory.mktemp("text") / "dialogues.txt"
    draw = random.Random(0).choice
    names, verbs = ("Paul", "Marie", "Anne", "Louis"), ("parle", "mange", "part", "vient")
    kinds = (
        "Il {verb}, et {name} {verb}.",
        "Elle {verb} avec {name}.",
        "Est-ce que {name} {verb} ?",
    )
    lines = [
        " ".join(
            draw(kinds).format(name=draw(names), verb=draw(verbs)) for _ in range(draw((1, 2, 3)))
        )
        for _ in range(400)
    ]
    path.write_text("\n".join(lines), "utf8")
    return path


def test_training_and_restoring(command, distilbert, dialogues, tmp_path):
    out = tmp_path / "out"
    result = command(
        train_restorer, dialogues, out, "--encoder", distilbert, *SMALL, "--training.max_steps", 200,
        "--training.eval_steps", 100, "--training.learning_rate", 1e-2,
    )  # fmt: skip
    print(result.out, result.err)
    assert result.code == 0, result.err
