"""Find the layers of an encoder, whatever its family."""

import torch
from transformers import PreTrainedModel


def stacks(encoder: PreTrainedModel) -> dict[str, torch.nn.ModuleList]:
    """Return the module lists, by name, that have one entry per layer; all are in one place.

    `encoder.layer` in BERT, `layers` in ModernBERT. FlauBERT has several parallel ones: `attentions`,
    `ffns` and others. In ALBERT, whose layers share their weights, the list has one entry per group of
    layers. Empty if there is none, or some in several places.
    """
    depth = getattr(encoder.config, "num_hidden_layers", 0)
    length = getattr(encoder.config, "num_hidden_groups", depth)
    found = {
        name: module
        for name, module in encoder.named_modules()
        if isinstance(module, torch.nn.ModuleList)
        and len(module) == length
        and not any(part.isdigit() for part in name.split("."))
    }
    places = {name.rpartition(".")[0] for name in found}
    return found if len(places) == 1 else {}


def share_weights(encoder: PreTrainedModel) -> bool:
    """Return whether several layers of an encoder have the same weights, as ALBERT's."""
    depth = getattr(encoder.config, "num_hidden_layers", 0)
    return getattr(encoder.config, "num_hidden_groups", depth) < depth
