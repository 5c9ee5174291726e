"""Write a torch model of transformers as an ONNX model with its tokenizer."""

import inspect
import io
import logging
import warnings
from contextlib import redirect_stdout
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..common.errors import UserError
from ..wheel.session import INPUTS, OnnxModel

# Pieces in a batch, padding included: as many as stay in a CPU's caches.
BATCH_PIECES = 1024
# Bytes of weights in one file: protobuf's limit of 2 GiB, less the graph.
LARGEST = 2**31 - 2**24
# Two rows, one of them padded, of a length that no layer has: nothing of them must become fixed.
ROWS, PIECES = 2, 11


class FirstOutput(torch.nn.Module):
    """A model that returns one tensor: the last hidden state, or the logits of a head."""

    def __init__(self, model: PreTrainedModel, inputs: list[str]) -> None:
        super().__init__()
        self.model, self.inputs = model, inputs

    def forward(self, *values: torch.Tensor) -> torch.Tensor:
        return self.model(**dict(zip(self.inputs, values)), return_dict=True)[0]


def input_names(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Return the names of what spaCy gives the model: those that its tokenizer makes."""
    accepted = inspect.signature(model.forward).parameters
    return [name for name in INPUTS if name in tokenizer.model_input_names and name in accepted]


def to_onnx(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str) -> OnnxModel:
    """Return a model, in float32, for ONNX Runtime. name: for messages.

    Its output is the last hidden state, or the logits of its head. Raises UserError for a tokenizer
    without tokenizer.json and for a model that torch cannot export.
    """
    if not tokenizer.is_fast:
        raise UserError(
            f"{name}: its tokenizer, {type(tokenizer).__name__}, has no tokenizer.json, which ONNX "
            "pipelines need; choose an encoder with a fast tokenizer."
        )
    if model.num_parameters() * 4 > LARGEST:
        raise UserError(
            f"{name}: {model.num_parameters():,} parameters are too many for one ONNX file, which can have "
            "2 GB; choose a smaller encoder."
        )
    names = input_names(model, tokenizer)
    pad = {
        "input_ids": tokenizer.pad_token_id or 0,
        "attention_mask": 0,
        "token_type_ids": tokenizer.pad_token_type_id,
    }
    settings: dict[str, Any] = {
        "precision": "float32",
        "parameters": model.num_parameters(),
        "max_length": tokenizer.model_max_length,
        "inputs": names,
        "pad": {name: pad[name] for name in names},
        "pad_left": tokenizer.padding_side == "left",
        "batch_pieces": BATCH_PIECES,
        "width": model.config.hidden_size,
    }
    backend = type(tokenizer.backend_tokenizer).from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_padding()
    backend.no_truncation()
    content = export(model, names, name)
    return OnnxModel(content, backend.to_str(), settings)


def export(model: PreTrainedModel, names: list[str], name: str) -> bytes:
    """Return a model in ONNX's format; rows and pieces can be any number. Raises UserError."""
    device, training = model.device, model.training
    ids = torch.arange(ROWS * PIECES).reshape(ROWS, PIECES) % model.config.vocab_size
    mask = torch.ones_like(ids)
    mask[-1, PIECES // 2 :] = 0
    example = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
    any_size = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    module = FirstOutput(model, names).eval().cpu()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module, tuple(example[name] for name in names), dynamo=True, verbose=False,
                input_names=names, output_names=["output"],
                dynamic_shapes={"values": tuple(any_size for _ in names)},
            )  # fmt: skip
    except (torch.onnx.OnnxExporterError, RuntimeError) as error:
        raise UserError(
            f"{name}: torch cannot export {type(model).__name__} to ONNX; choose another encoder."
        ) from error
    finally:
        model.to(device).train(training)
    return program.model_proto.SerializeToString()
