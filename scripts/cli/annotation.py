"""The command that annotates corpora."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from .options import EPILOG, Encoding, GpuId, Pipeline, Precision
from .pipelines import PANEL


def annotate(
    pipeline: Pipeline,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Files, folders or 'patterns*' of .txt, .csv, .tsv, .json(l) and .parquet, plain or as "
            ".gz, .bz2, .xz, .zst",
        ),
    ],
    output: Annotated[
        Path, typer.Argument(help="Folder for the parts; the same command goes on in it")
    ],
    format: Annotated[
        Literal["parquet", "jsonl", "docbin"], typer.Option(help="Format of the parts")
    ] = "parquet",
    text_column: Annotated[
        str | None, typer.Option(help="Name of the text column (default: text, review…)")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(help="Names of the columns of tables without a header: sentence,label"),
    ] = None,
    encoding: Encoding = None,
    quoting: Annotated[
        Literal["none", "minimal"] | None,
        typer.Option(help="none: quotes are text; minimal: quoted fields may have any length"),
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="Each .txt file is one text, not a text a line")
    ] = False,
    part_rows: Annotated[
        int, typer.Option(min=0, help="Rows of a part; 0: by their number, up to 10,000")
    ] = 0,
    processes: Annotated[
        int,
        typer.Option(min=0, help="Processes of one thread; 0: one a core, if measured as faster"),
    ] = 0,
    strict: Annotated[
        bool, typer.Option("--strict", help="End at the first row that cannot be annotated")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Delete what an earlier run wrote, and begin again")
    ] = False,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="This machine, or Ray: a cluster")
    ] = "local",
    address: Annotated[
        str, typer.Option(help="Cluster of Ray: auto, HOST:PORT (default: this machine alone)")
    ] = "",
    gpus: Annotated[
        int, typer.Option(min=0, help="GPUs of a cluster to use, a worker each; 0: cores")
    ] = 0,
    gpu_id: GpuId = -1,
    precision: Precision = "auto",
) -> None:
    """Annotate files of any size into a folder.

    Each row gets an id, FILE:NUMBER, and keeps its columns; `entities`, `cats`, `label`, `score` or `labels` are added. Rows that cannot be annotated are listed
    in `_errors`, with the reason. If it is interrupted, even by a power cut, the same command goes on; each row is annotated once.
    """
    from ..annotate import Request, annotate
    from ..corpora.options import Options

    options = Options(encoding=encoding, columns=columns, text_column=text_column, quoting=quoting)
    annotate(
        Request(
            pipeline, inputs, output, options, format, whole, part_rows, strict, gpu_id, precision,
            processes, engine, address, gpus, fresh,
        )
    )  # fmt: skip


def add_to(app: typer.Typer) -> None:
    app.command(rich_help_panel=PANEL, epilog=EPILOG)(annotate)
