"""Opening a checkpoint, a folder or a name on the hub, with one clear line where it cannot be."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    logging,
)

from ..common.downloads import Unavailable, reason_of
from ..common.errors import AMBIGUOUS, BareExceptions, UserError, first_line, sift
from ..common.files import written_beside
from .snapshot import snapshot, unusable
from .tokenizer_fixes import leave_types_out

# What calls of transformers raise for files that are missing, damaged or of another kind …
READING = (OSError, ValueError, Unavailable)
# … and for weights that are, or that do not fit the sizes of the config.
WEIGHTS = (RuntimeError, ArithmeticError, SafetensorError, UnpicklingError)
# Names of numbers that say which piece or layer, and may be 0.
PLACES = ("_id", "_index")
# Endings of classes with a head -> what opens them.
HEADS = {
    "ForMaskedLM": AutoModelForMaskedLM,
    "ForPreTraining": AutoModelForMaskedLM,
    "ForTokenClassification": AutoModelForTokenClassification,
    "ForSequenceClassification": AutoModelForSequenceClassification,
    "ForQuestionAnswering": AutoModelForQuestionAnswering,
    "Model": AutoModel,
}


@contextmanager
def opening(name: str, *kinds: type[Exception]) -> Iterator[None]:
    """Turn what a call of transformers raises for the files of a checkpoint into one UserError.

    kinds: what it raises beside what reading a file does. Where a package is missing, the UserError
    names it. A fault of ours is let through.
    """
    # Its warnings say in ten lines what is said here in one.
    logging.set_verbosity_error()
    try:
        with BareExceptions():
            yield
    except (*READING, *kinds) as error:
        sift(f"encoder {name}", error)
        raise unusable(name, reason_of(error)) from error


def wrong_values(config: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield name and value of what cannot be in a config.json, and an example of what can."""
    kind, dtype = config.get("model_type", ""), config.get("torch_dtype")
    if not isinstance(kind, str):
        yield "model_type", kind, "bert"
    if dtype is not None and not isinstance(getattr(torch, str(dtype), None), torch.dtype):
        yield "torch_dtype", dtype, "float32"
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        # transformers says itself what it does not know.
        return
    for name, parameter in signature(CONFIG_MAPPING[kind].__init__).parameters.items():
        default, value = parameter.default, config.get(name)
        if type(default) not in (int, float) or name.endswith(PLACES) or value is None:
            continue
        # Some families have one for each layer. A size that is 2 or more elsewhere is no 0.
        listed = value if isinstance(value, list) and value else [value]
        if not all(type(n) in {int, type(default)} and not n < 1 < default for n in listed):
            yield name, value, default


def check_config(name: str, folder: Path) -> None:
    """Raise UserError for an encoder's folder without config.json, or where that says what cannot be."""
    path = folder / "config.json"
    if not path.is_file():
        raise UserError(
            f"encoder {name}: no config.json in it; name a Hugging Face checkpoint folder."
        )
    try:
        config = json.loads(path.read_text(encoding="utf8"))
    except ValueError as error:
        raise UserError(f"encoder {name}: config.json is no JSON ({first_line(error)}).") from error
    if not isinstance(config, dict):
        raise UserError(f"encoder {name}: config.json: {config!r:.40}, where {{…}} is expected.")
    for field, value, example in wrong_values(config):
        raise UserError(
            f"encoder {name}: config.json: {field} is {value!r:.40}, where something like {example} "
            "is expected."
        )


def folder_of(name: str, revision: str | None, weights: bool = True) -> Path:
    """Return the folder of a checkpoint, whose config.json is sound. Raises UserError."""
    folder, _ = snapshot(name, revision, weights)
    check_config(name, folder)
    return folder


def open_config(name: str, revision: str | None = None) -> PretrainedConfig:
    """Return the configuration of a checkpoint. Raises UserError."""
    folder = folder_of(name, revision, weights=False)
    with opening(name):
        return AutoConfig.from_pretrained(folder, trust_remote_code=False)


def open_tokenizer(name: str, revision: str | None = None) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a checkpoint. Raises UserError."""
    folder, _ = snapshot(name, revision, weights=False)
    # A tokenizer that was trained on its own has none.
    if (folder / "config.json").is_file():
        check_config(name, folder)
    with opening(name, *AMBIGUOUS):
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)


def open_checkpoint(
    name: str,
    kind: type = AutoModel,
    head_may_lack: bool = False,
    revision: str | None = None,
    **settings,
) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Return the tokenizer and the model of a checkpoint, in evaluation mode.

    `kind` is the auto class of the model with its head, `revision` a branch, tag or commit of the
    hub (default: main), `settings` are those of from_pretrained. A head that is not in the checkpoint
    is an error, unless it may lack: then it is new, and to be trained. Code inside a checkpoint is
    never run. Raises UserError.
    """
    folder = folder_of(name, revision)
    with opening(name, *AMBIGUOUS):
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    with opening(name, *AMBIGUOUS, *WEIGHTS):
        model, info = kind.from_pretrained(
            folder, trust_remote_code=False, output_loading_info=True, **settings
        )
    leave_types_out(tokenizer, model)
    # transformers fills what is missing with random numbers: a pooler, which nobody here uses,
    # goes, anything else is an error.
    missing = [key for key in info["missing_keys"] if "pooler" not in key]
    if len(missing) < len(info["missing_keys"]):
        model.base_model.pooler = None
    if head_may_lack:
        missing = [key for key in missing if key.startswith(f"{model.base_model_prefix}.")]
    if missing:
        raise UserError(
            f"encoder {name}: no weights for {', '.join(missing[:3])}; it was saved without that "
            f"part ({model.config.architectures}), name a checkpoint that has it."
        )
    # Not where this machine has it.
    tokenizer.name_or_path = model.config._name_or_path = name
    return tokenizer, model.eval()


def class_of(name: str, revision: str | None = None) -> type:
    """Return the auto class that opens a checkpoint with the head that it has. Raises UserError."""
    classes = open_config(name, revision).architectures or ["Model"]
    for kind in classes if isinstance(classes, list) else ():
        for ending, found in HEADS.items():
            if str(kind).endswith(ending):
                return found
    raise UserError(
        f"encoder {name}: {classes}: not an encoder, or with a head that is not known here."
    )


def strip_local_path(name: str) -> str:
    """Return a name on the hub as it is, and of a folder the last part: others have it elsewhere."""
    path = Path(name)
    return path.resolve().name if name and (path.exists() or path.is_absolute()) else name


def longest(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel) -> int:
    """Return how many pieces an encoder takes, special ones included."""
    positions = getattr(model.config, "max_position_embeddings", 0)
    table = getattr(getattr(model.base_model, "embeddings", None), "position_embeddings", None)
    if table is not None and table.padding_idx is not None:
        # RoBERTa's family counts from the one after its padding.
        positions -= table.padding_idx + 1
    return (
        min(tokenizer.model_max_length, positions) if positions > 0 else tokenizer.model_max_length
    )


@contextmanager
def writing(output: Path) -> Iterator[None]:
    """Turn what goes wrong in writing weights, as on a full disk, into one UserError."""
    try:
        yield
    except SafetensorError as error:
        raise UserError(f"{output}: the weights cannot be written ({error}).") from error


def save_checkpoint(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    card: str,
    output: Path,
    half: bool = False,
) -> None:
    """Write an ordinary Hugging Face folder, whole or not at all; with `half`, weights in float16.

    Raises UserError where the disk is full.
    """
    with written_beside(output) as folder:
        with writing(output):
            (model.half() if half else model).save_pretrained(folder)
        if half:
            # Loaded, and trained, in float32, whatever the dtype of the file.
            model.config.torch_dtype = torch.float32
            model.config.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        (folder / "README.md").write_text(card, encoding="utf8")
