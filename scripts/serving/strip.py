"""Strip a pipeline that is given away of its corpus's words and this machine's paths."""

import re
from typing import Any

import spacy
from spacy.language import Language
from spacy.strings import StringStore

from ..encoders.checkpoint import strip_local_path
from .pipeline import encoder_name, hf_head, onnx_part

# Factories of components that look up no strings but their labels. Others may need strings of their
# training corpus: a lemmatizer, a tagger, vectors.
LABELS_ONLY = {
    "transformer", "ner", "textcat", "textcat_multilabel", "hf_head_ner", "hf_head_textcat",
    "hf_token_ner", "onnx_encoder", "onnx_head_ner", "onnx_head_textcat", "onnx_token_ner",
}  # fmt: skip
# Sections of a config that only training reads.
TRAINING = ("corpora", "initialize", "pretraining", "training")


def looked_up(nlp: Language) -> list[str]:
    """Return what may look up strings of the training corpus: names of components, vectors."""
    names = [
        name for name in nlp.component_names if nlp.get_pipe_meta(name).factory not in LABELS_ONLY
    ]
    return names + ["its vectors"] * bool(nlp.vocab.vectors.n_keys)


def own_strings(nlp: Language) -> StringStore:
    """Return the strings of a pipeline's language, its components' names and their labels.

    Its StringStore also has each word of the training corpus. Predictions do not need those: strings
    are hashed, and a text adds its own.
    """
    tokenizer = nlp.config.interpolate()["nlp"]["tokenizer"]
    strings = spacy.blank(nlp.lang, config={"nlp": {"tokenizer": tokenizer}}).vocab.strings
    for name, labels in nlp.pipe_labels.items():
        for string in (name, *labels):
            strings.add(string)
    return strings


def drop_paths(config: dict[str, Any]) -> None:
    """Remove this machine's paths from the sections of a config that only training reads."""

    def drop(section: dict[str, Any]) -> None:
        for name, value in section.items():
            if isinstance(value, dict):
                drop(value)
            elif isinstance(value, str) and re.search(r"[/\\]", value):
                section[name] = None

    if "paths" in config:
        config["paths"] = dict.fromkeys(config["paths"])
    for name in TRAINING:
        drop(config.get(name, {}))


def strip_local_paths(nlp: Language) -> str | None:
    """Remove this machine's paths from a pipeline; return the encoder's name without a local path.

    spaCy and transformers record the paths of the corpora and of the encoder's folder.
    """
    name = encoder_name(nlp)
    config = nlp.config.copy()
    drop_paths(config)
    if name is not None and hf_head(nlp) is None and onnx_part(nlp) is None:
        name = strip_local_path(name)
        model = nlp.get_pipe("transformer").model
        model.attrs["name"] = name
        model.transformer.config._name_or_path = name
        model.tokenizer.name_or_path = name
        model.tokenizer.init_kwargs.pop("name_or_path", None)
        # Here and not in `config`: spaCy takes the components of that from here.
        nlp.get_pipe_config("transformer")["model"]["name"] = name
        if "encoder" in config.get("settings", {}):
            config["settings"]["encoder"] = name
    nlp.config = config
    return name
