"""Commands for training: print a filled config, train."""

from pathlib import Path
from typing import Annotated

import typer

from .options import EPILOG, SETTINGS, GpuId

PANEL = "Train"


def train(
    context: typer.Context,
    config: Annotated[
        str,
        typer.Argument(help="Config file, e.g. configs/textcat.cfg, or any that spaCy trains with"),
    ],
    output: Annotated[Path, typer.Argument(help="Folder for model-best and TensorBoard's logs")],
    corpus: Annotated[Path, typer.Option(help="Folder with train.spacy and dev.spacy")],
    lang: Annotated[str, typer.Option(help="Language of the pipeline's tokenizer: fr, en, xx…")],
    gpu_id: GpuId = -1,
) -> None:
    """Train a pipeline on a converted corpus.

    Any setting of the config can follow: --settings.learn_rate 3e-5. --settings.warmup_steps is a
    tenth of max_steps unless given.
    """
    from ..common.settings import parse_settings
    from ..train import TEXTS, train

    train(Path(config), output, corpus, lang, gpu_id, parse_settings(context.args, TEXTS))


def add_to(app: typer.Typer) -> None:
    app.command(rich_help_panel=PANEL, context_settings=SETTINGS, epilog=EPILOG)(train)
