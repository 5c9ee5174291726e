"""`python -m scripts convert FORMAT INPUT OUTPUT_DIR --lang fr`: a raw corpus to DocBin."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from wasabi import msg

from .corpora.conversion import convert
from .corpora.examples import WITHOUT_LABEL
from .corpora.found import Found
from .corpora.options import Options, Plan
from .corpora.readers import AUTO, FORMATS
from .corpora.writer import LONG_TOKEN, UNALIGNED

TASKS = {
    "ner": "named entities",
    "textcat": "text classification, one label per text",
    "textcat_multilabel": "text classification, any number of labels per text",
}
# Characters of a label in a table.
LONGEST = 24


def remarks(report: dict[str, dict]) -> Iterator[tuple[str, int, str, str]]:
    """Yield what is worth noting in a report as (subject, count, description, first location)."""
    for read in report["read"].values():
        for verb in ("skipped", "repaired"):
            for kind, note in read[verb].items():
                yield verb, note["count"], kind, note["first"][0]
    carved = report["carved"]
    for name, requested in carved["asked"].items():
        # A file may have replaced the carved split since.
        if report["splits"].get(name, {}).get("from") == "train":
            count = carved["came out"][name]
            kind = f"example carved from train by {carved['by']}, out of {requested:,} requested"
            if 2 * count < requested:
                kind += "; the other groups are too large"
            yield name, count, kind, ""
    if leaked := carved["texts in several splits"]:
        yield "carved", leaked, "text that is too frequent to be kept in one split", ""
    for name in report["removed"]:
        yield name, 1, "existing split that is not part of this corpus, removed", ""
    for kind, note in report["ignored"].items():
        yield "ignored", note["count"], kind, note["first"][0]
    for name, split in report["splits"].items():
        for note, kind in (("unaligned", UNALIGNED), ("long tokens", LONG_TOKEN)):
            if split[note]["count"]:
                yield name, split[note]["count"], kind, split[note]["first"][0]
        if split["duplicates"]:
            yield name, split["duplicates"], "duplicate text", ""
    for pair, count in report["shared"].items():
        if count:
            yield pair, count, f"text in both {pair.replace('/', ' and ')} (see --drop-leaks)", ""
    if report.get("several labels"):
        count = report["texts with several labels or none"]
        yield "all", count, "text with several labels or none: for textcat_multilabel", ""
    if different := report["texts annotated in several ways"]:
        yield "all", different, "text with different annotations", ""


def shown(label: str) -> str:
    """Return a label as it stands before its count: a number in quotes, a long one cut."""
    if label.isdecimal():
        return repr(label)
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…"


def listed(counts: Mapping[str, int]) -> str:
    """Return labels with their counts, as many as fit a line."""
    kinds = "  ".join(f"{shown(label)} {count:,}" for label, count in list(counts.items())[:8])
    return kinds + (f"  … {len(counts)} in total" if len(counts) > 8 else "")


def print_report(report: dict[str, dict]) -> None:
    """Print the report as tables: one row per split, per file, and per thing worth noting."""
    rows = []
    for name, split in report["splits"].items():
        counts = split.get("labels") or split.get("entities") or {}
        rows.append((name, f"{split['examples']:,}", f"{split['tokens']:,}", listed(counts)))
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
    header = ("file", "read", "written", "skipped", "detected")
    msg.table(rows, header=header, divider=True, aligns=("l", "r", "r", "r", "l"), max_col=100)
    rows = [(what, f"{count:,}", kind, place) for what, count, kind, place in remarks(report)]
    if rows:
        header = ("", "count", "what", "first at")
        msg.table(rows, header=header, divider=True, aligns=("l", "r", "l", "l"), max_col=100)


def print_found(found: Found) -> None:
    """Print what a corpus holds: its format, task, examples and labels, before anything is written."""
    task = TASKS[found.task] if found.task else "nothing"
    rows = [("format", found.format), ("", FORMATS[found.format].description)]
    if found.layout:
        layout = ", ".join(
            f"{key.replace('_', ' ')} {value}" for key, value in found.layout.items()
        )
        rows.append(("detected", layout))
    rows.append(("task", task))
    rows += [(split, f"{count:,} examples") for split, count in found.examples.items()]
    left_out = Counter(found.skipped)
    if found.task == "textcat":
        left_out[WITHOUT_LABEL] += found.unlabelled
    rows += [("left out", f"{count:,} {kind}") for kind, count in left_out.items() if count]
    rows.append((f"{len(found.labels)} labels", listed(found.labels)))
    msg.table(rows, header=("found", ""), divider=True, max_col=100)


def convert_and_print(
    name: str, source: Path, output: Path, language: str, plan: Plan, options: Options
) -> None:
    """Convert a corpus and print its report. Raises UserError."""
    announce = print_found if name == AUTO else None
    report = convert(name, source, output, language, plan, options, announce)
    print_report(report)
    written = ", ".join(f"{name}.spacy" for name in report["splits"])
    msg.good(f"{output}: {written}, report.json")


if __name__ == "__main__":
    from .common.old_names import run_module

    run_module(__spec__.name)
