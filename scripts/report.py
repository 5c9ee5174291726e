"""Draw a pipeline's predictions on the test split beside the gold ones, as one HTML page."""

from pathlib import Path

import typer
from wasabi import msg

from .errors import run
from .evaluate import rows
from .files import check_file, written_beside
from .reporting.page import category_items, entity_items, render
from .serving.annotate import annotate, load, read_gold
from .serving.metrics import headline, read_metrics


def main(
    pipeline: str = typer.Argument(..., help="Folder of a trained pipeline, or installed package"),
    corpus: Path = typer.Argument(..., help="Folder of a converted corpus with test.spacy"),
    metrics: Path = typer.Argument(..., help="What `evaluate` wrote: metrics/<pipeline>.json"),
    output: Path = typer.Argument(..., help="HTML file to write"),
    limit: int = typer.Option(200, min=1, help="Examples shown at most, errors first"),
) -> None:
    """Write an HTML page: the scores, then test examples drawn by displaCy, errors first."""
    check_file(output)
    nlp = load(pipeline)
    scores = read_metrics(metrics, nlp)
    gold = read_gold(corpus / "test.spacy", nlp)
    predicted = list(annotate(nlp, [doc.text for doc in gold]))
    items = (entity_items if "ner" in nlp.pipe_names else category_items)(predicted, gold)
    page = render(
        title=scores["pipeline"],
        about=f"{headline(scores['raw_text'])} · {scores['corpus']}, {scores['split']} · encoder {scores['encoder']} · "
        f"seed {scores['seed']} · {scores['speed']['words_per_second']:,} words/s",
        lang=nlp.lang,
        header=("test on", "label", "P", "R", "F"),
        rows=rows(scores),
        items=items,
        limit=limit,
    )
    with written_beside(output.parent) as folder:
        (folder / output.name).write_text(page, encoding="utf8")
    msg.good(f"{output}: {min(limit, len(items))} of {len(items)} test examples, errors first")


if __name__ == "__main__":
    run(main)
