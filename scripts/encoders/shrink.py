"""Shrink an encoder to fewer layers: `python -m scripts shrink ENCODER OUTPUT --layers 4`.

Most of a pipeline's time is spent in the encoder's layers, each of which takes as long as the next.
Those that are kept are the encoder's own, weight by weight; without the others between them, they have
to be trained before they are of use, and learn most from much text: a teacher's annotation will do.

The layers are spaced evenly from the first to the last, as those that DistilBERT started from: of 12,
the layers 0, 2, 4, 7, 9 and 11 (Sanh et al. 2019; `extract_distilbert.py` in transformers' research
projects). transformers has no function for it.
"""

from collections.abc import Sequence
from copy import deepcopy
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from transformers import PretrainedConfig, PreTrainedModel
from wasabi import msg

from ..common.errors import UserError
from ..common.files import check_folder
from .checkpoint import auto_class_of, open_checkpoint, save_checkpoint, strip_local_path
from .derived import append_to_card, print_savings, sizes
from .layers import share_weights, stacks
from .snapshot import snapshot

# Fields of a config that have a value for each layer in some families: Longformer's, and many's.
PER_LAYER = ("attention_window", "layer_types")
# The number of its layer, which a module may know.
NUMBERS = ("layer_id", "layer_idx", "layer_number")
# What a kind of layer consists of.
PLAIN = (bool, int, float, str, tuple, type(None))

CARD = """---
base_model: {encoder}
---
{encoder}{commit} with {count} of its {depth} layers: {kept}, counted from 0. It has {parameters:,}
parameters, all of the original encoder; train it before use. The licence is that of the original encoder.
"""


def kind(modules: Sequence[torch.nn.Module]) -> list[Any]:
    """Return what tells a layer from those of other kinds: classes, settings, shapes of weights.

    modules: the layer's. ModernBERT's attend to the whole text or to its surroundings.
    """
    return [
        (
            type(module),
            {
                name: value
                for name, value in vars(module).items()
                if isinstance(value, PLAIN) and name not in (*NUMBERS, "training")
            },
            {name: tensor.shape for name, tensor in module.named_parameters(recurse=False)},
        )
        for module in chain.from_iterable(top.modules() for top in modules)
    ]


def kinds(encoder: PreTrainedModel) -> list[list[Any]]:
    """Return the kind of each layer of an encoder, from the bottom up."""
    return [kind(modules) for modules in zip(*stacks(encoder).values())]


def evenly(depth: int, count: int) -> list[int]:
    """Return the indices of `count` of `depth` layers: the first, the last, and those between them at
    equal distances; of one, the first."""
    return [round(index * (depth - 1) / max(count - 1, 1)) for index in range(count)]


def with_layers(config: PretrainedConfig, kept: Sequence[int]) -> PretrainedConfig:
    """Return the config of an encoder that has only the layers in `kept`."""
    depth = config.num_hidden_layers
    cut = deepcopy(config)
    cut.num_hidden_layers = len(kept)
    for name in PER_LAYER:
        values = getattr(config, name, None)
        if isinstance(values, list | tuple) and len(values) == depth:
            setattr(cut, name, [values[index] for index in kept])
    return cut


def choose_layers(encoder: PreTrainedModel, count: int) -> list[int]:
    """Return the layers to keep, in order: evenly spaced ones, or those nearest to them of the right kinds.

    A layer's kind can depend on its place, as every third of ModernBERT's attends to the whole text:
    the layer that gets this place must do so already. Raises UserError if too few do.
    """
    depth = encoder.config.num_hidden_layers
    ideal = evenly(depth, count)
    with torch.device("meta"):
        places = kinds(type(encoder)(with_layers(encoder.config, ideal)))
    own = kinds(encoder)
    # The last layer of a choice -> the best choice that ends there: its distance from the ideal, layers.
    choices: dict[int, tuple[int, list[int]]] = {-1: (0, [])}
    for place, index in enumerate(ideal):
        choices = {
            layer: min(
                (distance + abs(layer - index), [*kept, layer])
                for last, (distance, kept) in choices.items()
                if last < layer
            )
            for layer in range(min(choices, default=depth) + 1, depth)
            if own[layer] == places[place]
        }
    if not choices:
        raise UserError(
            f"--layers {count}: {type(encoder).__name__} has not enough layers of the kinds that {count} "
            "consist of; choose another number."
        )
    return min(choices.values())[1]


def keep_layers(model: PreTrainedModel, kept: Sequence[int]) -> None:
    """Remove all layers of a model but some, in place; its config says so, and it can be saved."""
    encoder = model.base_model
    config = with_layers(model.config, kept)
    for name, stack in stacks(encoder).items():
        place, _, attribute = name.rpartition(".")
        layers = torch.nn.ModuleList(stack[index] for index in kept)
        setattr(encoder.get_submodule(place), attribute, layers)
    model.config = encoder.config = config


def shrink(encoder: str, output: Path, layers: int, revision: str = "", half: bool = False) -> None:
    """Shrink an encoder to some of its layers, evenly spaced; print which, and what this saves.

    half: write the weights in float16. Raises UserError for an encoder without layers of its own, or
    with too few, and if `output` exists.
    """
    check_folder(output)
    if output.is_dir() and any(output.iterdir()):
        raise UserError(f"{output}: already exists; give another folder, or delete it.")
    _, commit = snapshot(encoder, revision, weights=False)
    tokenizer, model = open_checkpoint(encoder, auto_class_of(encoder, commit), revision=commit)
    family = type(model.base_model).__name__
    if share_weights(model.base_model):
        raise UserError(
            f"{encoder}: the layers of {family} share their weights, so that fewer layers are not "
            "smaller; choose another encoder."
        )
    if not stacks(model.base_model):
        raise UserError(f"{encoder}: no known stack of layers in {family}; choose another encoder.")
    depth = model.config.num_hidden_layers
    if not 1 <= layers < depth:
        raise UserError(
            f"--layers {layers}: {encoder} has {depth}; give a number from 1 to {depth - 1}."
        )
    kept = choose_layers(model.base_model, layers)
    before = {"layers": depth, **sizes(model)}
    keep_layers(model, kept)
    after = {"layers": layers, **sizes(model)}
    numbers = ", ".join(map(str, kept))
    card = CARD.format(
        encoder=strip_local_path(encoder), commit=f" (commit {commit})" if commit else "",
        count=layers, depth=depth, kept=numbers, parameters=after["parameters"],
    )  # fmt: skip
    save_checkpoint(model, tokenizer, append_to_card(encoder, card), output, half)
    print_savings(before, after, encoder, output)
    msg.good(f"{output}: layers {numbers} of 0 to {depth - 1}, {after['parameters']:,} parameters")
