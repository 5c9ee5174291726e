"""Commands for data: get a corpus, convert it."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from ..corpora import FORMATS
from ..corpora.options import Options, Plan
from .options import EPILOG

PANEL = "Data"


def fetch(
    corpus: Annotated[str, typer.Argument(help="A corpus of configs/sources.yml: sst2, flue, …")],
    output: Annotated[Path, typer.Argument(help="Folder for the raw files, e.g. assets/sst2")],
    id: Annotated[str, typer.Option(help="Another data set of the hub with the same columns")] = "",
    config: Annotated[str, typer.Option(help="Its configuration")] = "",
    revision: Annotated[
        str, typer.Option(help="Its branch, tag or commit (default: the main branch)")
    ] = "",
    url: Annotated[
        str, typer.Option(help="Another address of an archive or a text; needs --sha256")
    ] = "",
    digest: Annotated[str, typer.Option("--sha256", help="sha256 of that file")] = "",
    downloads: Annotated[Path, typer.Option(help="Where archives are kept")] = Path(
        "assets/downloads"
    ),
) -> None:
    """Download a corpus into assets/.

    Files that are already in OUTPUT are used as they are.
    """
    from ..fetch import fetch

    fetch(corpus, output, id, config, revision, url, digest, downloads)


def command_for(name: str) -> Callable[..., None]:
    """Return the command that converts a format, with the options that apply to it: fields of `Plan`
    and `Options`, where they are declared."""

    def command(
        input: Annotated[
            Path, typer.Argument(help="Raw corpus: a file, or a folder with a file per split")
        ],
        output_dir: Annotated[Path, typer.Argument(help="Folder for *.spacy and report.json")],
        lang: Annotated[str, typer.Option(help="Language of the texts: fr, en, xx…")],
        **given: Any,
    ) -> None:
        from ..convert import convert_and_print

        plan, options = (
            kind(**{key: given[key] for key in kind._fields if key in given})
            for kind in (Plan, Options)
        )
        convert_and_print(name, input, output_dir, lang, plan, options)

    parameters = list(inspect.signature(command).parameters.values())[:-1]
    for kind in (Plan, Options):
        for field, annotation in get_type_hints(kind, include_extras=True).items():
            if kind is Plan or field in FORMATS[name].options:
                parameters.append(
                    inspect.Parameter(
                        field, inspect.Parameter.KEYWORD_ONLY, annotation=annotation,
                        default=kind._field_defaults[field],
                    )
                )  # fmt: skip
    command.__signature__ = inspect.Signature(parameters)
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def add_to(app: typer.Typer) -> None:
    app.command(rich_help_panel=PANEL)(fetch)
    formats = typer.Typer(no_args_is_help=True)
    for name, format in FORMATS.items():
        formats.command(name, help=f"{format.about}.", epilog=EPILOG)(command_for(name))
    app.add_typer(
        formats, name="convert", rich_help_panel=PANEL,
        help="Convert a raw corpus to DocBin, a subcommand per format.",
    )  # fmt: skip
