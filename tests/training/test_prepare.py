"""Encoders of any family prepared for training: frozen layers, precision, outputs."""

import pytest
import spacy
import torch
from transformers import AutoModel

from scripts import train
from scripts.common.errors import UserError
from scripts.common.precision import in_float32
from scripts.training.prepare import freeze, layers, prepare_training, set_dropout

from ..conftest import ROOT
from ..families import SHAPES, new_encoder, write_encoder

STACKED = sorted(set(SHAPES) - {"albert", "funnel"})
# Modules above the layers, and those that the forward pass of these trainings does not use.
ABOVE = ("pooler", "final_norm", "mask_emb", "encoder.LayerNorm")


def parts(encoder) -> list[set[str]]:
    """The names of the parameters of each layer."""
    names = {parameter: name for name, parameter in encoder.named_parameters()}
    return [
        {names[parameter] for module in layer for parameter in module.parameters()}
        for layer in layers(encoder)
    ]


@pytest.mark.parametrize("kind", STACKED)
def test_each_parameter_belongs_to_one_layer(kind):
    encoder = new_encoder(kind)
    embeddings, *found = parts(encoder)
    assert len(found) == 2
    for index, layer in enumerate(found):
        assert layer and all(f".{index}." in name for name in layer)
    assert not any(".0." in name or ".1." in name for name in embeddings)
    rest = {name for name, _ in encoder.named_parameters()} - embeddings.union(*found)
    beside = "encoder.LayerNorm" if kind == "deberta-v2" else ()
    assert all(name.startswith(ABOVE) and not name.startswith(beside or "-") for name in rest)


@pytest.mark.parametrize("kind", STACKED)
def test_frozen_layers_get_no_gradient_and_the_others_do(kind):
    encoder = new_encoder(kind)
    freeze(encoder, 2)
    encoder.train()
    pieces = torch.arange(4, 16).reshape(2, 6)
    output = encoder(input_ids=pieces, attention_mask=torch.ones_like(pieces))
    output.last_hidden_state.sum().backward()
    embeddings, first, second = parts(encoder)
    for name, parameter in encoder.named_parameters():
        if name in embeddings | first:
            assert parameter.grad is None
        elif name in second and "r_s_bias" not in name and "seg_embed" not in name:
            assert parameter.grad is not None, name
    assert not any(module.training for layer in layers(encoder)[:2] for module in layer)
    assert all(module.training for module in layers(encoder)[2])


@pytest.mark.parametrize(
    "kind, count, message",
    [
        ("albert", 2, "frozen_layers 2: AlbertModel has 1 with weights of their own"),
        ("bert", 4, "frozen_layers 4: BertModel has 3"),
        ("bert", -1, "frozen_layers -1: BertModel has 3"),
        ("funnel", 1, "no known stack of layers in FunnelModel; leave it at 0"),
    ],
)
def test_invalid_numbers_of_frozen_layers_are_refused(kind, count, message):
    with pytest.raises(UserError, match=message):
        freeze(new_encoder(kind), count)


def test_of_albert_only_the_embeddings_can_be_frozen():
    encoder = new_encoder("albert")
    freeze(encoder, 1)
    frozen = {name for name, parameter in encoder.named_parameters() if not parameter.requires_grad}
    assert frozen == {
        name
        for name, _ in encoder.named_parameters()
        if name.startswith(("embeddings.", "encoder.embedding_hidden_mapping_in"))
    }


def test_too_many_frozen_layers_are_refused_before_training_starts(
    command, distilbert, sample_corpora, tmp_path
):
    folder = write_encoder("albert", distilbert, tmp_path / "albert")
    result = command(
        train, ROOT / "configs" / "ner.cfg", tmp_path / "out", "--corpus", sample_corpora / "ner",
        "--lang", "fr", "--settings.encoder", folder, "--settings.frozen_layers", 3,
    )  # fmt: skip
    assert result.code == 1 and "AlbertModel has 1 with weights" in result.line
    assert "Traceback" not in result.out + result.err and not (tmp_path / "out").exists()


def outputs(encoder) -> list[torch.Tensor]:
    """Two readings of the same pieces, in training."""
    encoder.train()
    pieces = torch.arange(4, 16).reshape(2, 6)
    mask = torch.ones_like(pieces)
    return [encoder(input_ids=pieces, attention_mask=mask).last_hidden_state for _ in range(2)]


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_the_rate_of_dropout_replaces_the_encoders(kind):
    encoder = new_encoder(kind)
    config = encoder.config.to_dict()
    set_dropout(encoder, 0.0)
    assert torch.equal(*outputs(encoder))
    set_dropout(encoder, 0.5)
    assert not torch.allclose(*outputs(encoder))
    # Attention that torch fuses has a number instead of a layer.
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    if kind in ("albert", "bert", "distilbert", "modernbert", "roberta", "xlm"):
        assert not torch.allclose(*outputs(encoder))
    assert encoder.config.to_dict() == config


def test_nested_outputs_are_converted_to_float32():
    half, numbers = torch.ones(2, dtype=torch.bfloat16), torch.ones(2, dtype=torch.int64)
    found = in_float32({"a": half, "b": (half, (half, None)), "c": [numbers]})
    assert found["a"].dtype == found["b"][0].dtype == found["b"][1][0].dtype == torch.float32
    assert found["b"][1][1] is None and found["c"][0].dtype == torch.int64


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", ["bert", "modernbert", "xlnet", "deberta-v2"])
def test_training_saving_and_loading(
    command, distilbert, sample_corpora, tmp_path, kind, precision
):
    """With encoders whose config requests attentions, hidden states or memories."""
    asked = {"output_attentions": True, "output_hidden_states": True}
    asked |= {"mem_len": 8, "use_mems_train": True} if kind == "xlnet" else {}
    asked |= {"attn_implementation": "eager"} if kind == "modernbert" else {}
    folder = write_encoder(kind, distilbert, tmp_path / kind, **asked)
    assert AutoModel.from_pretrained(folder).config.output_attentions
    result = command(
        train, ROOT / "configs" / "ner.cfg", tmp_path / "out", "--corpus", sample_corpora / "ner",
        "--lang", "fr", "--settings.encoder", folder, "--settings.max_steps", 2,
        "--settings.dev_limit", 5, "--settings.eval_frequency", 2, "--settings.batch_words", 100,
        "--settings.precision", precision, "--settings.frozen_layers", 1,
    )  # fmt: skip
    assert result.code == 0, result.out + result.err
    nlp = spacy.load(tmp_path / "out" / "model-best")
    encoder = nlp.get_pipe("transformer").model.transformer
    names = ("output_attentions", "output_hidden_states", "use_mems_train", "use_mems_eval")
    assert not any(getattr(encoder.config, name, False) for name in names)
    data = nlp("Marie Curie vit à Paris.")._.trf_data
    assert "last_hidden_state" in data.model_output
    assert not {"attentions", "hidden_states", "mems"} & set(data.model_output)
    # Not compiled: on a CPU, transformers does not either.
    assert getattr(encoder.config, "reference_compile", False) is False


def test_vectors_in_a_pipeline_equal_those_of_the_encoder(distilbert, tmp_path):
    """For ModernBERT, compared with what transformers computes."""
    folder = write_encoder("modernbert", distilbert, tmp_path / "modernbert")
    nlp = spacy.blank("fr")
    nlp.add_pipe("transformer", config={"model": {"name": str(folder)}})
    nlp.initialize()
    prepare_training("float32", 0)(nlp)
    data = nlp("Marie Curie vit à Paris.")._.trf_data
    model = AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        output = model(torch.tensor(data.wordpieces.input_ids))
    found = torch.tensor(data.model_output.last_hidden_state)
    assert torch.allclose(found, output.last_hidden_state, atol=1e-5)
