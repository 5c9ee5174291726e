"""The encoder of a trained pipeline as a Hugging Face folder, with a model card."""

from pathlib import Path
from typing import Any

import typer
from huggingface_hub import EvalResult, ModelCardData
from spacy.language import Language
from wasabi import msg

from .encoders.checkpoint import save_checkpoint
from .encoders.tokenizer import rebuilt
from .errors import run
from .files import check_folder
from .package import neutralise, source
from .serving.annotate import borrowed_head, encoder_of, load
from .serving.metrics import headline, read_metrics

BODY = """---
{data}
---
# {name}

{what}

## Data
{sources}

## Scores
{scores}

## Settings
{settings}

## Licence
{licence}

Made with spaCy, spacy-transformers and transformers: {versions}.
"""


def scores_of(metrics: dict[str, Any]) -> list[str]:
    """Return a line for each score table that `evaluate` wrote."""
    lines = []
    for name in ("raw_text", "gold_tokens"):
        scores = metrics.get(name)
        if scores:
            lines.append(f"- {name.replace('_', ' ')}: {headline(scores)}")
            per_type = scores.get("ents_per_type") or scores.get("cats_f_per_type") or {}
            lines += [
                f"  - {label}: F {value['f']:.3f}" for label, value in sorted(per_type.items())
            ]
    return [f"{metrics['corpus']}, {metrics['split']}, {metrics['examples']:,} examples:", *lines]


def card(
    nlp: Language, metrics: dict[str, Any], encoder: str, name: str, licence: str, what: str
) -> str:
    """Return a model card: data, settings, scores and licences, for people and for the hub."""
    corpus, origin = source("corpora", metrics["corpus"]), source("encoders", encoder)
    scores = metrics["raw_text"]
    kind, key = ("f1", "ents_f") if "ents_f" in scores else ("accuracy", "accuracy")
    tasks = {"f1": "token-classification", "accuracy": "text-classification"}
    result = EvalResult(
        task_type=tasks[kind], dataset_type=metrics["corpus"], dataset_name=metrics["corpus"],
        dataset_split=metrics["split"].split(":")[0], metric_type=kind, metric_value=scores[key],
    )  # fmt: skip
    data = ModelCardData(
        language=nlp.lang, license=licence or "other", library_name="transformers",
        # A folder that nobody else knows is no base to point to.
        base_model=encoder if "/" in encoder or origin["url"] else None,
        model_name=name, eval_results=[result], tags=["spacy"],
    )  # fmt: skip
    settings = {**nlp.config.get("settings", {}), "seed": metrics["seed"]}
    return BODY.format(
        data=data.to_yaml(),
        name=name,
        what=what,
        sources="\n".join(f"- {item['name']} {item['url']}".rstrip() for item in (origin, corpus)),
        scores="\n".join(scores_of(metrics)),
        settings="\n".join(f"- {key}: {value}" for key, value in settings.items()),
        licence=f"{licence or 'Not stated'}; what it was made from: encoder {encoder}: {origin['license']}; corpus {metrics['corpus']}: "
        f"{corpus['license']}.",
        versions=", ".join(f"{key} {value}" for key, value in metrics["versions"].items()),
    )


def main(
    pipeline: str = typer.Argument(..., help="Folder of a trained pipeline, or installed package"),
    metrics: Path = typer.Argument(..., help="What `evaluate` wrote: metrics/<pipeline>.json"),
    output: Path = typer.Argument(..., help="Hugging Face folder to write"),
    licence: str = typer.Option("", "--license", help="Licence of it, as the hub names it: mit, …"),
) -> None:
    """Write the encoder of a pipeline, as it was trained, to a folder that transformers opens.

    A ready-made head goes with it. What spaCy put on the encoder does not: it reads means of spaCy's
    tokens, which no head of transformers does.
    """
    check_folder(output)
    nlp = load(pipeline)
    scores = read_metrics(metrics, nlp)
    encoder = neutralise(nlp)
    head = borrowed_head(nlp)
    model = encoder_of(nlp)
    tokenizer = head.tokenizer if head else nlp.get_pipe("transformer").model.tokenizer
    task = "named entities" if "ner" in nlp.pipe_names else "text classification"
    what = f"{encoder} with its head for {task}, as it was published."
    if head is None:
        what = (
            f"The encoder of a spaCy pipeline for {task} ({nlp.lang}): {encoder}, fine-tuned on "
            f"{scores['corpus']}. The pipeline reaches {headline(scores['raw_text'])}; what it has on top of "
            "this encoder is spaCy's and not in here, so that a head is to be trained anew."
        )
    text = card(nlp, scores, encoder, output.name, licence, what)
    if tokenizer.is_fast:
        # The files of its own that it was read from are not there any more.
        tokenizer = rebuilt(tokenizer, tokenizer.backend_tokenizer)
    save_checkpoint(model, tokenizer, text, output)
    if head is None:
        msg.info(
            f"the encoder alone: {task} is on means of spaCy's tokens here, and no head of "
            "transformers reads those; the whole pipeline goes into a wheel with `package`"
        )
    msg.good(f"{output}: {type(model).__name__}, {model.num_parameters():,} parameters")


if __name__ == "__main__":
    run(main)
