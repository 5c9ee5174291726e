"""What a user says about a raw corpus, and wants done with it; each option is declared here alone."""

from typing import Annotated, Literal, NamedTuple

import typer

# A quoted field of more lines is taken for a quote that was never closed.
FIELD_LINES = 20
HOW = "How the corpus is written, where the files do not tell"
WHAT = "What is done with it"


class Plan(NamedTuple):
    """What is wanted of a conversion. Ratios of None: the format's own."""

    split: Annotated[
        Literal["train", "dev", "test"],
        typer.Option(help="The split that a single file becomes; the others stay"),
    ] = "train"
    dev_ratio: Annotated[
        float | None,
        typer.Option(min=0, max=0.9, help="Share of train to carve off as dev"),
    ] = None
    test_ratio: Annotated[
        float | None,
        typer.Option(min=0, max=0.9, help="Share of train to carve off as test"),
    ] = None
    train_size: Annotated[
        int | None, typer.Option(min=1, help="Keep a random sample of so many training examples")
    ] = None
    seed: Annotated[
        int, typer.Option(help="Seed of the carving and sampling; training has its own")
    ] = 0
    drop_duplicates: Annotated[
        bool,
        typer.Option(
            "--drop-duplicates", help="Keep the first of each text in a split", rich_help_panel=WHAT
        ),
    ] = False
    drop_leaks: Annotated[
        bool,
        typer.Option(
            "--drop-leaks", rich_help_panel=WHAT,
            help="Drop from train what is in dev or test, and from dev what is in test",
        ),
    ] = False  # fmt: skip
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Repair nothing: a defect is an error", rich_help_panel=WHAT),
    ] = False


class Options(NamedTuple):
    """What the user says about how a corpus is written; None: detected. A format names those that
    apply to it."""

    encoding: Annotated[
        str | None,
        typer.Option(
            help="Encoding, if neither UTF-8 nor marked: iso-8859-1, windows-1252…",
            rich_help_panel=HOW,
        ),
    ] = None
    token_column: Annotated[
        int | None,
        typer.Option(help="Column of the token, from 1; -1 is the last", rich_help_panel=HOW),
    ] = None
    tag_column: Annotated[
        int | None,
        typer.Option(help="Column of the tag, from 1; -1 is the last", rich_help_panel=HOW),
    ] = None
    max_words: Annotated[
        int | None,
        typer.Option(
            min=1, help="Cut longer sentences, outside entities (default: 250)", rich_help_panel=HOW
        ),
    ] = None
    columns: Annotated[
        str | None,
        typer.Option(help="Columns of files without a header: sentence,label", rich_help_panel=HOW),
    ] = None
    text_column: Annotated[
        str | None,
        typer.Option(help="Column of the text (default: text)", rich_help_panel=HOW),
    ] = None
    label_column: Annotated[
        str | None,
        typer.Option(
            help="Column of the label or the entities (default: label, entities, spans)",
            rich_help_panel=HOW,
        ),
    ] = None
    label_names: Annotated[
        str | None,
        typer.Option(help="Names for the labels: 0=negative,1=positive", rich_help_panel=HOW),
    ] = None
    overlaps: Annotated[
        Literal["longest"] | None,
        typer.Option(
            help="Of overlapping entities keep the longest (default: an error)", rich_help_panel=HOW
        ),
    ] = None
    label_separator: Annotated[
        str | None,
        typer.Option(
            help="What separates the labels of a text in its cell, such as , or #; none: each cell "
            "is one label",
            rich_help_panel=HOW,
        ),
    ] = None
    quoting: Annotated[
        Literal["none", "minimal"] | None,
        typer.Option(
            help="none: quotes are text; minimal: a quoted field may have any length (default: one "
            f"of over {FIELD_LINES} lines is an error)",
            rich_help_panel=HOW,
        ),
    ] = None
    category: Annotated[
        str | None,
        typer.Option(help="One category alone: books, dvd or music", rich_help_panel=HOW),
    ] = None
