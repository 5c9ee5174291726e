"""Translate a text or a file: `python -m scripts translate CHECKPOINT "texte"`."""

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from tqdm import tqdm

from ..common.errors import UserError, warn
from ..common.files import check_file, written_beside
from ..common.raw_text import read_texts
from ..common.rawfile import plain_path
from .attention import write_attention
from .task import open_translator, task_of
from .translator import Translation, Translator

INPUT = "-"
# Endings of file names, for telling a path that does not exist from a text.
FILES = re.compile(
    r"(?i).*\.(txt|trs|md|html?|xml|csv|tsv|jsonl?|parquet|xlsx?|pdf|docx?|odt|srt|gz|bz2|xz|zst)"
)
PATH = re.compile(r"\S*[/\\]\S*|\S+\.\w{1,4}")
TABLES = (".csv", ".tsv", ".json", ".jsonl", ".parquet", ".xlsx")


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


def is_file(text: str) -> bool:
    """Return whether TEXT is a file, or the input. Raises UserError for a folder, and for what looks
    like the path of a file and is none."""
    if text == INPUT or os.path.isfile(text):
        return True
    if os.path.isdir(text):
        raise UserError(
            f"{text}: is a folder; give a file with a text a line. To translate it as a text, end it "
            "with a space."
        )
    if FILES.fullmatch(text) or PATH.fullmatch(text):
        raise UserError(f"{text}: no such file; to translate it as a text, end it with a space.")
    if not text.strip():
        raise UserError("the text is empty; give at least one word.")
    return False


def input_lines(encoding: str | None) -> Iterator[str]:
    """Yield the lines of the standard input. Raises UserError if they are not text."""
    sys.stdin.reconfigure(encoding=encoding or "utf-8-sig", errors="strict", newline="\n")
    try:
        for line in sys.stdin:
            yield line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UserError(f"input: not valid {error.encoding}; pass its --encoding.") from error


def texts_of(request: Request) -> Iterable[str]:
    """Return the texts to translate, with a progress bar for those of a file.

    A file is read once before, so that what is wrong with it is said before hours of work.
    Raises UserError.
    """
    if not is_file(request.text):
        return [request.text]
    # On a terminal, the bar and the translations would write over each other.
    hidden = request.output is None and sys.stdout.isatty()
    if request.text == INPUT:
        return tqdm(input_lines(request.encoding), "translate", unit=" texts", disable=hidden)
    path = Path(request.text)
    if plain_path(path).suffix.lower() in TABLES:
        raise UserError(f"{request.text}: is a table; give a file with a text a line.")
    total = sum(1 for _ in read_texts(path, request.encoding))
    lines = read_texts(path, request.encoding)
    return tqdm(lines, "translate", total, unit=" texts", disable=hidden)


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


@contextmanager
def writer(output: Path | None) -> Iterator[TextIO]:
    """Yield where to write: a file, complete or not at all, or the standard output."""
    if output:
        with (
            written_beside(output.parent) as folder,
            (folder / output.name).open("w", encoding="utf8", newline="\n") as stream,
        ):
            yield stream
        return
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        # What reads it, such as `head`, has read enough; Python would write the rest as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def check_paths(request: Request, single: bool) -> None:
    """Raise UserError for paths that cannot be written, or would overwrite what is read."""
    for path in filter(None, (request.output, request.attention)):
        check_file(path)
        if not single and path.exists() and path.samefile(request.text):
            raise UserError(f"{path}: is the file to translate; give another path.")
    if request.attention and not single:
        raise UserError("--attention draws a single sentence; give it instead of a file.")
    if request.attention and request.attention == request.output:
        raise UserError(f"--attention and --output are both {request.output}; give two paths.")


def warn_of(translator: Translator) -> None:
    """Say how many sentences were cut, and how many translations have no end."""
    if translator.cut:
        warn(
            f"{translator.cut} sentences were longer than the {translator.limit} pieces that the "
            "model takes; they were cut, at white space where there is any, and translated in parts"
        )
    if translator.incomplete:
        warn(
            f"{translator.incomplete} translations reached {translator.new} pieces without an end, "
            "and are probably incomplete"
        )


def translate(request: Request) -> None:
    """Translate a text, or a file line by line, and say what could not be translated as it was."""
    texts = texts_of(request)
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
