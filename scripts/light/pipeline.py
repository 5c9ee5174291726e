"""Replace a pipeline's torch components by those that run through ONNX Runtime."""

from typing import Any

import numpy
from spacy.language import Language
from spacy.util import load_model_from_config, registry, replace_model_node
from spacy_transformers.layers import TransformerListener
from thinc.api import Model

from ..common.errors import UserError
from ..encoders.checkpoint import strip_local_path
from ..serving.pipeline import encoder_name, encoder_of, hf_head
from ..wheel import components
from ..wheel import onnx as onnx_components
from .onnx_model import to_onnx

LISTENER = "spacy-transformers.TransformerListener.v1"
# Layers of a pooling that come after the mean and do something when a text is read.
NORM, DROPOUT = "layernorm", "dropout"


def windows_of(nlp: Language, name: str) -> dict[str, int]:
    """Return the window and stride of a pipeline's transformer, in tokens. Raises UserError."""
    config = nlp.config.interpolate()["components"]["transformer"]["model"]
    if config["@architectures"] != components.TRANSFORMER:
        config = config.get("get_spans", {})
        if config.get("@span_getters") != "spacy-transformers.strided_spans.v1":
            raise UserError(
                f"{name}: its transformer reads other windows than strided ones, which ONNX pipelines "
                "cannot."
            )
    return {key: config[key] for key in ("window", "stride")}


def listener_configs(config: Any) -> list[dict[str, Any]]:
    """Return the parts of a component's config that are listeners."""
    if not isinstance(config, dict):
        return []
    if config.get("@architectures") == LISTENER:
        return [config]
    return [found for value in config.values() for found in listener_configs(value)]


def listeners_of(model: Model) -> list[Model]:
    """Return the nodes of a model that pool the transformer's vectors."""
    return [
        node
        for node in model.walk()
        if node.has_ref("listener") and isinstance(node.get_ref("listener"), TransformerListener)
    ]


def norms_of(listener: Model, name: str) -> list[Model]:
    """Return the layer norms after a listener's mean. Raises UserError for another pooling."""
    pooling = listener.layers[1].layers[0]
    layers = pooling.layers or [pooling]
    norms = [layer for layer in layers[1:] if layer.name != DROPOUT]
    if layers[0].name != "reduce_mean" or any(layer.name != NORM for layer in norms):
        raise UserError(
            f"{name} reads the transformer's vectors through {pooling.name}; ONNX pipelines have "
            "their mean alone, with layer norms."
        )
    return norms


def swap_listener(model: Model, listener: Model, config: dict[str, Any], width: int, name: str):
    """Replace a listener on a transformer by one on `doc.tensor`, in a model and in its config."""
    vectors = {"@architectures": "spacy.Tok2VecListener.v1", "width": width, "upstream": "*"}
    layers = {"vectors": vectors}
    norms = norms_of(listener, name)
    for number, _ in enumerate(norms):
        norm = {"@layers": "LayerNorm.v1", "nI": width}
        layers[f"norm{number}"] = {"@layers": "with_array.v1", "layer": norm}
    config.clear()
    config.update({"@layers": "chain.v1", "*": layers} if norms else vectors)
    new = registry.resolve({"tok2vec": config})["tok2vec"]
    copies = [node for node in new.walk() if node.name == NORM]
    for norm, copy in zip(norms, copies):
        for param in norm.param_names:
            copy.set_param(param, numpy.array(norm.get_param(param)))
    replace_model_node(model, listener, new)


def onnx_head_pipeline(nlp: Language, name: str) -> Language:
    """Return a pipeline with a ready-made head, as `onnx_pipeline` does."""
    head = hf_head(nlp)
    config = nlp.config.copy()
    backend = head.tokenizer.backend_tokenizer.model
    model = to_onnx(head.model, head.tokenizer, name)
    model.settings |= {
        "labels": head.model_labels,
        "multilabel": getattr(head, "multilabel", False),
        "words": bool(getattr(backend, "continuing_subword_prefix", None)),
        "unknown": head.tokenizer.unk_token_id,
    }
    factory = nlp.get_pipe_meta(head.name).factory.replace("hf_", "onnx_", 1)
    config["components"][head.name] = {"factory": factory, "source": strip_local_path(head.source)}
    light = load_model_from_config(config, meta=nlp.meta, vocab=nlp.vocab, auto_fill=True)
    light.get_pipe(head.name).onnx = model
    return light


def onnx_pipeline(nlp: Language, name: str) -> Language:
    """Return a pipeline that predicts as a given one does, through ONNX Runtime and in float32.

    The given one can no longer be used. name: for messages. Raises UserError if that is not possible.
    """
    encoder = encoder_of(nlp)
    if encoder is None:
        raise UserError(
            f"{name}: no Hugging Face encoder among its components, {', '.join(nlp.pipe_names)}; "
            "nothing to do."
        )
    config, source = nlp.config.copy(), strip_local_path(encoder_name(nlp))
    if hf_head(nlp) is not None:
        return onnx_head_pipeline(nlp, name)
    model = to_onnx(encoder, nlp.get_pipe("transformer").model.tokenizer, name)
    heads = [part for part in nlp.pipe_names if listener_configs(nlp.get_pipe_config(part))]
    config["components"]["transformer"] = {
        "factory": onnx_components.ENCODER,
        "source": source,
        **windows_of(nlp, name),
    }
    for head in heads:
        places = listener_configs(config["components"][head])
        nodes = listeners_of(nlp.get_pipe(head).model)
        for node, place in zip(nodes, places, strict=True):
            part = f"{name}: `{head}`"
            swap_listener(nlp.get_pipe(head).model, node, place, encoder.config.hidden_size, part)
    light = load_model_from_config(config, meta=nlp.meta, vocab=nlp.vocab, auto_fill=True)
    for part in light.pipe_names:
        if part != "transformer":
            light.get_pipe(part).from_bytes(nlp.get_pipe(part).to_bytes())
    light.get_pipe("transformer").onnx = model
    return light
