"""Arguments and options shared by several commands."""

from pathlib import Path
from typing import Annotated

import typer

TRACEBACK = "--traceback"
EPILOG = f"{TRACEBACK}, or SCRIPTS_TRACEBACK=1: show the traceback of an error, for a bug report."
# For commands with a config: unknown options override settings of the config.
SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True}

PIPELINE = typer.Argument(
    help="Folder of a training or a pipeline, or name of an installed package"
)
CORPUS = typer.Argument(help="Folder of a converted corpus")
METRICS = typer.Argument(help="Metrics written by `evaluate`: metrics/<pipeline>.json")
ENCODER = typer.Argument(help="Hugging Face checkpoint: a local folder or a hub id")
TEXT = typer.Argument(help="Raw text: a file, or a folder of .txt and .trs files, also .gz")

Pipeline = Annotated[str, PIPELINE]
Corpus = Annotated[Path, CORPUS]
Metrics = Annotated[Path, METRICS]
Encoder = Annotated[str, ENCODER]
Text = Annotated[Path, TEXT]
GpuId = Annotated[int, typer.Option(help="GPU to use; -1 for the CPU")]
Revision = Annotated[str, typer.Option(help="Branch, tag or commit on the hub (default: main)")]
Encoding = Annotated[str | None, typer.Option(help="Encoding of the text, if not UTF-8")]
Precision = Annotated[
    str, typer.Option(help="float32, bfloat16, or auto: the faster one on this CPU, measured")
]
OnnxPrecision = Annotated[
    str,
    typer.Option(
        help="int8: no text's result depends on others in its batch; int8-fastest: it may; float32: results are those of the pipeline"
    ),
]
MaxLoss = Annotated[
    float,
    typer.Option(
        min=0, help="Refuse a greater loss of score on test: the low end of its 95 % interval"
    ),
]
PageLanguage = Annotated[
    str, typer.Option(help="fr or en (default: fr for a French pipeline, else en)")
]
