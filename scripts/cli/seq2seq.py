"""Commands of the encoder lab that need a decoder: translate, restore punctuation and capitals."""

from pathlib import Path
from typing import Annotated

import typer

from .encoders import PANEL, Json
from .options import EPILOG, SETTINGS, Encoding, Revision, Text

Checkpoint = Annotated[
    str,
    typer.Argument(help="Marian, mBART, M2M100, T5 or EncoderDecoderModel: a folder or a hub id"),
]
TextOrFile = Annotated[
    str, typer.Argument(help="A text; or a file with a text a line, also .gz; - for the input")
]


def translate(
    checkpoint: Checkpoint,
    text: TextOrFile,
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
    """Translate a text or a file with a ready-made model.

    A file line by line. Texts are translated sentence by sentence. Says how many sentences were too long for the model, and how many translations have no end.
    """
    from ..seq2seq.translate import Request, translate

    translate(
        Request(
            checkpoint, text, source, target, prefix, beams, output, lang, encoding, revision,
            attention, as_json,
        )
    )  # fmt: skip


def train_restorer(
    context: typer.Context,
    text: Text,
    output: Annotated[Path, typer.Argument(help="Folder for the encoder-decoder")],
    encoder: Annotated[
        str,
        typer.Option(
            help="Encoder to begin with, such as `pretrain` makes; cased: a folder or a hub id"
        ),
    ],
    revision: Revision = "",
    config: Annotated[
        Path | None,
        typer.Option(help="Config file with the settings", show_default="configs/restoring.cfg"),
    ] = None,
    encoding: Encoding = None,
) -> None:
    """Train a restorer of punctuation and capitals.

    It is an encoder-decoder on a pretrained encoder, and learns from text that has them, such as books. Scores it on held-out lines, beside two baselines. Settings can be overridden: --training.max_steps 5000. An interrupted training resumes when run again.
    """
    from ..common.settings import parse_settings
    from ..seq2seq.train_restorer import train_restorer

    given = parse_settings(context.args)
    train_restorer(text, output, encoder, revision, config, encoding, given)


def restore(
    checkpoint: Annotated[
        str, typer.Argument(help="What `train-restorer` made: a folder or a hub id")
    ],
    text: TextOrFile,
    output: Annotated[
        Path | None, typer.Option(help="Write the texts to this file, complete or not at all")
    ] = None,
    encoding: Encoding = None,
    revision: Revision = "",
    as_json: Json = False,
) -> None:
    """Restore the punctuation and capitals of a text or a file.

    A file line by line. The words stay as they are, and so do marks and capitals that the text has, unless it is all in capitals.
    """
    from ..seq2seq.restore import restore

    restore(checkpoint, text, output, encoding, revision, as_json)


def add_to(app: typer.Typer) -> None:
    for command in (translate, restore):
        app.command(rich_help_panel=PANEL, epilog=EPILOG)(command)
    app.command(rich_help_panel=PANEL, epilog=EPILOG, context_settings=SETTINGS)(train_restorer)
