"""Load a trained pipeline, and look up what it is made of."""

from collections.abc import Iterator
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import spacy
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
)
from safetensors import SafetensorError
from spacy.language import Language
from spacy.training.loop import DIR_MODEL_BEST
from srsly.msgpack.exceptions import UnpackException
from transformers import PreTrainedModel

from ..common.devices import use_device
from ..common.errors import AMBIGUOUS, BareExceptions, UserError, first_line, sift
from ..common.files import check_whole
from ..common.precision import AUTO, FLOAT32, check_precision, choose_precision, choose_threads
from ..common.probabilities import CALIBRATION
from ..common.sources import AND
from ..wheel.components import HFHead
from ..wheel.onnx import OnnxComponent

# Components that can be scored, in words.
TASKS = {
    "ner": "named entities",
    "textcat": "text classification",
    "textcat_multilabel": "text classification with several labels",
}
# The key in a pipeline's meta that says what it costs to be an ONNX one, and in which precision; that in
# which a text's result depends on the others in its batch.
COST, FASTEST = "onnx", "int8-fastest"
# What spacy.load raises for damaged files: text and JSON, msgpack, weights; and ONNX models.
DAMAGED = (
    ValueError, OverflowError, EOFError, UnpackException, RuntimeError, SafetensorError, UnpicklingError,
    Fail, InvalidArgument, InvalidGraph, InvalidProtobuf,
)  # fmt: skip


def pipeline_path(pipeline: str) -> str:
    """Return the path of the pipeline in a training's folder, and anything else as it is."""
    best = Path(pipeline) / DIR_MODEL_BEST
    return str(best) if best.is_dir() else pipeline


def load(pipeline: str, gpu_id: int = -1) -> Language:
    """Return a trained pipeline: any spaCy pipeline with one of TASKS.

    pipeline: the folder of a training or of a pipeline, or the name of an installed package.
    Raises UserError if it is missing, damaged, incomplete or of another kind, or the GPU is missing.
    """
    check_whole(Path(pipeline))
    pipeline = pipeline_path(pipeline)
    check_whole(Path(pipeline))
    use_device(gpu_id)
    try:
        with BareExceptions():
            nlp = spacy.load(pipeline)
        if (light := onnx_part(nlp)) is not None:
            # Opened when it is first needed, which is too late to say so.
            light.onnx.session()
    except OSError as error:
        raise UserError(
            f"{pipeline}: no trained pipeline found; train or install it first."
        ) from error
    except (*DAMAGED, *AMBIGUOUS) as error:
        sift(pipeline, error)
        # A component or a registered function that no installed package provides.
        if any(code in str(error) for code in ("[E002]", "[E893]")):
            raise UserError(
                f"{pipeline}: it needs a package that is not installed; see the requirements in its "
                f"meta.json ({first_line(error)[:120]})."
            ) from error
        raise UserError(
            f"{pipeline}: the pipeline is damaged ({type(error).__name__}: {first_line(error)[:120]}); train or "
            "install it again."
        ) from error
    if not set(TASKS) & set(nlp.pipe_names):
        raise UserError(
            f"{pipeline}: its components are {', '.join(nlp.pipe_names) or 'none'}; name a pipeline with "
            f"one of {', '.join(f'`{task}`' for task in TASKS)}."
        )
    check_listeners(pipeline, nlp)
    return nlp


def upstreams(config: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the components whose vectors a component reads, from its config."""
    for key, value in config.items():
        if key == "upstream":
            yield value
        elif isinstance(value, dict):
            yield from upstreams(value)


def check_listeners(pipeline: str, nlp: Language) -> None:
    """Raise UserError for a component that reads the vectors of a missing one: in spaCy it silently
    finds nothing."""
    vectors = {"doc.tensor", "doc._.trf_data"}
    providers = {name for name in nlp.pipe_names if vectors & set(nlp.get_pipe_meta(name).assigns)}
    for name in nlp.pipe_names:
        for upstream in upstreams(nlp.get_pipe_config(name)):
            if not (providers if upstream == "*" else upstream in nlp.pipe_names):
                raise UserError(
                    f"{pipeline}: `{name}` reads the vectors of a transformer or tok2vec "
                    f"({upstream}) that the pipeline does not have."
                )


def hf_head(nlp: Language) -> HFHead | None:
    """Return the pipeline's component that is a ready-made Hugging Face head, if it has one.

    Not found by its class: a package brings its own copy of that.
    """
    return next((pipe for _, pipe in nlp.pipeline if hasattr(pipe, "wrap")), None)


def onnx_part(nlp: Language) -> OnnxComponent | None:
    """Return the pipeline's component that runs through ONNX Runtime, if it has one.

    Not found by its class, like a head.
    """
    return next((pipe for _, pipe in nlp.pipeline if hasattr(pipe, "onnx")), None)


def depends_on_batch(nlp: Language) -> bool:
    """Return whether a text's result depends on the others in its batch, by more than rounding."""
    return nlp.meta.get(COST, {}).get("precision") == FASTEST


def counting(nlp: Language) -> Any:
    """Return the pipeline's component that counts what it does, a ready-made head, if it has one."""
    return next((pipe for _, pipe in nlp.pipeline if hasattr(pipe, "counts")), None)


def encoder_of(nlp: Language) -> PreTrainedModel | None:
    """Return the Hugging Face model in a pipeline, if there is one.

    A pipeline on tok2vec has none; curated transformers have another kind.
    """
    if "transformer" in nlp.pipe_names:
        model = getattr(nlp.get_pipe("transformer"), "model", None)
        return getattr(model, "transformer", None)
    head = hf_head(nlp)
    return head and head.model


def set_precision(nlp: Language, precision: str) -> str:
    """Run a pipeline's encoder in a precision, "auto" for the faster one, and with the number of
    threads that is fastest; on a GPU nothing changes. Return the precision. Raises UserError for an unknown precision.

    In bfloat16, probabilities differ in the third digit, and rarely the best label. An ONNX model has
    the precision it was written in: UserError for another.
    """
    light = onnx_part(nlp)
    own = AUTO if light is None else light.onnx.settings["precision"]
    if precision == own != AUTO:
        return own
    check_precision("--precision", precision)
    if light is not None and precision != AUTO:
        raise UserError(
            f"--precision {precision}: this pipeline was made in {own}; `to-onnx` makes one in another."
        )
    encoder = encoder_of(nlp)
    if encoder is None:
        return FLOAT32 if light is None else own
    choose_threads(encoder)
    return choose_precision(encoder, precision)


def encoder_name(nlp: Language) -> str | None:
    """Return the hub id or the folder that a pipeline's encoder came from, if it has one."""
    named = hf_head(nlp) or onnx_part(nlp)
    if named is not None:
        return named.source
    if encoder_of(nlp) is None:
        return None
    return nlp.config.interpolate()["components"]["transformer"]["model"]["name"]


def encoder_revision(nlp: Language) -> str | None:
    """Return the commit of a pipeline's encoder on the hub; None for a folder."""
    return nlp.config.get("settings", {}).get("revision")


def task_labels(nlp: Language) -> dict[str, list[str]]:
    """Return the labels of each of a pipeline's TASKS."""
    return {task: list(nlp.get_pipe(task).labels) for task in TASKS if task in nlp.pipe_names}


def temperatures(nlp: Language) -> dict[str, float]:
    """Return what the logits of a pipeline's classifiers were divided by, of those calibrated."""
    return {
        name: entry["temperature"]
        for name, entry in nlp.meta.get(CALIBRATION, {}).items()
        if name in nlp.pipe_names
    }


def threshold_of(nlp: Language, task: str) -> float | None:
    """Return the probability from which a pipeline assigns a label; None if exactly one always is."""
    if task != "textcat_multilabel":
        return None
    return getattr(nlp.get_pipe(task), "cfg", {}).get("threshold", 0.5)


def check_other(pipeline: str, output: Path) -> None:
    """Raise UserError if a pipeline that is made from another would replace it."""
    best = output / DIR_MODEL_BEST
    if best.resolve() == Path(pipeline_path(pipeline)).resolve():
        raise UserError(f"{output}: holds the pipeline {pipeline} itself; name another folder.")


def trained_on(nlp: Language) -> str | None:
    """Return the name of the corpus that a pipeline was trained on, or the names of several with
    AND between them, if it is on record."""
    train = nlp.config.interpolate().get("paths", {}).get("train") or []
    paths = [train] if isinstance(train, str) else train
    return AND.join(Path(path).parent.name for path in paths) or None
