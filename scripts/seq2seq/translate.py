"""Translate a text or a file: `python -m scripts translate CHECKPOINT "texte"`."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from ..common.errors import UserError, warn
from .attention import write_attention
from .task import open_translator, task_of
from .texts import check_output, texts_of, writer
from .translator import Translation, Translator


class Request(NamedTuple):
    """The arguments of the command; see its help."""

    checkpoint: str
    text: str
    source: str = ""
    target: str = ""
    prefix: str | None = None
    beams: int = 0
    output: Path | None = None
    lang: str = ""
    encoding: str | None = None
    revision: str = ""
    attention: Path | None = None
    as_json: bool = False


def as_object(translation: Translation) -> dict[str, Any]:
    """Return a translation as an object of --json."""
    return {
        "source": translation.source,
        "translation": translation.translation,
        "score": translation.score,
        "sentences": [sentence._asdict() for sentence in translation.sentences],
    }


def as_line(translation: Translation, request: Request, single: bool) -> str:
    """Return what is written for a text: for one of a file, a line."""
    if request.as_json:
        return json.dumps(as_object(translation), ensure_ascii=False, indent=1 if single else None)
    text = translation.translation
    return text if single else " ".join(text.splitlines())


def check_paths(request: Request, single: bool) -> None:
    """Raise UserError for paths that cannot be written, or would overwrite what is read."""
    for path in filter(None, (request.output, request.attention)):
        check_output(path, request.text, single)
    if request.attention and not single:
        raise UserError("--attention draws a single sentence; give it instead of a file.")
    if request.attention and request.attention == request.output:
        raise UserError(f"--attention and --output are both {request.output}; give two paths.")


def warn_of(translator: Translator) -> None:
    """Say how many sentences were cut, and how many translations have no end."""
    if translator.cut:
        warn(
            f"sentences longer than the {translator.limit} pieces that the model takes: "
            f"{translator.cut:,}; cut, at white space where there is any, and translated in parts"
        )
    if translator.incomplete:
        warn(
            f"translations that reached {translator.new} pieces without an end, and are probably "
            f"incomplete: {translator.incomplete:,}"
        )


def translate(request: Request) -> None:
    """Translate a text, or a file line by line, and say what could not be translated as it was."""
    texts = texts_of(request.text, request.encoding, request.output, "translate")
    single = isinstance(texts, list)
    check_paths(request, single)
    # Only this implementation returns the weights.
    settings = {"attn_implementation": "eager"} if request.attention else {}
    tokenizer, model = open_translator(request.checkpoint, request.revision, **settings)
    task = task_of(tokenizer, model, request.source, request.target, request.prefix)
    if task.chosen:
        warn(f"{task.chosen}, the only one that fits in config.json; --prefix gives another")
    translator = Translator(tokenizer, model, task, request.lang, request.beams)
    with writer(request.output) as stream:
        for translation in translator.translate(texts, scored=request.as_json):
            if request.attention:
                write_attention(translator, translation, request.attention)
            print(as_line(translation, request, single), file=stream)
    warn_of(translator)
