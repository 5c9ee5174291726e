"""Prepare a new pipeline for training: offsets, heads, frozen layers, precision."""

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

import numpy
import torch
from spacy.language import Language
from spacy.pipeline import TextCategorizer, TrainablePipe
from spacy.training import Example
from spacy.util import registry
from thinc.api import Optimizer
from thinc.types import Floats2d
from transformers import AutoConfig, PreTrainedModel
from wasabi import msg

from ..common.errors import UserError
from ..common.precision import check_precision, choose_precision, choose_threads
from ..encoders.checkpoint import max_length
from ..encoders.layers import share_weights, stacks
from ..encoders.tokenizer_fixes import OFFSETS_FIXED, drop_token_type_ids, fix_offsets
from ..wheel.offsets import with_offsets
from .optimizer import EncoderOptimizer

# reference_compile is ModernBERT's torch.compile, which would recompile for each length.
EXTRAS = (
    "output_attentions", "output_hidden_states", "use_mems_train", "use_mems_eval", "reference_compile"
)  # fmt: skip


def layers(encoder: PreTrainedModel) -> list[list[torch.nn.Module]]:
    """Return the modules of the embeddings, then those of each layer from the bottom up.

    For ALBERT, whose layers share their weights, only the embeddings are returned. Raises UserError if
    no stack of layers is found, or stacks in several places.
    """
    found = stacks(encoder)
    if not found:
        raise UserError(
            f"frozen_layers: no known stack of layers in {type(encoder).__name__}; leave it at 0."
        )
    modules = dict(encoder.named_modules())
    names = list(modules)
    first = next(iter(found))
    below = [modules[name] for name in names[: names.index(first)]]
    place = first.rpartition(".")[0]
    # Relative positions and their norm are siblings of the stack that uses them (DeBERTa, MPNet).
    beside = list(modules[place].children()) if place else []
    if any(isinstance(module, torch.nn.Embedding) for module in beside):
        below += [m for m in beside if isinstance(m, (torch.nn.Embedding, torch.nn.LayerNorm))]
    embeddings = [module for module in below if not list(module.children())]
    if share_weights(encoder):
        return [embeddings]
    return [embeddings, *map(list, zip(*found.values()))]


def freeze(encoder: PreTrainedModel, count: int) -> None:
    """Freeze the first `count` layers, and keep them in evaluation mode: dropout in them would only
    cost time. Raises UserError if the encoder has fewer layers."""
    found = layers(encoder)
    if not 0 <= count <= len(found):
        raise UserError(
            f"frozen_layers {count}: {type(encoder).__name__} has {len(found)} with weights "
            "of their own, counting the embeddings as the first."
        )
    for module in chain(*found[:count]):
        module.requires_grad_(False).eval()
        # The shim calls train() on the whole encoder before each update.
        module.train = lambda mode=True, module=module: module


def start_head(textcat: TextCategorizer) -> None:
    """Initialise the classifier's weights from N(0, 0.02), as Hugging Face heads do, instead of to 0.

    From zero, the encoder first gets no gradient, then one that follows the noise of the first
    batches: small encoders learnt less in 300 updates than they do in 100 with this initialisation.
    """
    output = textcat.model.get_ref("output_layer")
    weights = output.get_param("W")
    output.set_param("W", output.ops.asarray(numpy.random.normal(0, 0.02, weights.shape), "f"))


def pass_over_unlabelled(textcat: TextCategorizer) -> None:
    """Let a classifier learn from, and be scored on, only the examples that have labels.

    spaCy takes the missing labels of an exclusive classifier for wrong ones: it would learn that no
    label is right, and any answer would be a false positive. Only the object is changed: a saved
    pipeline has nothing of this.
    """
    get_loss, scorer = textcat.get_loss, textcat.scorer

    def loss_of_labelled(examples: list[Example], scores: Floats2d) -> tuple[float, Floats2d]:
        _, gradient = get_loss(examples, scores)
        labelled = [[bool(example.reference.cats)] for example in examples]
        gradient *= textcat.model.ops.asarray2f(labelled)
        count = sum(map(sum, labelled)) * gradient.shape[1]
        return float((gradient**2).sum() / max(count, 1)), gradient

    def score_labelled(examples: Iterable[Example], **settings: Any) -> dict[str, Any]:
        return scorer([example for example in examples if example.reference.cats], **settings)

    textcat.get_loss = loss_of_labelled
    if scorer is not None:
        textcat.scorer = score_labelled


def set_dropout(encoder: PreTrainedModel, rate: float) -> None:
    """Let all dropout in an encoder have a rate, whatever its config says; the config is kept.

    Attention that torch fuses has no dropout layer, but the rate as a number.
    """
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = rate
        for name, value in vars(module).items():
            # ALBERT's is 0, not 0.0.
            if "dropout" in name and isinstance(value, (int, float)):
                setattr(module, name, rate)


def keep_to_vectors(encoder: PreTrainedModel) -> None:
    """Switch off all outputs but the last hidden states, whatever the checkpoint's config requests:
    attentions, hidden states and memories are unused, and each document would store its share."""
    for name in EXTRAS:
        if hasattr(encoder.config, name):
            setattr(encoder.config, name, False)


def encoder_width(nlp: Language) -> int:
    """Return the width of the vectors of a pipeline's transformer, which need not be loaded yet."""
    model = nlp.get_pipe("transformer").model
    if model.transformer is not None:
        return model.transformer.config.hidden_size
    name = nlp.config.interpolate()["components"]["transformer"]["model"]["name"]
    return AutoConfig.from_pretrained(name).hidden_size


def start_norms(nlp: Language) -> None:
    """Initialise the layer norms in the poolings of listeners, which spacy-transformers does not."""
    norms = [
        node
        for _, component in nlp.pipeline
        if isinstance(component, TrainablePipe)
        for pooled in component.model.walk()
        if pooled.name == "trfs2arrays"
        for node in pooled.walk()
        if node.name == "layernorm" and not node.has_dim("nI")
    ]
    if norms:
        width = encoder_width(nlp)
        for norm in norms:
            norm.set_dim("nI", width)
            norm.initialize()


@registry.callbacks("project.before_init.v1")
def before_init() -> Callable[[Language], None]:
    """Return a callback for [initialize.before_init] that prepares a pipeline to be initialised.

    The optimizer may refer to [settings]: spaCy's training loop resolves such references, but
    `Language.initialize` on its own does not, as in `spacy debug data`.
    """

    def callback(nlp: Language) -> None:
        def create_optimizer() -> Optimizer:
            training = nlp.config.interpolate()["training"]
            return registry.resolve({"optimizer": training["optimizer"]})["optimizer"]

        nlp.create_optimizer = create_optimizer
        start_norms(nlp)

    return callback


@registry.callbacks("project.prepare_training.v1")
def prepare_training(precision: str, frozen_layers: int) -> Callable[[Language], None]:
    """Return a callback for [initialize.after_init] that prepares a pipeline for training.

    precision: of the encoder's forward pass on a CPU, in training and in the evaluations during it:
    "bfloat16", "float32", or "auto" for the faster of the two. On a GPU, use the transformer model's
    `mixed_precision` instead.

    frozen_layers: the number of layers whose weights are frozen, from the bottom up, counting the
    embeddings as the first; no gradient is propagated through them. Raises UserError for a value out
    of range.
    """
    check_precision("settings.precision", precision)

    def callback(nlp: Language) -> None:
        classifiers = [pipe for _, pipe in nlp.pipeline if isinstance(pipe, TextCategorizer)]
        for component in classifiers:
            if not component.support_missing_values:
                pass_over_unlabelled(component)
        if "transformer" not in nlp.pipe_names:
            if frozen_layers:
                raise UserError(f"settings.frozen_layers {frozen_layers}: there is no transformer.")
            return
        model = nlp.get_pipe("transformer").model
        encoder = model.transformer
        # The tokenizer's own limit may be missing or wrong; the pipeline is saved with this one.
        model.tokenizer.model_max_length = max_length(model.tokenizer, encoder)
        drop_token_type_ids(model.tokenizer, encoder)
        with_offsets(model.tokenizer)
        if model.tokenizer.is_fast and fix_offsets(model.tokenizer.backend_tokenizer):
            msg.info(OFFSETS_FIXED)
        for component in classifiers:
            start_head(component)
        keep_to_vectors(encoder)
        if frozen_layers:
            freeze(encoder, frozen_layers)
        set_dropout(encoder, nlp.config.interpolate()["training"]["dropout"])
        choose_threads(encoder)
        chosen = choose_precision(encoder, precision)
        if "precision" in nlp.config.get("settings", {}):
            # The saved config says what was used.
            nlp.config["settings"]["precision"] = chosen
        EncoderOptimizer(model.layers[0].shims[0])

    return callback
