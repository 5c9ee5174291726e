"""Load and save Hugging Face checkpoints; whatever is wrong with one is reported in one line."""

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
    AutoModelForPreTraining,
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
from .tokenizer_fixes import drop_token_type_ids

# What transformers raises for files that are missing, damaged or of the wrong kind ...
READ_ERRORS = (OSError, ValueError, Unavailable)
# ... and for damaged weights, or weights that do not fit the sizes in config.json.
WEIGHT_ERRORS = (RuntimeError, ArithmeticError, SafetensorError, UnpicklingError)
# Config fields with these endings are positions in a list, so 0 is valid.
INDEX_SUFFIXES = ("_id", "_index")
# Ending of a model class -> the auto class that loads it with its head.
AUTO_CLASSES = {
    "ForMaskedLM": AutoModelForMaskedLM,
    "ForPreTraining": AutoModelForPreTraining,
    "ForTokenClassification": AutoModelForTokenClassification,
    "ForSequenceClassification": AutoModelForSequenceClassification,
    "ForQuestionAnswering": AutoModelForQuestionAnswering,
    "Model": AutoModel,
}


@contextmanager
def load_errors(name: str, *kinds: type[Exception]) -> Iterator[None]:
    """Turn the errors that transformers raises for a checkpoint's files into one UserError.

    kinds: exception types to convert in addition to READ_ERRORS. A missing package is named in the
    UserError. Errors raised by this project's own code pass through.
    """
    # The UserError says in one line what transformers' warnings say in ten.
    logging.set_verbosity_error()
    try:
        with BareExceptions():
            yield
    except (*READ_ERRORS, *kinds) as error:
        sift(f"encoder {name}", error)
        raise unusable(name, reason_of(error)) from error


def invalid_fields(config: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, value and a valid example for each invalid field of a config.json."""
    model_type, dtype = config.get("model_type", ""), config.get("torch_dtype")
    if not isinstance(model_type, str):
        yield "model_type", model_type, "bert"
    if dtype is not None and not isinstance(getattr(torch, str(dtype), None), torch.dtype):
        yield "torch_dtype", dtype, "float32"
    if not isinstance(model_type, str) or model_type not in CONFIG_MAPPING:
        # transformers has its own message for an unknown type.
        return
    for name, parameter in signature(CONFIG_MAPPING[model_type].__init__).parameters.items():
        default, value = parameter.default, config.get(name)
        if type(default) not in (int, float) or name.endswith(INDEX_SUFFIXES) or value is None:
            continue
        # Some models have a list, one value per layer. Where the default is above 1 the field is
        # a size, and 0 is invalid.
        values = value if isinstance(value, list) and value else [value]
        if not all(type(n) in {int, type(default)} and not n < 1 < default for n in values):
            yield name, value, default


def check_config(name: str, folder: Path) -> None:
    """Raise UserError if an encoder's folder has no config.json, or an invalid one."""
    path = folder / "config.json"
    if not path.is_file():
        raise UserError(
            f"encoder {name}: no config.json in it; give a Hugging Face checkpoint folder."
        )
    try:
        config = json.loads(path.read_text(encoding="utf8"))
    except ValueError as error:
        raise UserError(
            f"encoder {name}: config.json is not valid JSON ({first_line(error)}); restore it."
        ) from error
    if not isinstance(config, dict):
        raise UserError(
            f"encoder {name}: config.json: expected an object, {{…}}, not {config!r:.40}; restore it."
        )
    for field, value, example in invalid_fields(config):
        raise UserError(
            f"encoder {name}: config.json: {field} is {value!r:.40}; expected a value such as "
            f"{example}."
        )


def checkpoint_folder(name: str, revision: str | None, weights: bool = True) -> Path:
    """Return a checkpoint's folder, with a valid config.json. Raises UserError."""
    folder, _ = snapshot(name, revision, weights)
    check_config(name, folder)
    return folder


def open_config(name: str, revision: str | None = None) -> PretrainedConfig:
    """Return a checkpoint's configuration. Raises UserError."""
    folder = checkpoint_folder(name, revision, weights=False)
    with load_errors(name):
        return AutoConfig.from_pretrained(folder, trust_remote_code=False)


def open_tokenizer(name: str, revision: str | None = None) -> PreTrainedTokenizerBase:
    """Return a checkpoint's tokenizer. Raises UserError."""
    folder, _ = snapshot(name, revision, weights=False)
    # A folder with just a tokenizer has no config.json.
    if (folder / "config.json").is_file():
        check_config(name, folder)
    with load_errors(name, *AMBIGUOUS):
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)


def open_checkpoint(
    name: str,
    auto_class: type = AutoModel,
    allow_new_head: bool = False,
    revision: str | None = None,
    **settings,
) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Return a checkpoint's tokenizer and its model, in evaluation mode.

    auto_class: the transformers auto class of the model with its head.
    allow_new_head: initialise a head that the checkpoint lacks, to be trained, instead of raising.
    revision: a branch, tag or commit on the hub (default: main).
    settings: passed on to from_pretrained.

    Code in a checkpoint is never run. Raises UserError.
    """
    folder = checkpoint_folder(name, revision)
    with load_errors(name, *AMBIGUOUS):
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    with load_errors(name, *AMBIGUOUS, *WEIGHT_ERRORS):
        model, info = auto_class.from_pretrained(
            folder, trust_remote_code=False, output_loading_info=True, **settings
        )
    drop_token_type_ids(tokenizer, model)
    # transformers initialises missing weights at random. A missing pooler is removed, as only new
    # heads use it, and is part of these; anything else missing is an error.
    # So are those of another size, unless settings say to ignore them.
    lacking = [*info["missing_keys"], *info["mismatched_keys"]]
    missing = [key for key in lacking if "pooler" not in key]
    if allow_new_head:
        missing = [key for key in missing if key.startswith(f"{model.base_model_prefix}.")]
    elif len(missing) < len(lacking):
        model.base_model.pooler = None
    if missing:
        raise UserError(
            f"encoder {name}: no weights for {', '.join(missing[:3])}: it was saved without them, "
            f"as {model.config.architectures}; choose a checkpoint that has them."
        )
    # The name, not its path on this machine.
    tokenizer.name_or_path = model.config._name_or_path = name
    return tokenizer, model.eval()


def auto_class_of(name: str, revision: str | None = None) -> type:
    """Return the auto class that loads a checkpoint together with its head. Raises UserError."""
    architectures = open_config(name, revision).architectures or ["Model"]
    for architecture in architectures if isinstance(architectures, list) else ():
        for ending, auto_class in AUTO_CLASSES.items():
            if str(architecture).endswith(ending):
                return auto_class
    raise UserError(
        f"encoder {name}: {architectures} is not supported; choose an encoder whose "
        f"architecture ends in one of {', '.join(AUTO_CLASSES)}."
    )


def strip_local_path(name: str) -> str:
    """Return a hub id as it is, and only the last part of a local path: the rest differs from one
    machine to the next."""
    path = Path(name)
    return path.resolve().name if name and (path.exists() or path.is_absolute()) else name


def max_length(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel) -> int:
    """Return how many pieces an encoder accepts at a time, special tokens included."""
    positions = getattr(model.config, "max_position_embeddings", 0)
    table = getattr(getattr(model.base_model, "embeddings", None), "position_embeddings", None)
    if table is not None and table.padding_idx is not None:
        # RoBERTa and its relatives number positions from padding_idx + 1.
        positions -= table.padding_idx + 1
    return (
        min(tokenizer.model_max_length, positions) if positions > 0 else tokenizer.model_max_length
    )


def check_length(n_pieces: int, tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel) -> None:
    """Raise UserError if `n_pieces`, special tokens included, are too many for an encoder."""
    limit = max_length(tokenizer, model)
    if n_pieces > limit:
        raise UserError(
            f"the text has {n_pieces} pieces, but the encoder accepts {limit}; give a shorter text."
        )


@contextmanager
def save_errors(output: Path) -> Iterator[None]:
    """Turn a failure to write weights, such as a full disk, into a UserError."""
    try:
        yield
    except SafetensorError as error:
        raise UserError(
            f"{output}: cannot write the weights ({error}); check the disk and run again."
        ) from error


def save_checkpoint(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    card: str,
    output: Path,
    half: bool = False,
) -> None:
    """Write a Hugging Face folder, complete or not at all; with `half`, its weights in float16.

    Raises UserError if the weights cannot be written.
    """
    with written_beside(output) as folder:
        with save_errors(output):
            (model.half() if half else model).save_pretrained(folder)
        if half:
            # Load and train in float32, whatever the dtype of the file.
            model.config.torch_dtype = torch.float32
            model.config.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        (folder / "README.md").write_text(card, encoding="utf8")
