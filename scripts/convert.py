"""Any raw corpus to DocBin: `python -m scripts.convert FORMAT INPUT OUTPUT_DIR --lang fr`."""

from collections import Counter
from enum import Enum
from pathlib import Path
from typing import Dict, Optional

import srsly
import typer
from tqdm import tqdm
from wasabi import msg

from .corpora import FORMATS
from .corpora.examples import SPLITS, Format, Notes, find_files
from .corpora.splits import Carver
from .corpora.writer import SplitWriter, shared_texts
from .errors import UserError, run
from .files import sha256, written_beside

FormatName = Enum("FormatName", {name: name for name in FORMATS}, type=str)
SplitName = Enum("SplitName", {name: name for name in SPLITS}, type=str)


def convert(
    format: Format,
    source: Path,
    output: Path,
    language: str,
    *,
    split: str = "train",
    dev_ratio: Optional[float] = None,
    test_ratio: Optional[float] = None,
    train_size: Optional[int] = None,
    seed: int = 0,
) -> Dict[str, object]:
    """Write {train,dev,test}.spacy as present and report.json into `output`; return the report.

    A folder's files tell their splits by their names; a file becomes `split`. Dev and test splits
    that the input does not have are carved from train, stratified by label (a ratio of None: the
    format's own). Nothing is written unless all is read.

    Raises UserError for input that cannot be read as this format.
    """
    ignored = Notes()
    if source.is_dir():
        files = (format.find or find_files)(source, language, ignored)
    elif source.exists():
        files = {split: [source]}
    else:
        raise UserError(f"{source}: no such file or folder; fetch the corpus or mend the path.")
    if not files:
        raise UserError(
            f"{source}: no corpus file found; names must hold train, dev, valid, testa or test."
        )
    if dev_ratio is None:
        dev_ratio = format.dev_ratio if "train" in files and "dev" not in files else 0.0
    if test_ratio is None:
        test_ratio = format.test_ratio if "train" in files and "test" not in files else 0.0
    for name, ratio in (("dev", dev_ratio), ("test", test_ratio)):
        if ratio and name in files:
            raise UserError(f"{source} has a {name} split of its own: leave --{name}-ratio out.")
    carver = None
    strata: Counter = Counter()
    if dev_ratio or test_ratio or train_size is not None:
        if "train" not in files:
            raise UserError(f"{source}: no train split to carve from.")
        for path in files["train"]:
            for example in tqdm(format.read(path, Notes(), Notes()), f"count {path.name}"):
                strata[example.stratum] += 1
        if strata:
            carver = Carver(strata, dev_ratio, test_ratio, train_size, seed)

    report: Dict[str, object] = {"language": language, "seed": seed, "read": {}, "splits": {}}
    with written_beside(output) as folder:
        writers: Dict[str, SplitWriter] = {}
        for source_split in sorted(files, key=SPLITS.index):
            for path in files[source_split]:
                skipped, repaired = Notes(), Notes()
                n_read = left_out = 0
                bar = tqdm(
                    format.read(path, skipped, repaired),
                    f"write {path.name}",
                    total=sum(strata.values()) if strata and source_split == "train" else None,
                )
                for n_read, example in enumerate(bar, 1):
                    target: Optional[str] = source_split
                    if carver and source_split == "train":
                        target = carver.draw(example.stratum)
                    if target is None:
                        left_out += 1
                        continue
                    if target not in writers:
                        writers[target] = SplitWriter(folder, target, language, format.labels)
                    writers[target].add(example, f"{path}: example {n_read}")
                report["read"][str(path)] = {
                    "examples": n_read,
                    "left out by --train-size": left_out,
                    "skipped": skipped.to_json(),
                    "repaired": repaired.to_json(),
                    "sha256": sha256(path),
                }
        if not writers:
            raise UserError(f"{source}: no example in it; is this the right format?")
        for writer in writers.values():
            writer.close()
        ordered = sorted(writers.values(), key=lambda writer: SPLITS.index(writer.name))
        report["splits"] = {writer.name: writer.report() for writer in ordered}
        report["shared"] = shared_texts(ordered)
        report["ignored"] = ignored.to_json()
        report["carved"] = {"dev": dev_ratio, "test": test_ratio, "train_size": train_size}
        srsly.write_json(folder / "report.json", report)
    # What an earlier conversion left and this one has not.
    for name in set(SPLITS) - set(writers):
        (output / f"{name}.spacy").unlink(missing_ok=True)
    return report


def print_report(report: Dict[str, dict]) -> None:
    """Show the report in the terminal: a row a split, then a line for each thing of note."""
    rows = []
    for name, split in report["splits"].items():
        counts = split.get("labels") or split.get("entities") or {}
        kinds = "  ".join(f"{label} {count:,}" for label, count in counts.items())
        rows.append((name, f"{split['examples']:,}", f"{split['tokens']:,}", kinds))
    msg.table(rows, header=("split", "examples", "tokens", "labels or entities"), divider=True)
    for read in report["read"].values():
        for verb in ("skipped", "repaired"):
            for kind, note in read[verb].items():
                msg.warn(f"{verb}: {note['count']:,} × {kind}, first at {note['first'][0]}")
    for kind, note in report["ignored"].items():
        msg.warn(f"not used: {note['count']:,} × {kind}, first {note['first'][0]}")
    for name, split in report["splits"].items():
        if split["unaligned"]["count"]:
            msg.warn(
                f"{name}: {split['unaligned']['count']:,} entities that the pipeline's tokenizer "
                f"cannot align, first {split['unaligned']['first'][0]}"
            )
        if split["duplicates"]:
            msg.info(f"{name}: {split['duplicates']:,} texts occur again")
    for pair, count in report["shared"].items():
        if count:
            msg.info(f"{pair}: {count:,} texts in both")


def main(
    format: FormatName = typer.Argument(..., help="How the raw corpus is written"),
    input: Path = typer.Argument(..., help="Raw corpus: a file, or a folder of one file a split"),
    output_dir: Path = typer.Argument(..., help="Folder for *.spacy and report.json"),
    lang: str = typer.Option(..., help="Language of the texts: fr, en, xx…"),
    split: SplitName = typer.Option("train", help="The split that a single file becomes"),
    dev_ratio: Optional[float] = typer.Option(
        None, min=0, max=0.9, help="Share of train carved off as dev (default: the format's own)"
    ),
    test_ratio: Optional[float] = typer.Option(
        None, min=0, max=0.9, help="Share of train carved off as test (default: the format's own)"
    ),
    train_size: Optional[int] = typer.Option(
        None, min=1, help="Keep a random sample of this many training examples"
    ),
    seed: int = typer.Option(0, help="Seed of the carving"),
) -> None:
    """Convert a raw corpus into the DocBin files that `spacy train` reads."""
    report = convert(
        FORMATS[format.value],
        input,
        output_dir,
        lang,
        split=split.value,
        dev_ratio=dev_ratio,
        test_ratio=test_ratio,
        train_size=train_size,
        seed=seed,
    )
    print_report(report)
    msg.good(
        f"{output_dir}: {', '.join(f'{name}.spacy' for name in report['splits'])}, report.json"
    )


if __name__ == "__main__":
    run(main)
