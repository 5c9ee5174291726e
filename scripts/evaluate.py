"""Score a pipeline on a split of a converted corpus: predictions, metrics and a table."""

from datetime import date
from pathlib import Path
from typing import Any

import srsly
from spacy.language import Language
from wasabi import msg

from .common.errors import warn
from .common.files import check_file, written_beside
from .common.precision import AUTO, check_precision
from .common.sources import origin_of
from .common.weights import weights_hash
from .corpora.report import corpus_report
from .serving.calibration import in_words
from .serving.gold import read_gold, split_sha256
from .serving.label_errors import label_errors, print_errors
from .serving.label_map import read_names
from .serving.metrics import headline, measure, tables, unknown_labels
from .serving.pipeline import encoder_of, load, set_precision, task_labels
from .serving.predict import folder_sha256, predict_split, speed_in_words
from .serving.predictions import (
    Predictions,
    beside,
    check_replaceable,
    difference,
    read_predictions,
    write_predictions,
)
from .serving.train_split import read_train

HEADER = ("scored on", "label", "P", "R", "F", "average precision")


def score_table(metrics: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the header and the rows of the score table: P, R and F, overall and per label; and the
    average precision of several labels per text."""
    table = []
    for scored_on, scores in tables(metrics):
        kind, title = ("ents", "all") if "ents_f" in scores else ("cats_macro", "macro average")
        per_type = scores.get("ents_per_type") or scores.get("cats_f_per_type") or {}
        overall = {letter: scores[f"{kind}_{letter}"] for letter in "prf"}
        precisions = scores.get("cats_ap_per_type", {})
        for label, values in {title: overall, **dict(sorted(per_type.items()))}.items():
            figures = [values[letter] for letter in "prf"]
            if precisions:
                figures.append(precisions.get(label, scores["cats_macro_ap"]))
            shown = ("–" if figure is None else f"{figure:.4f}" for figure in figures)
            table.append((scored_on, label, *shown))
    return HEADER[: len(table[0])], table


def origin_on_record(corpus: str, split: str, report: dict[str, Any]) -> str:
    """Return where a split comes from: what it was carved from, or what configs/sources.yml says of
    the corpus. "" if it is not known how the split was made."""
    source = report.get("splits", {}).get(split, {}).get("from")
    if source is None:
        return ""
    return origin_of(corpus, split) if source == split else f"carved from {source}"


def warn_of_labels(unknown: dict[str, int], whose: str = "") -> None:
    """Warn that labels were predicted, so often each, that the split does not have. whose: what the
    warning begins with."""
    if unknown:
        counts = ", ".join(f"{name} {count:,}" for name, count in unknown.items())
        warn(
            f"{whose}predicted labels that the split does not have: {counts}; they count as "
            "errors (--map OLD=new renames labels, OLD= drops them)"
        )


def print_caveats(metrics: dict[str, Any], unknown: dict[str, int]) -> None:
    """Print what qualifies the scores: labels that the split lacks, cut windows, texts of train.

    unknown: how often each label is predicted that the split does not have.
    """
    warn_of_labels(unknown)
    if "head" in metrics:
        msg.info(", ".join(f"{count:,} {what}" for what, count in metrics["head"].items()))
    if metrics["cut_windows"]:
        warn(
            f"{metrics['cut_windows']:,} windows of text have more pieces than the encoder accepts; the "
            "rest of each was not read"
        )
    unseen = metrics.get("unseen_text", {})
    if unseen.get("shared_with_train"):
        without = f"; without them {headline(unseen)}" if unseen["examples"] else ""
        warn(
            f"{unseen['shared_with_train']:,} of {metrics['examples']:,} texts are also in train{without}"
        )


def print_label_errors(errors: list[dict[str, Any]] | None) -> None:
    """Print the likely label errors of a split, or that there is nothing to tell them by."""
    if errors:
        print_errors(errors)
    elif errors is None:
        print("no confidences of entities, by which to find likely label errors")


def saved_predictions(path: Path, nlp: Language, split: Path, precision: str) -> Predictions | None:
    """Return the predictions in a file if this pipeline made them on this split and, on a CPU, in this
    precision ("auto": in any).

    Raises UserError if the file is damaged or holds something else.
    """
    if not path.exists():
        return None
    predictions = read_predictions(path, nlp.vocab)
    wanted = {
        "weights": weights_hash(nlp),
        "pipeline_sha256": folder_sha256(nlp.path),
        "split_sha256": split_sha256(split),
    }
    different = difference(predictions, wanted)
    if predictions and not different and precision != AUTO and encoder_of(nlp) is not None:
        made = predictions.header.speed
        if made["device"] == "cpu" and made["precision"] != precision:
            different = f"in {made['precision']}"
    if different:
        print(f"{path}: predictions {different}; predicting again")
        return None
    print(f"{path}: using these predictions, and their speed; --fresh predicts again")
    return predictions


def evaluate(
    pipeline: str,
    corpus: Path,
    output: Path,
    split: str,
    about: str,
    task: str,
    names: str,
    gpu_id: int,
    fresh: bool = False,
    precision: str = AUTO,
) -> None:
    """Score a pipeline on raw text (its own tokenizer) and, for entities, on gold tokens too.

    Any spaCy pipeline with `ner`, `textcat` or `textcat_multilabel`. An entity is correct if its
    first and last character and its label are. The predictions are written beside the metrics; a
    later call with the same pipeline and split reads them, unless `fresh`.
    """
    check_file(output)
    check_precision("--precision", precision)
    saved = beside(output)
    converted = corpus_report(corpus / "report.json")
    nlp = load(pipeline, gpu_id)
    labels = task_labels(nlp)
    renamed = read_names("--map", names, set().union(*labels.values()), may_drop=True)
    path, train = (corpus / f"{name}.spacy" for name in (split, "train"))
    gold = read_gold(path, nlp.vocab, labels, task, renamed)
    learnt_from = read_train(gold, train) if split != "train" and train.exists() else None
    if fresh:
        check_replaceable(saved)
    predictions = None if fresh else saved_predictions(saved, nlp, path, precision)
    with written_beside(output.parent) as folder:
        if predictions is None:
            set_precision(nlp, precision)
            predictions = predict_split(nlp, path, gold.split)
            write_predictions(predictions, folder / saved.name)
        header = predictions.header
        measured, predicted = measure(predictions, gold, renamed, learnt_from)
        metrics = {
            "pipeline": output.stem,
            "date": date.today().isoformat(),
            "lang": nlp.lang,
            "weights": header.weights,
            "corpus": corpus.resolve().name,
            "split": split,
            "about": about or origin_on_record(corpus.resolve().name, split, converted),
            "split_sha256": header.split_sha256,
            "corpus_files": {
                path: read["sha256"] for path, read in converted.get("read", {}).items()
            },
            "trained_on": header.trained_on,
            "task": gold.task,
            "map": renamed,
            "encoder": header.encoder,
            "encoder_revision": header.encoder_revision,
            "seed": header.seed,
            **measured,
            "label_errors": label_errors(gold.task, predicted, gold.docs),
        }
        srsly.write_json(folder / output.name, metrics)
    columns, rows = score_table(metrics)
    aligns = ("l", "l", *"r" * (len(columns) - 2))
    msg.table(rows, header=columns, divider=True, aligns=aligns)
    print_caveats(metrics, unknown_labels(header, gold, predicted))
    if line := in_words(metrics.get("calibration", {})):
        print(line)
    print_label_errors(metrics["label_errors"])
    speed = metrics["speed"]
    msg.good(
        f"{output}: {headline(metrics['raw_text'])} on {len(gold.docs):,} examples, "
        f"{speed_in_words(speed)}"
    )


if __name__ == "__main__":
    from .common.old_names import run_module

    run_module(__spec__.name)
