"""Shrunken encoders: some of the layers, every weight of them as it was, trained like any other."""

import re
import shutil

import pytest
import spacy
import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    ElectraForPreTraining,
    LongformerConfig,
    LongformerModel,
)

from scripts import train
from scripts.encoders.layers import stacks
from scripts.encoders.shrink import choose_layers, evenly, keep_layers, kinds

from ..conftest import ROOT
from ..families import SHAPES, new_encoder, write_encoder, write_flaubert
from ..heads import text_checkpoint

DEPTH = 7
KEPT = [0, 2, 4, 6]
STACKED = sorted(set(SHAPES) - {"albert", "funnel"})


def deeper(kind: str, depth: int = DEPTH) -> dict[str, int]:
    """The setting that gives a family's encoder so many layers."""
    (name,) = {"num_hidden_layers", "n_layers", "n_layer"} & set(SHAPES[kind])
    return {name: depth}


def same_weights(old, new, kept: list[int]) -> None:
    """Assert that `new` is `old` with the layers in `kept`, bit by bit."""
    expected, own = old.state_dict(), new.state_dict()
    lists = tuple(f"{name}." for name in stacks(old.base_model))
    prefix = f"{old.base_model_prefix}." if old is not old.base_model else ""
    seen = set()
    for name, tensor in own.items():
        source = name
        for stack in lists:
            if name.startswith(prefix + stack):
                number, _, rest = name.removeprefix(prefix + stack).partition(".")
                source = f"{prefix}{stack}{kept[int(number)]}.{rest}"
                seen.add(int(number))
        assert torch.equal(tensor, expected[source]), name
    assert seen == set(range(len(kept)))


@pytest.mark.parametrize("kind", STACKED)
def test_the_kept_layers_are_the_encoders_own(command, distilbert, tmp_path, kind):
    folder = write_encoder(kind, distilbert, tmp_path / kind, **deeper(kind))
    result = command("shrink", folder, tmp_path / "out", "--layers", 4)
    assert result.code == 0, result.err
    assert "layers 0, 2, 4, 6 of 0 to 6" in " ".join(result.out.split())
    old, new = (AutoModel.from_pretrained(path) for path in (folder, tmp_path / "out"))
    assert new.config.num_hidden_layers == 4 and new.config.model_type == kind
    same_weights(old, new, KEPT)
    assert [kinds(old)[index] for index in KEPT] == kinds(new)
    assert new.num_parameters() < old.num_parameters()
    text = "Marie vit à Lens."
    before, after = (AutoTokenizer.from_pretrained(path) for path in (folder, tmp_path / "out"))
    ids = before(text, return_tensors="pt")
    assert torch.equal(ids["input_ids"], after(text, return_tensors="pt")["input_ids"])
    # The hidden states are those of the first layer where both have it, and finite at the end.
    with torch.no_grad():
        states = [m.eval()(**ids, output_hidden_states=True).hidden_states for m in (old, new)]
    assert torch.equal(states[0][1], states[1][1]) and states[1][-1].isfinite().all()
    assert len(states[1]) == 5


def test_layers_are_chosen_as_for_distilbert():
    assert evenly(12, 6) == [0, 2, 4, 7, 9, 11]
    assert evenly(12, 4) == [0, 4, 7, 11]
    assert evenly(24, 12)[::11] == [0, 23]
    assert evenly(12, 1) == [0] and evenly(2, 1) == [0]


def test_layers_with_global_attention_stay_those():
    """Every third of ModernBERT's layers, the first of which has no norm before its attention."""
    encoder = new_encoder("modernbert", num_hidden_layers=22, global_attn_every_n_layers=3)
    own = kinds(encoder)
    for count in (1, 2, 4, 6, 11, 21):
        kept = choose_layers(encoder, count)
        assert kept[0] == 0 and kept == sorted(set(kept)) and len(kept) == count
        shapes = {**deeper("modernbert", count), "global_attn_every_n_layers": 3}
        assert [own[index] for index in kept] == kinds(new_encoder("modernbert", **shapes))
        assert all(abs(a - b) <= 2 for a, b in zip(kept, evenly(22, count)))
    assert choose_layers(encoder, 4) == [0, 7, 14, 21]


def test_settings_that_each_layer_has_go_with_it():
    config = LongformerConfig(
        vocab_size=50, hidden_size=8, num_hidden_layers=4, num_attention_heads=2,
        intermediate_size=16, attention_window=[4, 6, 8, 10],
    )  # fmt: skip
    encoder = LongformerModel(config)
    kept = choose_layers(encoder, 2)
    keep_layers(encoder, kept)
    assert kept == [0, 3] and encoder.config.attention_window == [4, 10]
    windows = [layer.attention.self.one_sided_attn_window_size for layer in encoder.encoder.layer]
    assert windows == [2, 5]


@pytest.mark.parametrize("name", ["distilbert", "camembert", "bert"])
def test_a_head_is_kept(command, masked, tmp_path, name):
    result = command("shrink", masked[name], tmp_path / "out", "--layers", 1)
    assert result.code == 0, result.err
    old, new = (AutoModelForMaskedLM.from_pretrained(p) for p in (masked[name], tmp_path / "out"))
    same_weights(old, new, [0])
    assert AutoTokenizer.from_pretrained(tmp_path / "out").model_max_length == 512


def test_electras_discriminator(command, distilbert, tmp_path):
    """Its head is neither a masked-language model's nor one of those for texts."""
    folder = write_encoder("electra", distilbert, tmp_path / "electra")
    model = ElectraForPreTraining(AutoConfig.from_pretrained(folder))
    model.save_pretrained(folder)
    result = command("shrink", folder, tmp_path / "out", "--layers", 1)
    assert result.code == 0, result.err
    same_weights(model, ElectraForPreTraining.from_pretrained(tmp_path / "out"), [0])


def test_flaubert_and_its_slow_tokenizer(command, tmp_path):
    folder = write_flaubert(tmp_path / "flaubert")
    result = command("shrink", folder, tmp_path / "out", "--layers", 1)
    assert result.code == 0, result.err
    old, new = (AutoModel.from_pretrained(path) for path in (folder, tmp_path / "out"))
    same_weights(old, new, [0])
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert tokenizer.tokenize("l'été") == AutoTokenizer.from_pretrained(folder).tokenize("l'été")


def test_a_classifier_in_float16_with_a_card(command, distilbert, tmp_path):
    text_checkpoint(distilbert, ["a", "b"], tmp_path / "head")
    (tmp_path / "head" / "README.md").write_text("# The original", "utf8")
    result = command("shrink", tmp_path / "head", tmp_path / "out", "--layers", 1, "--half")
    assert result.code == 0, result.err
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out")
    assert model.dtype == torch.float32 and model.config.n_layers == 1
    card = (tmp_path / "out" / "README.md").read_text("utf8")
    assert card.startswith("# The original") and "with 1 of its 2 layers: 0," in card
    size = (tmp_path / "out" / "model.safetensors").stat().st_size
    assert size < 2 * model.num_parameters() + 8000


@pytest.mark.parametrize(
    "kind, layers, message",
    [
        ("bert", 0, "--layers 0: .*bert has 2; give a number from 1 to 1"),
        ("bert", -1, "--layers -1: .*bert has 2"),
        ("bert", 2, "--layers 2: .*bert has 2"),
        ("bert", 9, "--layers 9: .*bert has 2"),
        ("albert", 1, "the layers of AlbertModel share their weights"),
        ("funnel", 1, "no known stack of layers in FunnelModel"),
    ],
)
def test_what_cannot_be_shrunk_is_refused(command, distilbert, tmp_path, kind, layers, message):
    folder = write_encoder(kind, distilbert, tmp_path / kind)
    result = command("shrink", folder, tmp_path / "out", "--layers", layers)
    assert result.code == 1 and not (tmp_path / "out").exists()
    assert re.search(message, result.line)


def test_folders_that_exist_or_are_none_are_refused(command, distilbert, tmp_path):
    shutil.copytree(distilbert, tmp_path / "own")
    before = (tmp_path / "own" / "model.safetensors").read_bytes()
    result = command("shrink", tmp_path / "own", tmp_path / "own", "--layers", 1)
    assert result.code == 1 and "own: already exists" in result.line
    assert (tmp_path / "own" / "model.safetensors").read_bytes() == before
    result = command("shrink", tmp_path / "missing", tmp_path / "out", "--layers", 1)
    assert result.code == 1 and "encoder" in result.line and not (tmp_path / "out").exists()


def test_a_shrunken_encoder_trains(command, distilbert, sample_corpora, tmp_path):
    result = command("shrink", distilbert, tmp_path / "small", "--layers", 1)
    assert result.code == 0, result.err
    result = command(
        train, ROOT / "configs" / "ner.cfg", tmp_path / "out", "--corpus", sample_corpora / "ner",
        "--lang", "fr", "--settings.encoder", tmp_path / "small", "--settings.max_steps", 2,
        "--settings.dev_limit", 5, "--settings.eval_frequency", 2, "--settings.batch_words", 100,
        "--settings.frozen_layers", 1,
    )  # fmt: skip
    assert result.code == 0, result.out + result.err
    encoder = spacy.load(tmp_path / "out" / "model-best").get_pipe("transformer").model.transformer
    assert encoder.config.n_layers == len(encoder.transformer.layer) == 1
    assert AutoConfig.from_pretrained(tmp_path / "small").n_layers == 1
