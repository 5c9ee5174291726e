"""The options of `convert`, each declared once: how a corpus is written, and what to do with it."""

from typing import Annotated, Literal, NamedTuple

import typer

# A quoted field with more lines is treated as an unclosed quote.
FIELD_LINES = 20
FORMAT = "Format of the corpus, if it is not detected"
PROCESSING = "Processing"


class Plan(NamedTuple):
    """What to do with a corpus. A ratio of None is the format's default."""

    split: Annotated[
        Literal["train", "dev", "test"],
        typer.Option(help="Split for which a single file is used; others are kept"),
    ] = "train"
    dev_ratio: Annotated[
        float | None,
        typer.Option(min=0, max=0.9, help="Fraction of train to carve off as dev"),
    ] = None
    test_ratio: Annotated[
        float | None,
        typer.Option(min=0, max=0.9, help="Fraction of train to carve off as test"),
    ] = None
    carve: Annotated[
        bool,
        typer.Option(
            "--carve",
            help="Carve dev (10 %) and test (20 %) off train where the corpus lacks them, by a hash of each "
            "text: a later version of the corpus keeps them",
        ),
    ] = False
    train_size: Annotated[
        int | None, typer.Option(min=1, help="Size of a random sample of train to keep")
    ] = None
    seed: Annotated[int, typer.Option(help="Seed for carving and sampling, not for training")] = 0
    drop_duplicates: Annotated[
        bool,
        typer.Option(
            "--drop-duplicates",
            help="Keep only the first copy of each text in a split",
            rich_help_panel=PROCESSING,
        ),
    ] = False
    drop_leaks: Annotated[
        bool,
        typer.Option(
            "--drop-leaks", rich_help_panel=PROCESSING,
            help="Drop texts from train that are in dev or test, and from dev that are in test",
        ),
    ] = False  # fmt: skip
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Treat defects as errors instead of repairing them",
            rich_help_panel=PROCESSING,
        ),
    ] = False


class Options(NamedTuple):
    """How a corpus is written; None means that it is detected. Each format lists the fields that
    apply to it."""

    encoding: Annotated[
        str | None,
        typer.Option(
            help="Encoding, if neither UTF-8 nor given by a byte order mark: iso-8859-1, windows-1252…",
            rich_help_panel=FORMAT,
        ),
    ] = None
    token_column: Annotated[
        int | None,
        typer.Option(
            help="Number of the token column, from 1; -1 is the last", rich_help_panel=FORMAT
        ),
    ] = None
    tag_column: Annotated[
        int | None,
        typer.Option(
            help="Number of the tag column, from 1; -1 is the last", rich_help_panel=FORMAT
        ),
    ] = None
    max_words: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Split longer sentences, but not within entities (default: 250)",
            rich_help_panel=FORMAT,
        ),
    ] = None
    columns: Annotated[
        str | None,
        typer.Option(
            help="Names of the columns of a file without a header: sentence,label",
            rich_help_panel=FORMAT,
        ),
    ] = None
    text_column: Annotated[
        str | None,
        typer.Option(
            help="Name of the text column (default: text, review or sentence)",
            rich_help_panel=FORMAT,
        ),
    ] = None
    label_column: Annotated[
        str | None,
        typer.Option(
            help="Name of the column with labels or entities (default: label, labels, entities or spans)",
            rich_help_panel=FORMAT,
        ),
    ] = None
    label_names: Annotated[
        str | None,
        typer.Option(help="New names of labels: 0=negative,1=positive", rich_help_panel=FORMAT),
    ] = None
    overlaps: Annotated[
        Literal["longest"] | None,
        typer.Option(
            help="Which of overlapping entities to keep (default: they are an error)",
            rich_help_panel=FORMAT,
        ),
    ] = None
    label_separator: Annotated[
        str | None,
        typer.Option(
            help="Separator of several labels in one cell, such as , or #; none: each cell is a "
            "single label",
            rich_help_panel=FORMAT,
        ),
    ] = None
    quoting: Annotated[
        Literal["none", "minimal"] | None,
        typer.Option(
            help="none: quotes are text; minimal: quoted fields may have any length (default: one of "
            f"more than {FIELD_LINES} lines is an error)",
            rich_help_panel=FORMAT,
        ),
    ] = None
    category: Annotated[
        str | None,
        typer.Option(help="Read only one category: books, dvd or music", rich_help_panel=FORMAT),
    ] = None
