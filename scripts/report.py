"""Draw a pipeline's page: its score with its interval, where it fails, and its predictions beside gold."""

from pathlib import Path
from typing import Any

from spacy.language import Language
from wasabi import msg

from .check import read_check, rows_of
from .common.errors import UserError
from .common.files import check_file, written_beside
from .encoders.checkpoint import strip_local_path
from .evaluate import score_table
from .index import INDEX, update_index
from .reporting.figures import FEW, Scored
from .reporting.index import Folders
from .reporting.page import render
from .reporting.templates import check_language, page_language
from .reporting.training_log import read_log
from .reporting.wheels import wheel_of
from .serving.gold import read_gold, split_sha256
from .serving.metrics import main_score, read_metrics, scored_on
from .serving.pipeline import load, task_labels
from .serving.predictions import beside, difference, read_predictions


def read_scored(pipeline: Language, corpus: Path, metrics: Path, scores: dict[str, Any]) -> Scored:
    """Return the predictions beside metrics, with new names, and the gold annotation of the split.

    Raises UserError if the corpus is not that of the metrics, or the predictions are others.
    """
    path, saved = corpus / f"{scores['split']}.spacy", beside(metrics)
    gold = read_gold(path, pipeline.vocab, task_labels(pipeline), scores["task"], scores["map"])
    if split_sha256(path) != scores["split_sha256"]:
        raise UserError(
            f"{path}: not the split that {metrics} was computed on ({scores['split']} of "
            f"{scores['corpus']}); name that corpus, or run `evaluate` on this one."
        )
    predictions = read_predictions(saved, pipeline.vocab)
    wanted = {name: scores[name] for name in ("weights", "split_sha256")}
    if different := difference(predictions, wanted):
        raise UserError(f"{saved}: predictions {different}; run `evaluate` first.")
    predicted = predictions.renamed(gold.of(predictions.docs), scores["map"])
    threshold = predictions.header.threshold_of(scores["task"])
    return Scored(scores["task"], predicted, gold.docs, threshold)


def report(
    pipeline: str,
    corpus: Path,
    metrics: Path,
    output: Path,
    limit: int,
    gpu_id: int,
    checked: Path | None = None,
    language: str = "",
) -> None:
    """Write a page: the score and how sure it is, where the pipeline fails, and examples of the split,
    the surest errors first.

    All of it comes from the metrics, the predictions beside them and the training's log; nothing is
    predicted here. checked: what `check` wrote about the corpus, for a section of its own. language: of the
    page's own words (default: the pipeline's, if that is French, else English). The list of all pipelines
    beside the page, index.html, is written again.
    """
    if output.name == INDEX:
        raise UserError(f"{output}: the list of all pipelines goes there; name the page otherwise.")
    check_file(output)
    check_language(language)
    findings = read_check(checked, corpus) if checked else []
    nlp = load(pipeline, gpu_id)
    scores = read_metrics(metrics, nlp)
    scored = read_scored(nlp, corpus, metrics, scores)
    header, rows = score_table(scores)
    name, _, score = main_score(scores["raw_text"])
    wheel = wheel_of(scores["weights"], metrics.parent.parent / "packages")
    page = render(
        language or page_language(nlp.lang),
        scored,
        scores,
        read_log(pipeline),
        wheel and (wheel.name, wheel.stat().st_size),
        limit,
        title=scores["pipeline"],
        score=score,
        score_name=name,
        scored_on=scored_on(scores),
        encoder=scores["encoder"] and strip_local_path(scores["encoder"]),
        text_lang=nlp.lang,
        few=FEW,
        header=header,
        rows=rows,
        checked=rows_of(findings),
    )
    with written_beside(output.parent) as folder:
        (folder / output.name).write_text(page, encoding="utf8")
    total = len(scored.gold)
    msg.good(
        f"{output}: {min(limit, total):,} of {total:,} {scores['split']} examples, errors first"
    )
    update_index(Folders.beside(metrics.parent, output.parent))


if __name__ == "__main__":
    from .common.old_names import run_module

    run_module(__spec__.name)
