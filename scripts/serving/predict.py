"""Predict a split with a pipeline, once."""

import hashlib
import os
import platform
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy
import torch
from spacy.attrs import NORM, ORTH, SPACY
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import get_torch_default_device
from tqdm import tqdm

from ..common.annotate import pipe
from ..common.files import sha256
from ..common.precision import runs_in_bfloat16
from ..common.weights import count_parameters, modules, weights_hash
from ..wheel.windows import count_pieces, too_long
from .gold import is_annotated, split_sha256
from .pipeline import (
    counting,
    encoder_name,
    encoder_of,
    encoder_revision,
    hf_head,
    onnx_part,
    task_labels,
    temperatures,
    threshold_of,
    trained_on,
)
from .predictions import (
    CONFIDENCE,
    FORMAT,
    ON_GOLD_TOKENS,
    ORIGIN,
    PIECES,
    Entity,
    Header,
    Predictions,
    bare,
    confidences,
    entities,
)

PACKAGES = ("spacy", "spacy-transformers", "thinc", "transformers", "torch")


def folder_sha256(folder: Path) -> str:
    """Return one sha256 over the names and contents of all files in a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = "".join(f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def tokenizer_of(nlp: Language) -> Any:
    """Return the tokenizer of a pipeline's encoder, None if there is none."""
    if (light := onnx_part(nlp)) is not None:
        return light.tokenizer
    if "transformer" in nlp.pipe_names and encoder_of(nlp) is not None:
        return nlp.get_pipe("transformer").model.tokenizer
    head = hf_head(nlp)
    return head and head.tokenizer


def count_cut(nlp: Language, docs: Sequence[Doc]) -> int:
    """Return how many windows of text have more pieces than the encoder accepts, and are read up to
    its limit: only single tokens in a pipeline that this project trained."""
    if (light := onnx_part(nlp)) is not None:
        nested = light.spans(docs)
    elif "transformer" in nlp.pipe_names and encoder_of(nlp) is not None:
        nested = nlp.get_pipe("transformer").model.attrs["get_spans"](docs)
    else:
        return 0
    return len(too_long([span.text for spans in nested for span in spans], tokenizer_of(nlp)))


def precision_of(nlp: Language, device: str) -> str:
    """Return the number format that a pipeline computes in."""
    settings = nlp.config["components"].get("transformer", {}).get("model", {})
    if device.startswith("cuda") and settings.get("mixed_precision"):
        return "float16 where autocast has it"
    if (light := onnx_part(nlp)) is not None:
        return light.onnx.settings["precision"]
    encoder = encoder_of(nlp)
    if encoder is not None and runs_in_bfloat16(encoder):
        return "bfloat16"
    kinds = {weights.dtype for _, module in modules(nlp) for weights in module.parameters()}
    return ", ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds)) or "float32"


def speed_in_words(speed: dict[str, Any]) -> str:
    """Return the header's `speed` in words: 1,200 words/s (cpu, 2 threads, float32)."""
    return (
        f"{speed['words_per_second']:,} words/s ({speed['device']}, {speed['torch_threads']} threads, "
        f"{speed['precision']})"
    )


def same_tokens(one: Doc, other: Doc) -> bool:
    """Return whether two documents look the same to a pipeline: tokens, norms (which a tokenizer's
    exceptions set) and spaces."""
    attributes = [ORTH, NORM, SPACY]
    return numpy.array_equal(one.to_array(attributes), other.to_array(attributes))


def predict_on_gold_tokens(nlp: Language, docs: Sequence[Doc]) -> dict[int, list[Entity]]:
    """Return the entities that a pipeline predicts on gold tokens, by the document's index.

    Only for documents with annotated entities whose gold tokens are not those of its tokenizer. For
    the others the prediction is that on the raw text, but for the last bits of a transformer's
    floats: these depend on which documents share a batch.
    """
    tokenized = {i: bare(doc) for i, doc in enumerate(docs) if is_annotated(doc, "ner")}
    other = {i: doc for i, doc in tokenized.items() if not same_tokens(nlp.make_doc(doc.text), doc)}
    return dict(zip(other, map(entities, pipe(nlp, other.values()))))


def predict_split(nlp: Language, path: Path, docs: Sequence[Doc]) -> Predictions:
    """Return a pipeline's predictions on a split; `docs` are its examples, read from `path`.

    Words per second: gold tokens divided by the wall time of one nlp.pipe pass over the raw texts.
    """
    texts = [doc.text for doc in docs]
    # One text beforehand: the first call in a process does work that later ones do not repeat.
    list(pipe(nlp, texts[:1]))
    head = counting(nlp)
    if head is not None:
        head.counts.clear()
    start = time.perf_counter()
    found = list(tqdm(pipe(nlp, texts), f"predict {path.stem}", len(texts), unit=" texts"))
    seconds = time.perf_counter() - start
    counts = None if head is None else dict(head.counts)
    on_gold_tokens = predict_on_gold_tokens(nlp, docs) if "ner" in nlp.pipe_names else {}
    tokenizer = tokenizer_of(nlp)
    pieces = [] if tokenizer is None else count_pieces(texts, tokenizer)
    for index, (doc, gold) in enumerate(zip(found, docs)):
        stated = confidences(doc)
        doc.user_data = {key: gold.user_data[key] for key in ORIGIN if key in gold.user_data}
        if stated:
            doc.user_data[CONFIDENCE] = stated
        if pieces:
            doc.user_data[PIECES] = pieces[index]
        if index in on_gold_tokens:
            doc.user_data[ON_GOLD_TOKENS] = on_gold_tokens[index]
    device = str(get_torch_default_device())
    several = "textcat_multilabel"
    header = Header(
        format=FORMAT,
        pipeline=f"{nlp.lang}_{nlp.meta['name']}",
        lang=nlp.lang,
        weights=weights_hash(nlp),
        pipeline_sha256=nlp.path and folder_sha256(nlp.path),
        labels=task_labels(nlp),
        threshold=threshold_of(nlp, several) if several in nlp.pipe_names else None,
        temperatures=temperatures(nlp),
        parameters=count_parameters(nlp),
        encoder=encoder_name(nlp),
        encoder_revision=encoder_revision(nlp),
        trained_on=trained_on(nlp),
        seed=nlp.config.interpolate().get("training", {}).get("seed"),
        corpus=path.parent.resolve().name,
        split=path.stem,
        split_sha256=split_sha256(path),
        examples=len(docs),
        head=counts,
        cut_windows=count_cut(nlp, found),
        speed={
            "words_per_second": round(sum(map(len, docs)) / seconds),
            "method": "gold words / wall time of one nlp.pipe pass over the raw texts",
            "device": device,
            "precision": precision_of(nlp, device),
            "torch_threads": torch.get_num_threads(),
            "cores": os.cpu_count(),
        },
        versions={
            "python": platform.python_version(),
            **{package: version(package) for package in PACKAGES},
        },
    )
    return Predictions(header, found)
