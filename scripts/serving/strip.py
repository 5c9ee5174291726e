"""What a pipeline that leaves the house keeps of its training: no words of the corpus, no paths."""

import re
from typing import Any

import spacy
from spacy.language import Language
from spacy.strings import StringStore

from ..encoders.checkpoint import strip_local_path
from .pipeline import encoder_name, hf_head

# Factories of components that look up no string but their labels. Others of spaCy's may have learnt
# from their corpus which ones they need: a lemmatizer, a tagger, vectors.
BLIND = {
    "transformer", "ner", "textcat", "textcat_multilabel", "hf_head_ner", "hf_head_textcat",
}  # fmt: skip
# Sections of a config that only training reads.
TRAINING = ("corpora", "initialize", "pretraining", "training")


def looked_up(nlp: Language) -> list[str]:
    """Return what of a pipeline may look up strings of its corpus: names of components, vectors."""
    names = [name for name in nlp.component_names if nlp.get_pipe_meta(name).factory not in BLIND]
    return names + ["its vectors"] * bool(nlp.vocab.vectors.n_keys)


def own_strings(nlp: Language) -> StringStore:
    """Return the strings of a pipeline's language, of its components and of their labels.

    Its StringStore has each word of its training corpus beside these. Strings are hashed, and a
    text brings its own when it is annotated: what is found is the same.
    """
    tokenizer = nlp.config.interpolate()["nlp"]["tokenizer"]
    strings = spacy.blank(nlp.lang, config={"nlp": {"tokenizer": tokenizer}}).vocab.strings
    for name, labels in nlp.pipe_labels.items():
        for string in (name, *labels):
            strings.add(string)
    return strings


def drop_paths(config: dict[str, Any]) -> None:
    """Take the paths of the building machine out of the sections that only training reads."""

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
    """Take the building machine out of a pipeline; return the encoder's name without a local path.

    spaCy and transformers record the paths of the corpora and of the encoder's folder.
    """
    name = encoder_name(nlp)
    config = nlp.config.copy()
    drop_paths(config)
    if name is not None and hf_head(nlp) is None:
        name = strip_local_path(name)
        model = nlp.get_pipe("transformer").model
        model.attrs["name"] = name
        model.transformer.config._name_or_path = name
        model.tokenizer.name_or_path = name
        model.tokenizer.init_kwargs.pop("name_or_path", None)
        # Not in `config`, whose components spaCy takes from here.
        nlp.get_pipe_config("transformer")["model"]["name"] = name
        if "encoder" in config.get("settings", {}):
            config["settings"]["encoder"] = name
    nlp.config = config
    return name
