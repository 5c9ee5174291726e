"""The page of a pipeline: its score and how sure it is, where it fails, and every example."""

from collections.abc import Callable
from itertools import compress
from typing import Any

from ..serving.gold import judged
from ..serving.predictions import CONFIDENCE, entities
from .charts import Series, line_chart
from .examples import SHOWN, Examples, direction
from .figures import Scored, confusion, label_scores, slices, threshold_curve
from .templates import environment, read
from .training_log import TrainingLog

# An error of at least this confidence is a likely error of the gold annotation.
SURE = 0.9
# What metrics have of some tasks only, or of later versions.
OPTIONAL = (
    "baseline", "interval", "date", "entity_errors", "entities_of_train", "calibration", "unseen_text",
    "label_errors", "trained_on", "cross_validation",
)  # fmt: skip


def training_charts(log: TrainingLog | None, words: Callable[..., str], lang: str, decimal) -> list:
    """Return charts of loss, dev score and learn rate over updates."""
    if log is None or not log.score:
        return []
    updates = words("updates")
    epochs = (words("epochs"), log.epoch) if log.epoch else None
    charts = [
        line_chart(
            words("Loss of {name}", name=name), updates, words("loss per update"), [Series(name, curve)], lang,
            y_range=(0, 0), chosen=log.chosen, below=epochs,
        )
        for name, curve in log.losses.items()
        if curve
    ]  # fmt: skip
    charts.append(
        line_chart(
            words("Score on dev"), updates, words("score"), [Series("dev", log.score)], lang, chosen=log.chosen,
            below=epochs, note=words("the pipeline is that after {n} updates", n=decimal(log.chosen, 0)),
        )
    )  # fmt: skip
    if log.rate:
        charts.append(
            line_chart(
                words("Learn rate"), updates, words("learn rate"), [Series(words("learn rate"), log.rate)], lang,
                y_range=(0, 0), dots=False, below=epochs,
            )
        )  # fmt: skip
    return charts


def reliability(
    found: dict[str, Any] | None, words: Callable[..., str], lang: str
) -> dict[str, Any] | None:
    """Return the chart of confidences against the share of correct answers; None without confidences."""
    if not found:
        return None
    points = [(one["mean_confidence"], one["accuracy"]) for one in found["bins"]]
    return line_chart(
        words("Reliability"), words("confidence"), words("share of correct answers"),
        [Series(words("pipeline"), points)], lang, x_range=(0, 1), y_range=(0, 1), ideal=True,
        note=words("dotted: perfectly calibrated"),
    )  # fmt: skip


def thresholds(scored: Scored, words: Callable[..., str], lang: str) -> dict[str, Any] | None:
    """Return the chart of P, R and F over the threshold, if labels are assigned by one."""
    if scored.threshold is None:
        return None
    return line_chart(
        words("Threshold"), words("threshold"), words("score"),
        [Series(name, curve) for name, curve in threshold_curve(scored).items()], lang,
        x_range=(0, 1), y_range=(0, 1), chosen=scored.threshold, dots=False,
        note=words("the pipeline assigns labels from {n}", n=round(scored.threshold, 3)),
    )  # fmt: skip


def known(scored: Scored) -> Scored:
    """Return the predictions without the entities on tokens whose gold annotation is missing, which are
    not scored."""
    if scored.task != "ner":
        return scored
    docs = []
    for found, gold in zip(scored.predicted, scored.gold):
        kept = judged(entities(found), gold)
        if not all(kept):
            found = found.copy()
            if CONFIDENCE in found.user_data:
                values = list(compress(found.user_data[CONFIDENCE], kept))
                found.user_data[CONFIDENCE] = values
            found.ents = list(compress(found.ents, kept))
        docs.append(found)
    return scored._replace(predicted=docs)


def render(
    lang: str,
    scored: Scored,
    metrics: dict[str, Any],
    log: TrainingLog | None,
    wheel: tuple[str, int] | None,
    limit: int,
    **values: Any,
) -> str:
    """Return the page, in a language of LANGUAGES.

    scored: predictions and gold. metrics: what `evaluate` wrote. wheel: its path from the page, and its size in bytes.
    limit: the number of examples in the page, the surest errors first. values: what else the template shows.
    """
    pages = environment(lang)
    words, decimal = pages.globals["_"], pages.globals["decimal"]
    metrics = {**dict.fromkeys(OPTIONAL), **metrics}
    scored = known(scored)
    likely = {
        one["example"]
        for one in metrics["label_errors"] or ()
        if one["confidence"] >= SURE and "example" in one
    }
    examples = Examples(scored, likely, decimal)
    wrong = sum(bool(item["w"]) for item in examples.items)
    items = examples.items[:limit]
    charts = [
        reliability(metrics["calibration"], words, lang), thresholds(scored, words, lang)
    ]  # fmt: skip
    return pages.get_template("page.html").render(
        script=read("drawing.js") + read("examples.js"),
        metrics=metrics,
        scored=scored,
        labels=label_scores(scored),
        confusion=confusion(scored),
        charts=[chart for chart in charts if chart],
        slices=slices(scored, decimal),
        training=training_charts(log, words, lang, decimal),
        wheel=wheel,
        examples=examples,
        first=examples.first()[: len(items)],
        wrong=wrong,
        total=len(examples.items),
        data={
            "labels": examples.labels,
            "colours": [examples.palette[label] for label in examples.labels],
            "kinds": examples.kinds,
            "entities": scored.task == "ner",
            "direction": direction(scored.gold[0]) if scored.gold else "ltr",
            "shown": SHOWN,
            "items": items,
        },
        **values,
    )
