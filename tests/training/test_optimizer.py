"""The encoder's AdamW against torch's own, used by hand."""

import copy

import pytest
import torch
from thinc.api import Adam, PyTorchWrapper, RAdam

from scripts.training.optimizer import EncoderOptimizer, undecayed

from ..families import SHAPES, new_encoder

SETTINGS = {"L2": 0.1, "grad_clip": 1.0, "beta1": 0.8, "beta2": 0.95, "eps": 1e-6, "use_averages": False}  # fmt: skip


@pytest.fixture
def layers():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.LayerNorm(4), torch.nn.Linear(4, 1))


def test_biases_and_norms_do_not_decay(layers):
    assert undecayed(layers) == {"0.bias", "1.weight", "1.bias", "2.bias"}


@pytest.mark.parametrize("kind", sorted(set(SHAPES) - {"funnel"}))
def test_embeddings_and_matrices_decay(kind):
    encoder = new_encoder(kind)
    kept = undecayed(encoder)
    for name, parameter in encoder.named_parameters():
        if name in kept:
            assert parameter.dim() == 1 or "bias" in name, name
        else:
            assert parameter.dim() > 1, name


def test_it_updates_as_torch_does_with_the_schedule_of_the_config(layers):
    """Rates change from update to update; gradients are clipped by their common norm."""
    expected = copy.deepcopy(layers)
    model = PyTorchWrapper(layers)
    EncoderOptimizer(model.shims[0])
    rates = [0.1, 0.02, 0.3]
    optimizer = Adam(iter(rates), **SETTINGS)
    decayed = [expected[0].weight, expected[2].weight]
    others = [expected[0].bias, *expected[1].parameters(), expected[2].bias]
    adam = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
        betas=(0.8, 0.95), eps=1e-6,
    )  # fmt: skip
    for rate in rates:
        X = torch.randn(3, 4)
        for net in (layers, expected):
            (100 * net(X)).sum().backward()
        torch.nn.utils.clip_grad_norm_(expected.parameters(), 1.0)
        for group in adam.param_groups:
            group["lr"] = rate
        adam.step()
        adam.zero_grad()
        model.finish_update(optimizer)
        optimizer.step_schedules()
        for found, wanted in zip(layers.parameters(), expected.parameters()):
            assert torch.allclose(found, wanted, atol=1e-6)
            assert found.grad is None


@pytest.mark.parametrize(
    "create, change",
    [
        (Adam, {"use_averages": True}), (Adam, {"L2_is_weight_decay": False}), (RAdam, {}),
        (Adam, {"beta1": 0.0, "beta2": 0.0}),
    ],
)  # fmt: skip
def test_another_optimizer_updates_the_weights_itself(layers, create, change):
    expected = copy.deepcopy(layers)
    models = [PyTorchWrapper(layers), PyTorchWrapper(expected)]
    EncoderOptimizer(models[0].shims[0])
    X = torch.randn(3, 4)
    for net, model in zip((layers, expected), models):
        net(X).sum().backward()
        model.finish_update(create(0.1, **{**SETTINGS, **change}))
    for found, wanted in zip(layers.parameters(), expected.parameters()):
        assert torch.equal(found, wanted)


def test_frozen_weights_stay(layers):
    layers[0].requires_grad_(False)
    before = layers[0].weight.clone()
    model = PyTorchWrapper(layers)
    EncoderOptimizer(model.shims[0])
    layers(torch.randn(3, 4)).sum().backward()
    model.finish_update(Adam(0.1, **SETTINGS))
    assert torch.equal(layers[0].weight, before)
