"""What a sequence-to-sequence model has to be told: languages, or a prefix that names the task."""

import re
from collections.abc import Collection
from difflib import get_close_matches
from typing import Any, NamedTuple

from transformers import (
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    AutoModelForSeq2SeqLM,
    MBartTokenizer,
    MBartTokenizerFast,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from ..common.errors import UserError
from ..encoders.checkpoint import open_checkpoint, open_config

# Endings of classes whose weights fit an encoder-decoder, but whose head writes no text.
OTHER_HEADS = ("ForSequenceClassification", "ForQuestionAnswering", "ForTokenClassification",
               "ForCausalLM")  # fmt: skip
# Opus-MT's tokens of target languages, in multilingual checkpoints: >>fra<<.
CODE = re.compile(r">>(.+)<<")
# NLLB's, which its tokenizer lists among other special tokens.
NLLB_CODE = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}")
# How many languages a message names.
SHOWN = 5


class Task(NamedTuple):
    """What a model is asked for.

    prefix: put before each sentence. settings: passed to `generate`. language: code of the source
    language, "" if unknown. chosen: what the user did not say and was decided, "" if nothing.
    """

    prefix: str = ""
    settings: dict[str, Any] = {}
    language: str = ""
    chosen: str = ""


def check_sequence_to_sequence(name: str, config: PretrainedConfig) -> None:
    """Raise UserError if a checkpoint is no encoder-decoder that writes text."""
    heads = [head for head in map(str, config.architectures or ()) if head.endswith(OTHER_HEADS)]
    if type(config) not in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING or heads:
        kind = heads[0] if heads else config.model_type
        raise UserError(
            f"{name}: {kind} is no sequence-to-sequence model; choose one that is, such as "
            "Helsinki-NLP/opus-mt-fr-en."
        )


def open_translator(
    name: str, revision: str | None = None, **settings
) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Return the tokenizer and the model of a sequence-to-sequence checkpoint, in evaluation mode.

    settings: passed on to from_pretrained. Raises UserError.
    """
    check_sequence_to_sequence(name, open_config(name, revision))
    tokenizer, model = open_checkpoint(name, AutoModelForSeq2SeqLM, revision=revision, **settings)
    if tokenizer.pad_token is None:
        raise UserError(
            f"{name}: its tokenizer has no padding token, which batches need; add the one it was "
            "trained with."
        )
    defaults = model.generation_config
    if defaults.decoder_start_token_id is None and defaults.bos_token_id is None:
        raise UserError(
            f"{name}: config.json has no decoder_start_token_id, the piece that a decoder starts "
            "with; add the one it was trained with."
        )
    return tokenizer, model


def language_ids(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Return the language codes of mBART, M2M100, NLLB and the like, with their ids; {} for others."""
    if not hasattr(tokenizer, "src_lang"):
        return {}
    if hasattr(tokenizer, "lang_code_to_id"):
        return dict(tokenizer.lang_code_to_id)
    codes = filter(NLLB_CODE.fullmatch, tokenizer.additional_special_tokens)
    return {code: tokenizer.convert_tokens_to_ids(code) for code in codes}


def code_of(option: str, given: str, codes: Collection[str]) -> str:
    """Return the model's code for a language: fr_XX for fr, if it has one that begins so.

    Raises UserError if the language is missing or unknown.
    """
    matches = [code for code in codes if given and (code == given or code.startswith(f"{given}_"))]
    if given in codes or len(matches) == 1:
        return given if given in codes else matches[0]
    near = matches or get_close_matches(given, codes, SHOWN, cutoff=0.5)
    usual = [code for code in codes if re.match("(en|fr|de|es|it)([^a-z]|$)|(eng|fra)", code)]
    shown = ", ".join((near or usual or sorted(codes))[:SHOWN])
    problem = f"{given}: no such language in this model" if given else "which language?"
    raise UserError(f"{option} {problem}; it has {len(codes)}, such as {shown}.")


def of_many_languages(
    tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, source: str, target: str
) -> Task:
    """Return the task of a model with codes for both languages, and set its tokenizer to it."""
    # Tokenizers list all languages of their kind, also those that a checkpoint has no vector for.
    known = model.get_input_embeddings().num_embeddings
    ids = {
        code: number
        for code, number in language_ids(tokenizer).items()
        if number < known and number != tokenizer.unk_token_id
    }
    tokenizer.src_lang = code_of("--from", source, ids)
    tokenizer.tgt_lang = code_of("--to", target, ids)
    # mBART was trained on targets that end with their language, which also starts the decoder; the
    # others' begin with it.
    first = isinstance(tokenizer, MBartTokenizer | MBartTokenizerFast)
    name = "decoder_start_token_id" if first else "forced_bos_token_id"
    return Task("", {name: ids[tokenizer.tgt_lang]}, tokenizer.src_lang)


def refuse_languages(source: str, target: str, reason: str) -> None:
    """Raise UserError if a language is given to a model that cannot be told any."""
    if source or target:
        option = f"--from {source}" if source else f"--to {target}"
        raise UserError(f"{option}: {reason}; leave it out.")


def of_marian(tokenizer: PreTrainedTokenizerBase, source: str, target: str) -> Task:
    """Return the task of a Marian: its languages are fixed, unless it has several target languages."""
    fixed = "this Marian's source language is fixed"
    refuse_languages(source, "", fixed)
    codes = {CODE.sub(r"\1", token): token for token in tokenizer.supported_language_codes}
    language = tokenizer.source_lang or ""
    if not codes:
        refuse_languages("", target, "this Marian has one target language")
        return Task(language=language)
    code = codes[code_of("--to", CODE.sub(r"\1", target), codes)]
    return Task(f"{code} ", {}, language)


def of_t5(config: PretrainedConfig, source: str, target: str, prefix: str | None) -> Task:
    """Return the task of a T5: its prefix is given, or is that of a task its configuration lists."""
    listed = config.task_specific_params or {}
    tasks = {name: task for name, task in listed.items() if task.get("prefix")}
    if prefix is not None:
        refuse_languages(source, target, "the prefix says the languages")
        same = [task for task in tasks.values() if task["prefix"].strip() == prefix.strip()]
        return Task(prefix, settings_of(same[0]) if same else {})
    wanted = f"translation_{source}_to_{target}" if source or target else "translation_"
    found = {name: task for name, task in tasks.items() if name.startswith(wanted)}
    if len(found) == 1:
        ((name, task),) = found.items()
        language = name.removeprefix("translation_").partition("_to_")[0]
        return Task(task["prefix"], settings_of(task), language, f"prefix {task['prefix']!r}")
    prefixes = ", ".join(repr(task["prefix"]) for task in tasks.values())
    known = f"its config.json lists {prefixes}" if prefixes else "its config.json lists none"
    raise UserError(
        f"--prefix: a T5 is told its task by a prefix, and {known}; give the one it was trained "
        "with ('' if none)."
    )


def settings_of(task: dict[str, Any]) -> dict[str, Any]:
    """Return what a T5's configuration says of generation for one of its tasks."""
    names = ("num_beams", "max_length", "length_penalty", "early_stopping", "no_repeat_ngram_size")
    return {name: task[name] for name in names if name in task}


def task_of(
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel,
    source: str = "",
    target: str = "",
    prefix: str | None = None,
) -> Task:
    """Return what a model has to be told; its tokenizer is set to the languages.

    source, target: languages, "" if not given. prefix: None if not given.
    Raises UserError for what the model needs and lacks, or cannot be told.
    """
    kind = model.config.model_type
    if "t5" in kind:
        return of_t5(model.config, source, target, prefix)
    if language_ids(tokenizer) or kind == "marian":
        if prefix is not None:
            raise UserError("--prefix: only a T5 is told its task by a prefix; leave it out.")
        if kind == "marian":
            return of_marian(tokenizer, source, target)
        return of_many_languages(tokenizer, model, source, target)
    refuse_languages(source, target, f"this {kind} model has no codes of languages")
    return Task(prefix or "")
