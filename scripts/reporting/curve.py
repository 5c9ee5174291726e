"""The page of a learning curve: its chart, and whether more annotation would pay."""

from typing import Any

from .charts import Series, line_chart
from .numbers import Numbers
from .templates import Words, environment

STEP = "The last step, from {before} to {after} examples, added {gain} ({low} to {high})."
SAID = {
    "yes": "More annotation would probably pay.",
    "little": "More annotation like this would bring little: a doubling brings at most {most}.",
    "unknown": "The curve does not tell whether more annotation would pay.",
    "not learnt": "The curve does not tell whether more annotation would pay.",
}
WHY = {
    "yes": "Expect less of the next step.",
    "little": "",
    "unknown": "More seeds, or a larger test split, would tell.",
    "not learnt": "Even the largest share is no better than the baseline: these trainings learn too little; give other settings.",
}
ONE_SEED = "There is one seed: the noise of training is not in these intervals."


def in_words(result: dict[str, Any], lang: str) -> tuple[str, str]:
    """Return in a sentence whether more annotation would pay, and in others why."""
    words, numbers = Words(lang), Numbers(lang)
    step = result["last_step"]
    low, high = step["interval"]
    values = {
        "before": numbers.integer(step["from"]),
        "after": numbers.integer(step["to"]),
        "gain": numbers.signed(step["gain"]),
        "low": numbers.signed(low),
        "high": numbers.signed(high),
        "most": numbers.decimal(max(step["by_doubling_interval"][1], 0.0)),
    }
    seeds = "" if len(result["seeds"]) > 1 else ONE_SEED
    why = [words(text, **values) for text in (STEP, WHY[step["pays"]], seeds) if text]
    return words(SAID[step["pays"]], **values), " ".join(why)


def render(lang: str, title: str, result: dict[str, Any]) -> str:
    """Return the page, in a language of LANGUAGES. result: what `learning_curve` writes as JSON."""
    pages = environment(lang)
    words = pages.globals["_"]
    points = result["points"]
    mean = Series(
        words("mean of the seeds") if len(result["seeds"]) > 1 else words("score"),
        [(point["examples"], point["score"]) for point in points],
        [point["interval"] for point in points],
    )
    lowest = result["baseline"]["score"]
    ends = [(points[0]["examples"], lowest), (points[-1]["examples"], lowest)]
    baseline = words("Baseline: " + result["baseline"]["what"])
    chart = line_chart(
        words("Score by the number of examples"), words("examples of train"), words(result["score"]),
        [mean, Series(baseline, ends)], lang, note=words("band: 95 % interval"),
    )  # fmt: skip
    said, why = in_words(result, lang)
    return pages.get_template("curve.html").render(
        title=title, result=result, chart=chart, said=said, why=why
    )
