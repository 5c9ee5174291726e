"""Restore marks and capitals: `python -m scripts restore CHECKPOINT "bonjour comment allez-vous"`."""

import json
from pathlib import Path

from ..common.errors import warn
from .restorer import Restored, open_restorer
from .texts import check_output, texts_of, writer


def as_json(one: Restored) -> str:
    """Return a restored text as an object of --json."""
    return json.dumps(
        {"source": one.source, "restored": one.text, "words": one.words}, ensure_ascii=False
    )


def restore(
    checkpoint: str,
    text: str,
    output: Path | None,
    encoding: str | None,
    revision: str,
    json_lines: bool,
) -> None:
    """Write a text, or each text of a file, with its marks and capitals; say how many words the model does
    not know. Raises UserError."""
    texts = texts_of(text, encoding, output, "restore")
    if output:
        check_output(output, text, isinstance(texts, list))
    restorer = open_restorer(checkpoint, revision)
    words = kept = 0
    with writer(output) as stream:
        for one in restorer.restore(texts):
            words, kept = words + len(one.words), kept + one.kept
            print(as_json(one) if json_lines else one.text, file=stream)
    if kept:
        warn(f"{kept:,} of {words:,} words are unknown to the model, and kept their letters")
