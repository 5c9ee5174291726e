"""Restore marks and capitals: `python -m scripts restore CHECKPOINT "bonjour comment allez-vous"`."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from tqdm import tqdm

from ..common.errors import UserError, warn
from ..common.files import check_file, written_beside
from ..common.raw_text import TRANSCRIPT, turns
from ..common.rawfile import RawFile, plain_path
from .restorer import open_restorer


def lines_of(path: Path, encoding: str | None) -> Iterator[str]:
    """Yield the texts of a file: its lines, empty ones included, or the turns of a transcript."""
    file = RawFile(path, encoding)
    if plain_path(path).suffix.lower() == TRANSCRIPT:
        yield from turns(file)
    else:
        yield from (line for _, line in file.lines())


def restore(
    checkpoint: str,
    text: str,
    output: Path | None,
    encoding: str | None,
    revision: str,
    as_json: bool,
) -> None:
    """Print or write a text, or each line of a file, with its marks and capitals; say how many words the
    model does not know. Raises UserError."""
    is_file = os.path.isfile(text)
    if not is_file and " " not in text.strip() and Path(text).suffix in (".txt", ".trs", ".gz"):
        raise UserError(f"{text}: no such file; give the path of a text, or a text.")
    if output:
        check_file(output)
        if is_file and output.exists() and output.samefile(text):
            raise UserError(f"{output}: is the file to restore; give another path.")
    restorer = open_restorer(checkpoint, revision)
    texts = [text]
    if is_file:
        hidden = output is None and sys.stdout.isatty()
        total = sum(1 for _ in lines_of(Path(text), encoding))
        texts = tqdm(
            lines_of(Path(text), encoding), "restore", total, unit=" texts", disable=hidden
        )
    words = kept = 0
    with written_beside(output.parent) if output else nullcontext() as folder:
        stream = (folder / output.name).open("w", encoding="utf8") if output else sys.stdout
        for one in restorer.restore(texts):
            words, kept = words + len(one.words), kept + one.kept
            found = {"source": one.source, "restored": one.text, "words": one.words}
            print(json.dumps(found, ensure_ascii=False) if as_json else one.text, file=stream)
        if output:
            stream.close()
    if kept:
        warn(f"{kept:,} of {words:,} words are unknown to the model, and kept their letters")
