"""Commands of the encoder lab that need a decoder: translate."""

from pathlib import Path
from typing import Annotated

import typer

from .encoders import PANEL, Json
from .options import EPILOG, Encoding, Revision

Checkpoint = Annotated[
    str,
    typer.Argument(help="Marian, mBART, M2M100, T5 or EncoderDecoderModel: a folder or a hub id"),
]


def translate(
    checkpoint: Checkpoint,
    text: Annotated[
        str, typer.Argument(help="A text; or a file with a text a line, also .gz; - for the input")
    ],
    source: Annotated[
        str, typer.Option("--from", help="Source language, where the model has several: fr, fr_XX…")
    ] = "",
    target: Annotated[
        str, typer.Option("--to", help="Target language, where the model has several: en, en_XX…")
    ] = "",
    prefix: Annotated[
        str | None,
        typer.Option(help="Task prefix of a T5: 'translate English to French: ' ('': none)"),
    ] = None,
    beams: Annotated[
        int, typer.Option(min=0, help="Beams of the search (0: what the checkpoint says)")
    ] = 0,
    output: Annotated[
        Path | None,
        typer.Option(help="Write the translations to this file, complete or not at all"),
    ] = None,
    lang: Annotated[
        str,
        typer.Option(help="Language of spaCy's sentencizer (default: that of the source, or xx)"),
    ] = "",
    encoding: Encoding = None,
    revision: Revision = "",
    attention: Annotated[
        Path | None, typer.Option(help="Write an HTML page that shows the attention for a sentence")
    ] = None,
    as_json: Json = False,
) -> None:
    """Translate a text, or a file line by line, with a ready-made model.

    Texts are translated sentence by sentence. Says how many sentences were too long for the model, and how many translations have no end.
    """
    from ..seq2seq.translate import Request, translate

    translate(
        Request(
            checkpoint, text, source, target, prefix, beams, output, lang, encoding, revision,
            attention, as_json,
        )
    )  # fmt: skip


def add_to(app: typer.Typer) -> None:
    app.command(rich_help_panel=PANEL, epilog=EPILOG)(translate)
