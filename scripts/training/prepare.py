"""What is done to a new pipeline before its training: offsets, head, frozen layers, precision."""

from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy
import torch
from spacy.language import Language
from spacy.pipeline import TextCategorizer
from spacy.util import registry
from thinc.api import Optimizer
from transformers import PreTrainedModel
from wasabi import msg

from ..common.devices import processor_has_bfloat16
from ..common.errors import UserError
from ..encoders.checkpoint import max_length
from ..encoders.tokenizer_fixes import OFFSETS_FIXED, drop_token_type_ids, fix_offsets
from ..wheel.components import with_offsets

PRECISIONS = ("float32", "bfloat16")
# Of ModernBERT it is torch.compile that is switched off: it would compile for each length anew.
EXTRAS = (
    "output_attentions", "output_hidden_states", "use_mems_train", "use_mems_eval", "reference_compile"
)  # fmt: skip


def layers(encoder: PreTrainedModel) -> list[list[torch.nn.Module]]:
    """Return the modules of the embeddings, and of each layer above them, from the bottom up.

    A stack is a list as long as there are layers: `encoder.layer` in BERT, `layers` in ModernBERT;
    FlauBERT has several, `attentions`, `ffns` and others, which it goes through side by side. Of
    ALBERT, whose layers share their weights, only the embeddings are returned. Raises UserError
    where there is no such stack, or more than one.
    """
    depth = getattr(encoder.config, "num_hidden_layers", 0)
    length = getattr(encoder.config, "num_hidden_groups", depth)
    modules = dict(encoder.named_modules())
    stacks = [
        name
        for name, module in modules.items()
        if isinstance(module, torch.nn.ModuleList)
        and len(module) == length
        and not any(part.isdigit() for part in name.split("."))
    ]
    places = {name.rpartition(".")[0] for name in stacks}
    if len(places) != 1:
        raise UserError(
            f"settings.frozen_layers: no stack of layers that is known here in "
            f"{type(encoder).__name__}; leave it at 0."
        )
    names = list(modules)
    below = [modules[name] for name in names[: names.index(stacks[0])]]
    (place,) = places
    # Relative positions, and their norm, stand beside the stack that uses them (DeBERTa, MPNet).
    beside = list(modules[place].children()) if place else []
    if any(isinstance(module, torch.nn.Embedding) for module in beside):
        below += [m for m in beside if isinstance(m, (torch.nn.Embedding, torch.nn.LayerNorm))]
    embeddings = [module for module in below if not list(module.children())]
    if length < depth:
        return [embeddings]
    return [embeddings, *map(list, zip(*(modules[name] for name in stacks)))]


def freeze(encoder: PreTrainedModel, count: int) -> None:
    """Keep the weights of the first layers, and keep these in evaluation mode: dropout in them costs
    time only. Raises UserError where there are fewer."""
    found = layers(encoder)
    if not 0 <= count <= len(found):
        raise UserError(
            f"settings.frozen_layers {count}: {type(encoder).__name__} has {len(found)} with weights "
            "of their own, the embeddings being the first."
        )
    for module in chain(*found[:count]):
        module.requires_grad_(False).eval()
        # The shim calls train() on the whole encoder before each update.
        module.train = lambda mode=True, module=module: module


def start_head(textcat: TextCategorizer) -> None:
    """Start the classifier's weights at N(0, 0.02), as Hugging Face heads do, instead of at 0.

    From zero the encoder gets no gradient at first, and then one along the noise of the first
    batches: small encoders did not learn in 300 updates what they learn in 100 from here.
    """
    output = textcat.model.get_ref("output_layer")
    weights = output.get_param("W")
    output.set_param("W", output.ops.asarray(numpy.random.normal(0, 0.02, weights.shape), "f"))


def in_float32(output: Any) -> Any:
    """Return what an encoder returns, with the tensors in it, however deep, in float32."""
    if isinstance(output, torch.Tensor):
        return output.float() if output.is_floating_point() else output
    if isinstance(output, (tuple, list)):
        return type(output)(in_float32(part) for part in output)
    if isinstance(output, dict):
        for name, part in output.items():
            output[name] = in_float32(part)
    return output


def run_in_bfloat16(encoder: PreTrainedModel) -> None:
    """Run the encoder's forward pass under autocast from now on; it still returns float32.

    Weights, gradients and what is saved stay float32.
    """
    forward = encoder.forward

    def forward_in_bfloat16(*args, **kwargs):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return in_float32(forward(*args, **kwargs))

    encoder.forward = forward_in_bfloat16


def keep_to_vectors(encoder: PreTrainedModel) -> None:
    """Switch off what a checkpoint's own config may ask for beside the last hidden states: nothing
    reads attentions, hidden states and memories here, and each document would keep its share."""
    for name in EXTRAS:
        if hasattr(encoder.config, name):
            setattr(encoder.config, name, False)


@registry.callbacks("project.resolve_optimizer.v1")
def resolve_optimizer() -> Callable[[Language], None]:
    """Return a callback for [initialize.before_init] that lets the optimizer refer to [settings].

    spaCy's training loop resolves such references. `Language.initialize` on its own does not, as in
    `spacy debug data`.
    """

    def callback(nlp: Language) -> None:
        def create_optimizer() -> Optimizer:
            training = nlp.config.interpolate()["training"]
            return registry.resolve({"optimizer": training["optimizer"]})["optimizer"]

        nlp.create_optimizer = create_optimizer

    return callback


@registry.callbacks("project.prepare_training.v1")
def prepare_training(precision: str, frozen_layers: int) -> Callable[[Language], None]:
    """Return a callback for [initialize.after_init] that prepares a pipeline for its training.

    precision: "bfloat16" for a forward pass in bfloat16 (training, and the evaluations during it)
    on a processor that has it. On a GPU use `mixed_precision` of the transformer's model instead.

    frozen_layers: how many layers keep their weights, the embeddings counted as the first and the
    layers of the encoder from the bottom up after them; nothing is propagated back through them.
    """
    if precision not in PRECISIONS:
        raise UserError(f"settings.precision {precision!r}: expected one of {PRECISIONS}.")

    def callback(nlp: Language) -> None:
        if "transformer" not in nlp.pipe_names:
            if frozen_layers:
                raise UserError(f"settings.frozen_layers {frozen_layers}: there is no transformer.")
            return
        model = nlp.get_pipe("transformer").model
        encoder = model.transformer
        # Its own word for it may be missing or wrong; the pipeline is saved with this one.
        model.tokenizer.model_max_length = max_length(model.tokenizer, encoder)
        drop_token_type_ids(model.tokenizer, encoder)
        with_offsets(model.tokenizer)
        if model.tokenizer.is_fast and fix_offsets(model.tokenizer.backend_tokenizer):
            msg.info(OFFSETS_FIXED)
        for _, component in nlp.pipeline:
            if isinstance(component, TextCategorizer):
                start_head(component)
        keep_to_vectors(encoder)
        if frozen_layers:
            freeze(encoder, frozen_layers)
        if precision == "bfloat16" and encoder.device.type == "cpu" and processor_has_bfloat16():
            run_in_bfloat16(encoder)

    return callback
