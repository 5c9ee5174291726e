"""Evaluate a pipeline on a split of a converted corpus: metrics/<pipeline>.json and a table."""

from pathlib import Path
from typing import Any

import srsly
from spacy.language import Language
from wasabi import msg

from .common.errors import UserError, warn
from .common.files import check_file, check_whole, written_beside
from .common.weights import weights_hash
from .serving.label_map import read_names
from .serving.metrics import (
    headline,
    labels_found,
    measure,
    shared_texts,
    split_sha256,
    tables,
)
from .serving.predict import (
    TASKS,
    Gold,
    encoder_name,
    encoder_revision,
    gold_labels,
    load,
    read_gold,
)


def score_rows(metrics: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows of the console table: P, R and F, overall and per label."""
    table = []
    for scored_on, scores in tables(metrics):
        kind, title = ("ents", "all") if "ents_f" in scores else ("cats_macro", "macro average")
        per_type = scores.get("ents_per_type") or scores.get("cats_f_per_type") or {}
        overall = {letter: scores[f"{kind}_{letter}"] for letter in "prf"}
        for label, values in {title: overall, **dict(sorted(per_type.items()))}.items():
            figures = (
                "–" if values[letter] is None else f"{values[letter]:.4f}" for letter in "prf"
            )
            table.append((scored_on, label, *figures))
    return table


def corpus_files(report: Path) -> dict[str, str]:
    """Return the sha256 of the raw files of a corpus, as its report has them."""
    check_whole(report)
    if not report.exists():
        return {}
    try:
        found = srsly.read_json(report)
    except ValueError:
        found = None
    files = found.get("read") if isinstance(found, dict) else None
    if not isinstance(files, dict) or not all(
        isinstance(read, dict) and "sha256" in read for read in files.values()
    ):
        raise UserError(f"{report}: not what `convert` writes; convert the corpus again.")
    return {path: read["sha256"] for path, read in files.items()}


def trained_on(nlp: Language) -> str | None:
    """Return the name of the corpus that a pipeline was trained on, unless it is not on record."""
    train = nlp.config.interpolate().get("paths", {}).get("train")
    return Path(train or "").parent.name or None


def tell(nlp: Language, gold: Gold, metrics: dict[str, Any], found: dict[str, int]) -> None:
    """Print what puts the scores into perspective: foreign labels, texts of train."""
    known = {label for doc in gold.docs for label in gold_labels(doc, gold.task)}
    foreign = [f"{label} {count:,}" for label, count in sorted(found.items()) if label not in known]
    if foreign:
        warn(
            f"predicted, and no label of the split: {', '.join(foreign)}; they count as errors "
            "(--map OLD=new gives them its names, OLD= leaves them out)"
        )
    if "head" in metrics:
        msg.info(", ".join(f"{count:,} {what}" for what, count in metrics["head"].items()))
    if metrics["cut_windows"]:
        warn(
            f"{metrics['cut_windows']:,} stretches of text have more pieces than the encoder takes; the "
            "rest of each was not read"
        )
    unseen = metrics.get("unseen_text", {})
    if unseen.get("shared_with_train"):
        without = f"; without them {headline(unseen)}" if unseen["examples"] else ""
        warn(
            f"{unseen['shared_with_train']:,} of {metrics['examples']:,} texts are in train too{without}"
        )


def evaluate(
    pipeline: str,
    corpus: Path,
    output: Path,
    split: str,
    about: str,
    task: str,
    names: str,
    gpu_id: int,
) -> None:
    """Score a pipeline on raw text (its own tokenizer) and, for entities, on gold tokens too.

    Any pipeline of spaCy's with `ner`, `textcat` or `textcat_multilabel`. An entity is right where
    its first and last character and its label are.
    """
    check_file(output)
    converted = corpus_files(corpus / "report.json")
    nlp = load(pipeline, gpu_id)
    tasks = set(TASKS) & set(nlp.pipe_names)
    labels = {label for name in tasks for label in nlp.get_pipe(name).labels}
    renamed = read_names("--map", names, labels, may_drop=True)
    path, train = (corpus / f"{name}.spacy" for name in (split, "train"))
    gold = read_gold(path, nlp, task, renamed)
    shared = shared_texts(gold, train) if split != "train" and train.exists() else None
    metrics, predicted = measure(nlp, gold, renamed, shared)
    metrics = {
        "pipeline": output.stem,
        "weights": weights_hash(nlp),
        "corpus": corpus.resolve().name,
        "split": split,
        "about": about,
        "split_sha256": split_sha256(path),
        "corpus_files": converted,
        "trained_on": trained_on(nlp),
        "task": gold.task,
        "map": renamed,
        "encoder": encoder_name(nlp),
        "encoder_revision": encoder_revision(nlp),
        "seed": nlp.config.interpolate().get("training", {}).get("seed"),
        **metrics,
    }
    with written_beside(output.parent) as folder:
        srsly.write_json(folder / output.name, metrics)
    msg.table(
        score_rows(metrics),
        header=("scored on", "label", "P", "R", "F"),
        divider=True,
        aligns=("l", "l", "r", "r", "r"),
    )
    tell(nlp, gold, metrics, labels_found(nlp, gold.task, predicted))
    speed = metrics["speed"]
    msg.good(
        f"{output}: {headline(metrics['raw_text'])} on {len(gold.docs):,} examples, "
        f"{speed['words_per_second']:,} words/s ({speed['device']}, {speed['torch_threads']} threads)"
    )


if __name__ == "__main__":
    from .cli import run_module

    run_module(__spec__.name)
