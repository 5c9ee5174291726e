"""Draw a pipeline's predictions on a split beside the gold annotation, as one HTML page."""

from pathlib import Path
from typing import Any

from wasabi import msg

from .check import read_check, rows_of
from .common.errors import UserError
from .common.files import check_file, written_beside
from .evaluate import score_table
from .reporting.page import category_items, entity_items, render
from .serving.calibration import in_words
from .serving.cross_validation import in_words as cross_validated
from .serving.gold import read_gold, split_sha256
from .serving.metrics import headline, read_metrics, scored_on
from .serving.pipeline import load, task_labels
from .serving.predictions import beside, difference, read_predictions


def about(scores: dict[str, Any]) -> str:
    """Return a line with the main score and what it was measured on."""
    parts = [headline(scores["raw_text"]), scored_on(scores)]
    unseen = scores.get("unseen_text", {})
    if unseen.get("shared_with_train"):
        parts.append(
            f"{unseen['shared_with_train']:,} of {scores['examples']:,} texts are also in train"
        )
    if line := in_words(scores.get("calibration", {})):
        parts.append(line)
    if result := scores.get("cross_validation"):
        parts.append(cross_validated(result))
    if scores["encoder"] is not None:
        # A folder's place on this machine is nobody's business.
        encoder = Path(scores["encoder"])
        parts.append(f"encoder {encoder.name if encoder.is_absolute() else scores['encoder']}")
    if scores["seed"] is not None:
        parts.append(f"seed {scores['seed']}")
    return " · ".join([*parts, f"{scores['speed']['words_per_second']:,} words/s"])


def report(
    pipeline: str,
    corpus: Path,
    metrics: Path,
    output: Path,
    limit: int,
    gpu_id: int,
    checked: Path | None = None,
) -> None:
    """Write an HTML page: the scores, then examples of the split drawn by displaCy, errors first.

    All of it comes from the metrics and the predictions beside them; nothing is predicted here.
    checked: what `check` wrote about the corpus, for a section of its own.
    """
    check_file(output)
    findings = read_check(checked, corpus) if checked else []
    nlp = load(pipeline, gpu_id)
    scores = read_metrics(metrics, nlp)
    split, task = scores["split"], scores["task"]
    path, saved = corpus / f"{split}.spacy", beside(metrics)
    gold = read_gold(path, nlp.vocab, task_labels(nlp), task, scores["map"])
    if split_sha256(path) != scores["split_sha256"]:
        raise UserError(
            f"{path}: not the split that {metrics} was computed on ({split} of {scores['corpus']}); "
            "name that corpus, or run `evaluate` on this one."
        )
    predictions = read_predictions(saved, nlp.vocab)
    wanted = {name: scores[name] for name in ("weights", "split_sha256")}
    if different := difference(predictions, wanted):
        raise UserError(f"{saved}: predictions {different}; run `evaluate` first.")
    predicted = predictions.renamed(gold.of(predictions.docs), scores["map"])
    if task == "ner":
        items = entity_items(predicted, gold.docs)
    else:
        items = category_items(predicted, gold.docs, predictions.header.threshold_of(task))
    header, rows = score_table(scores)
    page = render(
        title=scores["pipeline"],
        about=about(scores),
        lang=nlp.lang,
        split=split,
        header=header,
        rows=rows,
        items=items,
        limit=limit,
        checked=rows_of(findings),
    )
    with written_beside(output.parent) as folder:
        (folder / output.name).write_text(page, encoding="utf8")
    msg.good(f"{output}: {min(limit, len(items))} of {len(items)} {split} examples, errors first")


if __name__ == "__main__":
    from .common.old_names import run_module

    run_module(__spec__.name)
