"""What is done to a new pipeline before its training: offsets, head, frozen layers, precision."""

from collections.abc import Callable

import numpy
import torch
from spacy.language import Language
from spacy.pipeline import TextCategorizer
from spacy.util import registry
from transformers import PreTrainedModel
from wasabi import msg

from ..encoders.checkpoint import longest
from ..encoders.hardware import processor_has_bfloat16
from ..encoders.tokenizer import mend_offsets
from ..errors import UserError

PRECISIONS = ("float32", "bfloat16")


def layers(encoder: PreTrainedModel) -> list[torch.nn.Module]:
    """Return the embeddings and the layers of an encoder, from the bottom up.

    BERT and CamemBERT name their stack `encoder.layer`, DistilBERT `transformer.layer`.
    """
    stack = getattr(encoder, "encoder", None) or getattr(encoder, "transformer", None)
    if stack is None:
        raise UserError(f"{type(encoder).__name__}: frozen_layers knows no stack of layers in it.")
    return [encoder.embeddings, *stack.layer]


def freeze(layer: torch.nn.Module) -> None:
    """Keep a layer's weights, and keep it in evaluation mode: dropout in it costs time only."""
    layer.requires_grad_(False).eval()
    # The shim calls train() on the whole encoder before each update.
    layer.train = lambda mode=True: layer


def start_head(textcat: TextCategorizer) -> None:
    """Start the classifier's weights at N(0, 0.02), as Hugging Face heads do, instead of at 0.

    From zero the encoder gets no gradient at first, and then one along the noise of the first
    batches: small encoders did not learn in 300 updates what they learn in 100 from here.
    """
    output = textcat.model.get_ref("output_layer")
    weights = output.get_param("W")
    output.set_param("W", output.ops.asarray(numpy.random.normal(0, 0.02, weights.shape), "f"))


def run_in_bfloat16(encoder: PreTrainedModel) -> None:
    """Run the encoder's forward pass under autocast from now on; it still returns float32.

    Weights, gradients and what is saved stay float32.
    """
    forward = encoder.forward

    def forward_in_bfloat16(*args, **kwargs):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = forward(*args, **kwargs)
        for name, tensor in output.items():
            output[name] = tensor.float()
        return output

    encoder.forward = forward_in_bfloat16


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
        # It was opened where this machine has it; what is saved tells what it is.
        nlp.get_pipe_config("transformer")["model"]["name"] = "${settings.encoder}"
        model = nlp.get_pipe("transformer").model
        encoder = model.transformer
        # Its own word for it may be missing or wrong; the pipeline is saved with this one.
        model.tokenizer.model_max_length = longest(model.tokenizer, encoder)
        if model.tokenizer.is_fast and mend_offsets(model.tokenizer.backend_tokenizer):
            msg.info(
                "the tokenizer's offsets included spaces: WhitespaceSplit put before Metaspace"
            )
        for _, component in nlp.pipeline:
            if isinstance(component, TextCategorizer):
                start_head(component)
        if frozen_layers:
            for layer in layers(encoder)[:frozen_layers]:
                freeze(layer)
        if precision == "bfloat16" and encoder.device.type == "cpu" and processor_has_bfloat16():
            run_in_bfloat16(encoder)

    return callback
