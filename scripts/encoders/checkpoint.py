"""Opening a checkpoint, a folder or a name on the hub, with one clear line where it cannot be."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from transformers import (
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

from ..downloads import Unavailable, impatient_hub, reason_of
from ..errors import BareExceptions, UserError
from ..files import check_whole, written_beside

# What transformers raises for files that are missing, damaged or of another kind.
UNREADABLE = (
    OSError, ValueError, TypeError, RuntimeError, KeyError, AttributeError, ZeroDivisionError,
    SafetensorError, UnpicklingError, Unavailable,
)  # fmt: skip
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
def opening(name: str) -> Iterator[None]:
    """Turn what goes wrong in opening a checkpoint into one UserError."""
    check_whole(Path(name))
    # Its warnings say in ten lines what is said here in one.
    logging.set_verbosity_error()
    try:
        with BareExceptions():
            yield
    except UNREADABLE as error:
        raise UserError(
            f"encoder {name}: no whole checkpoint, in a folder or on the hub ({reason_of(error)}). "
            "Put its config, weights and tokenizer into a folder and name that instead."
        ) from error


def open_config(name: str) -> PretrainedConfig:
    """Return the configuration of a checkpoint. Raises UserError."""
    with opening(name), impatient_hub():
        return AutoConfig.from_pretrained(name, trust_remote_code=False)


def open_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a checkpoint. Raises UserError."""
    with opening(name), impatient_hub():
        return AutoTokenizer.from_pretrained(name, trust_remote_code=False)


def open_checkpoint(
    name: str, kind: type = AutoModel, head_may_lack: bool = False, **settings
) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Return the tokenizer and the model of a checkpoint, in evaluation mode.

    `kind` is the auto class of the model with its head, `settings` are those of from_pretrained.
    A head that is not in the checkpoint is an error, unless it may lack: then it is new, and to be
    trained. Code inside a checkpoint is never run. Raises UserError.
    """
    if Path(name).exists() and not (Path(name) / "config.json").is_file():
        raise UserError(
            f"encoder {name}: no config.json in it; name a Hugging Face checkpoint folder."
        )
    # Tried once, or a hub that cannot be reached costs a minute; the weights are more patient.
    open_config(name)
    with opening(name):
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
        model, info = kind.from_pretrained(
            name, trust_remote_code=False, output_loading_info=True, **settings
        )
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
    return tokenizer, model.eval()


def class_of(name: str) -> type:
    """Return the auto class that opens a checkpoint with the head that it has. Raises UserError."""
    classes = open_config(name).architectures or ["Model"]
    for kind in classes if isinstance(classes, list) else ():
        for ending, found in HEADS.items():
            if str(kind).endswith(ending):
                return found
    raise UserError(
        f"encoder {name}: {classes}: not an encoder, or with a head that is not known here."
    )


def neutral(name: str) -> str:
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
