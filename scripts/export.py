"""Write a trained pipeline's encoder as a Hugging Face folder, with a model card."""

from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from spacy.language import Language
from wasabi import msg

from .common.errors import UserError
from .common.files import check_folder
from .common.sources import corpora_of, source
from .encoders.checkpoint import save_checkpoint
from .encoders.tokenizer_fixes import with_backend
from .serving.metrics import headline, main_score, read_metrics, scored_on, tables
from .serving.pipeline import TASKS, encoder_of, hf_head, load
from .serving.strip import strip_local_paths

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
    """Return the lines of the model card's section on scores."""
    lines = []
    for title, scores in tables(metrics):
        lines.append(f"- {title}: {headline(scores)}")
        per_type = scores.get("ents_per_type") or scores.get("cats_f_per_type") or {}
        lines += [f"  - {label}: F {value['f']:.3f}" for label, value in sorted(per_type.items())]
    return [f"{scored_on(metrics)}, {metrics['examples']:,} examples:", *lines]


def card(
    nlp: Language, metrics: dict[str, Any], encoder: str, name: str, licence: str, what: str
) -> str:
    """Return a model card: data, scores, settings and licence, and metadata for the hub."""
    origins = [source("encoders", encoder)]
    origins += [source("corpora", name) for name in corpora_of(metrics["trained_on"])]
    _, kind, value = main_score(metrics["raw_text"])
    result = EvalResult(
        task_type="token-classification" if metrics["task"] == "ner" else "text-classification",
        dataset_type=metrics["corpus"], dataset_name=metrics["corpus"],
        dataset_split=metrics["split"], metric_type=kind, metric_value=value,
    )  # fmt: skip
    data = ModelCardData(
        language=nlp.lang, license=licence or "other", library_name="transformers",
        # Not a local folder, which nobody else has.
        base_model=encoder if "/" in encoder or origins[0]["url"] else None,
        model_name=name, eval_results=[result], tags=["spacy"],
    )  # fmt: skip
    licences = [f"{item['name']}: {item['license']}" for item in origins]
    settings = {**nlp.config.get("settings", {}), "seed": metrics["seed"]}
    return BODY.format(
        data=data.to_yaml(),
        name=name,
        what=what,
        sources="\n".join(f"- {item['name']} {item['url']}".rstrip() for item in origins),
        scores="\n".join(scores_of(metrics)),
        settings="\n".join(f"- {key}: {value}" for key, value in settings.items()),
        licence=f"{licence or 'Not stated'}. Made from {'; '.join(licences)}.",
        versions=", ".join(f"{key} {value}" for key, value in metrics["versions"].items()),
    )


def export(pipeline: str, metrics: Path, output: Path, licence: str, gpu_id: int) -> None:
    """Write a pipeline's fine-tuned encoder to a folder that transformers opens.

    A ready-made head is included. spaCy's components are not: they read one vector per spaCy token,
    which no head in transformers does.
    """
    check_folder(output)
    nlp = load(pipeline, gpu_id)
    scores = read_metrics(metrics, nlp)
    model = encoder_of(nlp)
    if model is None:
        raise UserError(
            f"{pipeline}: no Hugging Face encoder to export among its components, "
            f"{', '.join(nlp.pipe_names)}; `package` makes a wheel of it."
        )
    encoder = strip_local_paths(nlp)
    head = hf_head(nlp)
    tokenizer = head.tokenizer if head else nlp.get_pipe("transformer").model.tokenizer
    task = TASKS[scores["task"]]
    tuned = f", fine-tuned on {scores['trained_on']}" if scores["trained_on"] else ""
    what = f"{encoder} with its head for {task}{tuned or ', as it was published'}."
    if head is None:
        what = (
            f"The encoder of a spaCy pipeline for {task} ({nlp.lang}): {encoder}{tuned}. The pipeline "
            f"reaches {headline(scores['raw_text'])} on {scores['corpus']}; its spaCy components are not "
            "included, so train a new head on this encoder."
        )
    text = card(nlp, scores, encoder, output.name, licence, what)
    if tokenizer.is_fast:
        # The files that it was read from may be gone.
        tokenizer = with_backend(tokenizer, tokenizer.backend_tokenizer)
    save_checkpoint(model, tokenizer, text, output)
    if head is None:
        msg.info(
            f"the encoder alone was written: the component for {task} reads one vector per spaCy token, "
            "which no head in transformers does; `package` makes a wheel of the complete pipeline"
        )
    msg.good(f"{output}: {type(model).__name__}, {model.num_parameters():,} parameters")


if __name__ == "__main__":
    from .common.old_names import run_module

    run_module(__spec__.name)
