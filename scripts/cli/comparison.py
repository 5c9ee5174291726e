"""The command that compares trained pipelines."""

from pathlib import Path
from typing import Annotated

import typer

from .options import EPILOG, GpuId, PageLanguage, Precision
from .pipelines import PANEL


def compare(
    pipelines: Annotated[
        list[str],
        typer.Argument(
            help="Pipelines (folders or installed packages), or metrics files with their predictions beside them; the first one is what the others are compared with",
            metavar="A B [C]…",
        ),
    ],
    corpus: Annotated[Path, typer.Option(help="Folder of a converted corpus")],
    output: Annotated[Path, typer.Option(help="Page to write, e.g. reports/a-b.html")],
    split: Annotated[str, typer.Option(help="The split to compare on")] = "test",
    task: Annotated[
        str, typer.Option(help="ner, textcat or textcat_multilabel, if they share several")
    ] = "",
    names: Annotated[
        str,
        typer.Option(
            "--map", help="Rename labels of the pipelines: PERSON=PER,GPE=LOC; DATE= drops one"
        ),
    ] = "",
    limit: Annotated[
        int, typer.Option(min=0, help="How many texts that changed the page shows, of each kind")
    ] = 50,
    gpu_id: GpuId = -1,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Predict again, even if predictions exist")
    ] = False,
    precision: Precision = "auto",
    page_language: PageLanguage = "",
) -> None:
    """Compare pipelines on one split of a corpus.

    Scores with intervals, differences to the first one with a paired test (exact McNemar for accuracy, bootstrap for F; of several, corrected by Holm's method), texts that became right or wrong, speed, size. Any spaCy pipeline will do. Writes a page, the figures as JSON, and the predictions of pipelines beside it, which later calls read. Metrics of another split are refused.
    """
    from ..compare import compare

    compare(
        pipelines,
        corpus,
        output,
        split,
        task,
        names,
        gpu_id,
        fresh,
        precision,
        limit,
        page_language,
    )


def add_to(app: typer.Typer) -> None:
    app.command(rich_help_panel=PANEL, epilog=EPILOG)(compare)
