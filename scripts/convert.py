"""Any raw corpus to DocBin: `python -m scripts.convert FORMAT INPUT OUTPUT_DIR --lang fr`."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path

import typer
from wasabi import msg

from .corpora import FORMATS
from .corpora.conversion import Plan, convert
from .corpora.examples import SPLITS, Options
from .corpora.rows import FIELD_LINES
from .corpora.writer import LONG_TOKEN, UNALIGNED
from .errors import run

FormatName = Enum("FormatName", {name: name for name in FORMATS}, type=str)
SplitName = Enum("SplitName", {name: name for name in SPLITS}, type=str)
Quoting = Enum("Quoting", {"none": "none", "minimal": "minimal"}, type=str)
Overlaps = Enum("Overlaps", {"longest": "longest"}, type=str)
HOW = "How the corpus is written, where it does not tell by itself"
WHAT = "What is done with it"


def remarks(report: dict[str, dict]) -> Iterator[tuple[str, int, str, str]]:
    """Yield what a reader of the report should know: what, how often, of which kind, where."""
    for read in report["read"].values():
        for verb in ("skipped", "repaired"):
            for kind, note in read[verb].items():
                yield verb, note["count"], kind, note["first"][0]
    carved = report["carved"]
    for name, asked in carved["asked"].items():
        # A file of its own may have replaced it since.
        if report["splits"].get(name, {}).get("from") == "train":
            count = carved["came out"][name]
            kind = f"example carved from train by {carved['by']}, of {asked:,} asked for"
            if 2 * count < asked:
                kind += ": others are too large for it"
            yield name, count, kind, ""
    if torn := carved["texts in several splits"]:
        yield "carved", torn, "text that occurs too often to be kept in one split", ""
    for name in report["removed"]:
        yield name, 1, "split of an earlier conversion, which this one has not: removed", ""
    for kind, note in report["ignored"].items():
        yield "not used", note["count"], kind, note["first"][0]
    for name, split in report["splits"].items():
        for note, kind in (("unaligned", UNALIGNED), ("long tokens", LONG_TOKEN)):
            if split[note]["count"]:
                yield name, split[note]["count"], kind, split[note]["first"][0]
        if split["duplicates"]:
            yield name, split["duplicates"], "text that occurred before", ""
    for pair, count in report["shared"].items():
        if count:
            yield pair, count, f"text in both {pair.replace('/', ' and ')} (see --drop-leaks)", ""
    several = report["texts annotated in several ways"]
    if several:
        yield "all", several, "text annotated in several ways", ""


def print_report(report: dict[str, dict]) -> None:
    """Show the report in the terminal: a row a split, a row a file, a row for each thing of note."""
    rows = []
    for name, split in report["splits"].items():
        counts = split.get("labels") or split.get("entities") or {}
        kinds = "  ".join(f"{label} {count:,}" for label, count in list(counts.items())[:8])
        kinds += f"  … {len(counts)} in all" if len(counts) > 8 else ""
        rows.append((name, f"{split['examples']:,}", f"{split['tokens']:,}", kinds))
    header = ("split", "examples", "tokens", "labels or entities")
    msg.table(rows, header=header, divider=True, aligns=("l", "r", "r", "l"), max_col=100)
    rows = []
    for name, read in report["read"].items():
        skipped = sum(note["count"] for note in read["skipped"].values())
        written = sum(read["written"].values())
        layout = ", ".join(
            str(value) if key in ("encoding", "tags") else f"{key.replace('_', ' ')} {value}"
            for key, value in read["layout"].items()
            if value
        )
        rows.append((name, f"{read['examples']:,}", f"{written:,}", f"{skipped:,}", layout))
    header = ("file", "read", "written", "skipped", "found out")
    msg.table(rows, header=header, divider=True, aligns=("l", "r", "r", "r", "l"), max_col=100)
    rows = [(what, f"{count:,}", kind, place) for what, count, kind, place in remarks(report)]
    if rows:
        header = ("", "times", "what", "first at")
        msg.table(rows, header=header, divider=True, aligns=("l", "r", "l", "l"), max_col=100)


def main(
    format: FormatName = typer.Argument(..., help="The format of the raw corpus"),
    input: Path = typer.Argument(..., help="Raw corpus: a file, or a folder of one file a split"),
    output_dir: Path = typer.Argument(..., help="Folder for *.spacy and report.json"),
    lang: str = typer.Option(..., help="Language of the texts: fr, en, xx…"),
    split: SplitName = typer.Option("train", help="The split that a single file becomes; others stay"),
    dev_ratio: float | None = typer.Option(
        None, min=0, max=0.9, help="Share of train carved off as dev (default: the format's own)"
    ),
    test_ratio: float | None = typer.Option(
        None, min=0, max=0.9, help="Share of train carved off as test (default: the format's own)"
    ),
    train_size: int | None = typer.Option(
        None, min=1, help="Keep a random sample of this many training examples"
    ),
    seed: int = typer.Option(0, help="Seed of the carving"),
    drop_duplicates: bool = typer.Option(
        False, "--drop-duplicates", help="Keep the first of each text in a split", rich_help_panel=WHAT
    ),
    drop_leaks: bool = typer.Option(
        False, "--drop-leaks", help="Drop from train what is in dev or test, from dev what is in test",
        rich_help_panel=WHAT,
    ),
    strict: bool = typer.Option(
        False, "--strict", help="Take no repairs: a defect is an error", rich_help_panel=WHAT
    ),
    encoding: str | None = typer.Option(
        None, help="Encoding, where it is neither UTF-8 nor told by a mark: iso-8859-1, windows-1252…",
        rich_help_panel=HOW,
    ),
    token_column: int | None = typer.Option(
        None, help="iob: the column of the token, from 1; -1 is the last", rich_help_panel=HOW
    ),
    tag_column: int | None = typer.Option(
        None, help="iob: the column of the tag, from 1; -1 is the last", rich_help_panel=HOW
    ),
    max_words: int | None = typer.Option(
        None, min=1, help="iob: cut longer sentences, outside entities (default: 250)",
        rich_help_panel=HOW,
    ),
    columns: str | None = typer.Option(
        None, help="sst2, cls, table: the columns of files without a header, as sentence,label",
        rich_help_panel=HOW,
    ),
    text_column: str | None = typer.Option(
        None, help="table: the column of the text (default: text)", rich_help_panel=HOW
    ),
    label_column: str | None = typer.Option(
        None, help="table: the column of the label or the entities (default: label, entities, spans)",
        rich_help_panel=HOW,
    ),
    label_names: str | None = typer.Option(
        None, help="table: names for the labels, as 0=negative,1=positive", rich_help_panel=HOW
    ),
    label_separator: str | None = typer.Option(
        None, help="table: what stands between the labels of a text in its cell, such as , or #; "
        "none: each cell is one label", rich_help_panel=HOW,
    ),
    quoting: Quoting | None = typer.Option(
        None, help="cls, table: none where quotes are text, minimal where a quoted field may be of "
        f"any length (default: one of over {FIELD_LINES} lines is refused)", rich_help_panel=HOW,
    ),
    overlaps: Overlaps | None = typer.Option(
        None, help="table: of overlapping entities keep the longest (default: refuse them)",
        rich_help_panel=HOW,
    ),
    category: str | None = typer.Option(
        None, help="cls: one category alone: books, dvd or music", rich_help_panel=HOW
    ),
) -> None:  # fmt: skip
    """Convert a raw corpus into the DocBin files that `spacy train` reads."""
    plan = Plan(
        split.value,
        dev_ratio,
        test_ratio,
        train_size,
        seed,
        drop_duplicates,
        drop_leaks,
        strict,
    )
    options = Options(
        encoding=encoding,
        token_column=token_column,
        tag_column=tag_column,
        max_words=max_words,
        columns=columns,
        text_column=text_column,
        label_column=label_column,
        label_names=label_names,
        label_separator=label_separator,
        quoting=quoting and quoting.value,
        overlaps=overlaps and overlaps.value,
        category=category,
    )
    report = convert(format.value, input, output_dir, lang, plan, options)
    print_report(report)
    written = ", ".join(f"{name}.spacy" for name in report["splits"])
    msg.good(f"{output_dir}: {written}, report.json")


if __name__ == "__main__":
    run(main)
