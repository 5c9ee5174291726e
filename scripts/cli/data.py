"""Commands for data: fetching and converting corpora."""

import inspect
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from ..corpora.options import Options, Plan
from ..corpora.readers import AUTO, FORMATS
from .options import EPILOG, SETTINGS, Corpus, GpuId, Precision, Revision

PANEL = "Data"


def fetch(
    corpus: Annotated[str, typer.Argument(help="A corpus in configs/sources.yml: sst2, flue, …")],
    output: Annotated[Path, typer.Argument(help="Folder for the raw files, such as assets/sst2")],
    id: Annotated[str, typer.Option(help="Another dataset on the hub with the same columns")] = "",
    config: Annotated[str, typer.Option(help="Configuration of the dataset")] = "",
    revision: Annotated[
        str, typer.Option(help="Branch, tag or commit of the dataset (default: main)")
    ] = "",
    url: Annotated[
        str, typer.Option(help="Another URL of an archive or text; requires --sha256")
    ] = "",
    digest: Annotated[str, typer.Option("--sha256", help="SHA-256 of the file at --url")] = "",
    downloads: Annotated[Path, typer.Option(help="Folder for downloaded archives")] = Path(
        "assets/downloads"
    ),
) -> None:
    """Download a corpus into assets/.

    If OUTPUT already has files, they are used as they are.
    """
    from ..fetch import fetch

    fetch(corpus, output, id, config, revision, url, digest, downloads)


def check(
    corpus: Corpus,
    encoder: Annotated[
        str,
        typer.Option(help="Encoder whose pieces to count (default: the demo's, if it is there)"),
    ] = "",
    revision: Revision = "",
    output: Annotated[
        Path | None, typer.Option("--json", help="Also write everything to a JSON file")
    ] = None,
) -> None:
    """Check a converted corpus before training.

    Label balance; lengths; duplicates, and texts shared between splits, nearly equal ones too; entities annotated in several ways, or here and not there; their borders; languages. Reads all of it, twice, in little memory.
    """
    from ..check import check

    check(corpus, encoder, revision, output)


def label_errors(
    corpus: Corpus,
    encoder: Annotated[str, typer.Option(help="Encoder to read with: a folder or a hub id")],
    split: Annotated[str, typer.Option(help="The split to look at")] = "train",
    task: Annotated[
        str, typer.Option(help="ner, textcat or textcat_multilabel (default: what the corpus has)")
    ] = "",
    limit: Annotated[int, typer.Option("--show", min=1, help="Number of them to print")] = 20,
    output: Annotated[
        Path | None,
        typer.Option("--json", help="Also write them, up to a thousand, to a JSON file"),
    ] = None,
    revision: Revision = "",
    precision: Precision = "auto",
) -> None:
    """List the likely label errors of a corpus.

    Each example is predicted by a linear model on the encoder's vectors that has not seen it (out of fold): the surer it is that the given label is wrong, the earlier the example comes. Nothing is changed. For test, `evaluate` lists those of the trained pipeline.
    """
    from ..label_errors import label_errors

    label_errors(corpus, encoder, split, task, output, limit, revision, precision)


def with_fields(command: Callable[..., None], options: Collection[str]) -> Callable[..., None]:
    """Give a command the fields of `Plan`, and some of `Options`, as its options, in place of its
    keyword arguments."""
    parameters = list(inspect.signature(command).parameters.values())[:-1]
    for kind in (Plan, Options):
        for field, annotation in get_type_hints(kind, include_extras=True).items():
            if kind is Plan or field in options:
                parameters.append(
                    inspect.Parameter(
                        field, inspect.Parameter.KEYWORD_ONLY, annotation=annotation,
                        default=kind._field_defaults[field],
                    )
                )  # fmt: skip
    command.__signature__ = inspect.Signature(parameters)
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def fields_of(values: dict[str, Any]) -> tuple[Plan, Options]:
    """Return the values of a command's options as what declares them."""
    return tuple(
        kind(**{key: values[key] for key in kind._fields if key in values})
        for kind in (Plan, Options)
    )


def command_for(name: str) -> Callable[..., None]:
    """Return the command that converts a format."""

    def command(
        input: Annotated[
            Path, typer.Argument(help="Raw corpus: a file, or a folder with one file per split")
        ],
        output_dir: Annotated[Path, typer.Argument(help="Folder for *.spacy and report.json")],
        lang: Annotated[str, typer.Option(help="Language of the texts: fr, en, xx…")],
        **values: Any,
    ) -> None:
        from ..convert import convert_and_print

        convert_and_print(name, input, output_dir, lang, *fields_of(values))

    return with_fields(command, Options._fields if name == AUTO else FORMATS[name].options)


def own_command() -> Callable[..., None]:
    """Return the command that does everything for a corpus of the user's own."""

    def own(
        context: typer.Context,
        input: Annotated[
            Path, typer.Argument(help="A file or folder, as an annotation tool exports it")
        ],
        lang: Annotated[
            str, typer.Option(help="Language of the texts: fr, en, xx… (default: recognised)")
        ] = "",
        name: Annotated[str, typer.Option(help="Name (default: that of the file)")] = "",
        format: Annotated[
            str, typer.Option(help="Format, as in `convert` (default: recognised)")
        ] = "",
        encoder: Annotated[
            str, typer.Option(help="Encoder: a folder or a hub id (default: that of the demo)")
        ] = "",
        output: Annotated[
            Path, typer.Option(help="Folder for corpus/, training/, metrics/, packages/, reports/")
        ] = Path(),
        version: Annotated[str, typer.Option(help="Version of the package")] = "0.1.0",
        dry: Annotated[
            bool, typer.Option("--dry", help="Print what was found and decided, and stop")
        ] = False,
        gpu_id: GpuId = -1,
        **values: Any,
    ) -> None:
        from ..common.settings import parse_settings
        from ..config import TEXTS
        from ..own import Request, own

        plan, options = fields_of(values)
        overrides = parse_settings(context.args, TEXTS)
        own(
            Request(
                input, format, name, lang, encoder, output, version, dry, plan, options, gpu_id,
                overrides,
            )
        )  # fmt: skip

    return with_fields(own, Options._fields)


def add_to(app: typer.Typer) -> None:
    app.command(
        "own", rich_help_panel=PANEL, context_settings=SETTINGS, epilog=EPILOG,
        help="Make a wheel and a page from a corpus of your own.\n\n"
        "Format, task and language are recognised, and printed with every other decision. Settings of "
        "the training can follow: --settings.max_steps 500.",
    )(own_command())  # fmt: skip
    app.command(rich_help_panel=PANEL)(fetch)
    formats = typer.Typer(no_args_is_help=True)
    formats.command(
        AUTO, epilog=EPILOG,
        help="Any of the formats below, recognised by its files; what was found is printed first.",
    )(command_for(AUTO))  # fmt: skip
    for name, format in FORMATS.items():
        formats.command(name, help=f"{format.description}.", epilog=EPILOG)(command_for(name))
    app.add_typer(
        formats, name="convert", rich_help_panel=PANEL,
        help="Convert a raw corpus to DocBin; one subcommand per format.",
    )  # fmt: skip
    for command in (check, label_errors):
        app.command(rich_help_panel=PANEL, epilog=EPILOG)(command)
