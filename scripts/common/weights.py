"""A pipeline's weights: their number, and a hash that identifies them."""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy
import torch
from spacy.language import Language
from thinc.api import Model
from thinc.util import to_numpy


def nodes(nlp: Language) -> Iterator[tuple[str, Model]]:
    """Yield the nodes of thinc models, each with the name of its component."""
    for name, pipe in nlp.pipeline:
        model = getattr(pipe, "model", None)
        if isinstance(model, Model):
            for node in model.walk():
                yield name, node


def modules(nlp: Language) -> Iterator[tuple[str, torch.nn.Module]]:
    """Yield torch modules, each with the name of its component: thinc wraps them in shims, a
    ready-made head is one."""
    for name, pipe in nlp.pipeline:
        if isinstance(getattr(pipe, "model", None), torch.nn.Module):
            yield name, pipe.model
    for name, node in nodes(nlp):
        for shim in node.shims:
            if isinstance(shim._model, torch.nn.Module):
                yield name, shim._model


def parameters(nlp: Language) -> Iterator[tuple[str, numpy.ndarray]]:
    """Yield thinc's parameters with their names; an uninitialised layer has none."""
    for name, node in nodes(nlp):
        for param in node.param_names:
            if node.has_param(param):
                yield f"{name} {param}", to_numpy(node.get_param(param))


def onnx_models(nlp: Language) -> Iterator[tuple[str, Any]]:
    """Yield ONNX models, each with the name of its component."""
    for name, pipe in nlp.pipeline:
        if hasattr(pipe, "onnx"):
            yield name, pipe.onnx


def count_parameters(nlp: Language) -> int:
    """Return the number of trained weights, without static vectors."""
    return (
        sum(array.size for _, array in parameters(nlp))
        + sum(weights.numel() for _, module in modules(nlp) for weights in module.parameters())
        + sum(model.settings["parameters"] for _, model in onnx_models(nlp))
    )


def tensors(nlp: Language) -> Iterator[tuple[str, numpy.ndarray]]:
    """Yield all of a pipeline's arrays with their names, in a fixed order."""
    yield "vectors", to_numpy(nlp.vocab.vectors.data)
    yield from parameters(nlp)
    for name, module in modules(nlp):
        for key, tensor in sorted(module.state_dict().items()):
            # As bytes: numpy has no bfloat16.
            flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            yield f"{name} {key} {tensor.dtype} {tuple(tensor.shape)}", flat.numpy()
    for name, model in onnx_models(nlp):
        yield f"{name} onnx", numpy.frombuffer(model.model, "uint8")


def weights_hash(nlp: Language) -> str:
    """Return a sha256 of a pipeline's weights and labels, in hexadecimal.

    It is the same for the trained folder and a wheel made from it: paths, names and versions do not
    enter it.
    """
    digest = hashlib.sha256()
    for name, array in tensors(nlp):
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(numpy.ascontiguousarray(array))
    for name, pipe in nlp.pipeline:
        if hasattr(pipe, "model"):
            # A parser's moves are its labels in the order of its weights.
            labels = getattr(pipe, "move_names", None) or getattr(pipe, "labels", ())
            digest.update(f"{name} {list(labels)}\n".encode())
    return digest.hexdigest()
