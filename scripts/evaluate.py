"""Evaluate a pipeline on the test split of a converted corpus: metrics/<pipeline>.json and a table."""

from pathlib import Path
from typing import Any

import srsly
import typer
from wasabi import msg

from .errors import UserError, run
from .files import check_file, check_whole, written_beside
from .serving.annotate import encoder_name, load, read_gold
from .serving.metrics import headline, measure


def rows(metrics: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows of the console table: P, R and F, overall and per label."""
    table = []
    for name in ("raw_text", "gold_tokens"):
        scores = metrics.get(name)
        if scores is None:
            continue
        kind, title = ("ents", "all") if "ents_f" in scores else ("cats_macro", "macro average")
        per_type = scores.get("ents_per_type") or scores.get("cats_f_per_type") or {}
        overall = {letter: scores[f"{kind}_{letter}"] for letter in "prf"}
        for label, values in {title: overall, **dict(sorted(per_type.items()))}.items():
            figures = (
                "–" if values[letter] is None else f"{values[letter]:.4f}" for letter in "prf"
            )
            table.append((name.replace("_", " "), label, *figures))
    return table


def corpus_files(report: Path) -> dict[str, str]:
    """Return the sha256 of the raw files of a corpus, as its report has them."""
    check_whole(report)
    if not report.exists():
        return {}
    try:
        return {path: read["sha256"] for path, read in srsly.read_json(report)["read"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{report}: not what `convert` writes; convert the corpus again."
        ) from error


def main(
    pipeline: str = typer.Argument(..., help="Folder of a trained pipeline, or installed package"),
    corpus: Path = typer.Argument(..., help="Folder of a converted corpus"),
    output: Path = typer.Argument(..., help="JSON file to write, e.g. metrics/fr_flue_trf.json"),
    split: str = typer.Option("test", help="The split to evaluate on"),
    about: str = typer.Option("", help="Where the split comes from, for the record"),
) -> None:
    """Score a pipeline on raw text (its own tokenizer) and, for entities, on gold tokens."""
    check_file(output)
    converted = corpus_files(corpus / "report.json")
    nlp = load(pipeline)
    gold = read_gold(corpus / f"{split}.spacy", nlp)
    metrics, _ = measure(nlp, gold)
    metrics = {
        "pipeline": output.stem,
        "corpus": corpus.name,
        "split": f"{split}: {about}" if about else split,
        "corpus_files": converted,
        "encoder": encoder_name(nlp),
        "seed": nlp.config.interpolate()["training"]["seed"],
        **metrics,
    }
    with written_beside(output.parent) as folder:
        srsly.write_json(folder / output.name, metrics)
    msg.table(
        rows(metrics),
        header=("test on", "label", "P", "R", "F"),
        divider=True,
        aligns=("l", "l", "r", "r", "r"),
    )
    if "head" in metrics:
        msg.info(", ".join(f"{count:,} {what}" for what, count in metrics["head"].items()))
    speed = metrics["speed"]
    msg.good(
        f"{output}: {headline(metrics['raw_text'])} on {len(gold):,} examples, "
        f"{speed['words_per_second']:,} words/s ({speed['device']}, {speed['torch_threads']} threads)"
    )


if __name__ == "__main__":
    run(main)
