"""Wrap a ready-made Hugging Face head: `python -m scripts wrap CHECKPOINT OUTPUT`."""

from pathlib import Path

from spacy.language import Language
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from wasabi import msg

from .common.errors import UserError
from .common.files import check_folder, written_beside
from .common.languages import blank
from .encoders.checkpoint import (
    auto_class_of,
    max_length,
    open_checkpoint,
    open_config,
    strip_local_path,
)
from .encoders.snapshot import snapshot
from .serving.label_map import read_names
from .wheel.components import (
    HFCategories,
    HFEntities,
    HFHead,
    HFTokenEntities,
)
from .wheel.tags import entity_type, to_iob

FACTORIES = {
    HFEntities: "hf_head_ner", HFCategories: "hf_head_textcat", HFTokenEntities: "hf_token_ner"
}  # fmt: skip
# Auto class of a checkpoint -> component for its head, wherever it was made.
HEADS = {head.auto_class: head for head in (HFEntities, HFCategories)}


def head_of(checkpoint: str, revision: str | None) -> type[HFHead]:
    """Return the component class for a checkpoint's head. Raises UserError if there is none."""
    auto_class = auto_class_of(checkpoint, revision)
    if auto_class not in HEADS:
        architectures = open_config(checkpoint, revision).architectures or ["no architecture"]
        raise UserError(
            f"{checkpoint}: cannot wrap {', '.join(architectures)}; choose a checkpoint whose "
            "architecture ends in ForTokenClassification or ForSequenceClassification."
        )
    return HEADS[auto_class]


def rename_tags(checkpoint: str, config: PretrainedConfig, pairs: str) -> str:
    """Rename the tags of a token classification head and return the name of its component.

    pairs: "OLD=new,OLD=new", each OLD a whole tag or an entity type, such as PER in B-PER. Raises
    UserError if the tags are not those of an entity recogniser.
    """
    tags = config.id2label
    types = {tag: entity_type(to_iob(tag)) for tag in tags.values()}
    names = read_names("--labels", pairs, {*types, *types.values()})
    for index, tag in tags.items():
        old = types[tag]
        tags[index] = names.get(tag) or tag.removesuffix(old) + names.get(old, old)
    if "O" not in tags.values() or len(set(tags.values())) == 1:
        raise UserError(
            f"{checkpoint}: its labels are {', '.join(tags.values())[:200]}; one must be O, for "
            "tokens outside entities (--labels o=O renames it), and at least one an entity type. A "
            "head for another task, such as part-of-speech tagging, cannot be wrapped."
        )
    return "ner"


def rename_categories(checkpoint: str, config: PretrainedConfig, pairs: str) -> str:
    """Rename the labels of a sequence classification head and return the name of its component.

    Raises UserError for a regression head.
    """
    names = read_names("--labels", pairs, config.id2label.values())
    if config.num_labels == 1 or config.problem_type == "regression":
        raise UserError(
            f"{checkpoint}: a regression head, whose scores are not probabilities; choose a "
            "classifier with at least two labels."
        )
    config.id2label = {index: names.get(name, name) for index, name in config.id2label.items()}
    multilabel = config.problem_type == "multi_label_classification"
    return "textcat_multilabel" if multilabel else "textcat"


def pipeline_of(
    head: type[HFHead],
    name: str,
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel,
    lang: str,
    source: str,
    revision: str | None,
) -> Language:
    """Return a pipeline with one component: a model with its head, the encoder on record."""
    nlp = blank(lang)
    nlp.add_pipe(FACTORIES[head], name=name, config={"source": source}).wrap(tokenizer, model)
    config = nlp.config.copy()
    config["settings"] = {"encoder": source, "revision": revision}
    nlp.config = config
    return nlp


def wrap(checkpoint: str, output: Path, lang: str, labels: str, revision: str) -> None:
    """Wrap a checkpoint for token or sequence classification as a spaCy pipeline, with its weights.

    `evaluate`, `report` and `package` accept the result like any trained pipeline. Raises
    UserError.
    """
    check_folder(output)
    blank(lang)
    _, commit = snapshot(checkpoint, revision, weights=False)
    head = head_of(checkpoint, commit)
    tokenizer, model = open_checkpoint(checkpoint, head.auto_class, revision=commit)
    if not tokenizer.is_fast:
        raise UserError(
            f"{checkpoint}: its tokenizer has no tokenizer.json, and so no character offsets; "
            "choose a checkpoint with a fast tokenizer."
        )
    # The tokenizer's own value can be missing, or exceed the encoder's positions.
    tokenizer.model_max_length = max_length(tokenizer, model)
    # Rename whole tags, B- and I- included: they are saved with the model's config.
    rename = rename_tags if head is HFEntities else rename_categories
    name = rename(checkpoint, model.config, labels)
    source = strip_local_path(checkpoint)
    nlp = pipeline_of(head, name, tokenizer, model, lang, source, commit)
    with written_beside(output) as folder:
        nlp.to_disk(folder / "model-best")
    msg.good(
        f"{output / 'model-best'}: {name} with {', '.join(nlp.get_pipe(name).labels)}, from {source}"
    )


if __name__ == "__main__":
    from .common.old_names import run_module

    run_module(__spec__.name)
