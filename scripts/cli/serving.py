"""The command that serves trained pipelines."""

from pathlib import Path
from typing import Annotated

import typer

from .options import EPILOG, GpuId, Precision
from .pipelines import PANEL


def serve(
    pipelines: Annotated[
        list[str],
        typer.Argument(
            help="Folders of trainings or pipelines, or names of installed packages; NAME=PIPELINE names one",
            metavar="PIPELINE...",
        ),
    ],
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0: every one of this machine")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one")] = 8000,
    max_texts: Annotated[int, typer.Option(min=1, help="Texts in a request")] = 1000,
    max_chars: Annotated[int, typer.Option(min=1, help="Characters in a text")] = 50_000,
    max_seconds: Annotated[int, typer.Option(min=1, help="Seconds until an answer")] = 60,
    corpus: Annotated[
        list[Path],
        typer.Option(
            help="Corpus with examples to click; can be given several times (default: in corpus/, those the pipelines were trained on)"
        ),
    ] = [],
    allow_host: Annotated[
        list[str],
        typer.Option(help="Host name by which it may be called; can be given several times"),
    ] = [],
    allow_origin: Annotated[
        list[str],
        typer.Option(
            help="Site whose pages may use the API (https://…); can be given several times"
        ),
    ] = [],
    gpu_id: GpuId = -1,
    precision: Precision = "auto",
) -> None:
    """Try pipelines in a browser; a JSON API too.

    Only this machine can reach it, unless `--host` says otherwise. Texts are neither kept nor logged. The API is described at /docs and in /openapi.json.
    """
    from ..serve import serve

    serve(
        pipelines, host, port, max_texts, max_chars, max_seconds, corpus, allow_host, allow_origin, gpu_id,
        precision,
    )  # fmt: skip


def add_to(app: typer.Typer) -> None:
    app.command(rich_help_panel=PANEL, epilog=EPILOG)(serve)
