"""A ready-made Hugging Face head as a spaCy pipeline: `python -m scripts.wrap CHECKPOINT OUTPUT`."""

from pathlib import Path

from transformers import PretrainedConfig
from wasabi import msg

from .common.errors import UserError
from .common.files import check_folder, written_beside
from .common.languages import blank
from .encoders.checkpoint import class_of, longest, open_checkpoint, open_config, strip_local_path
from .encoders.snapshot import snapshot
from .serving.label_map import read_names
from .wheel.components import (
    HFCategories,
    HFEntities,
    HFHead,
    in_iob,
    type_of,
)

FACTORIES = {HFEntities: "hf_head_ner", HFCategories: "hf_head_textcat"}
# What opens a checkpoint -> what its head becomes.
HEADS = {head.auto: head for head in FACTORIES}


def head_of(checkpoint: str, revision: str | None) -> type[HFHead]:
    """Return what a checkpoint's head becomes. Raises UserError for other heads."""
    kind = class_of(checkpoint, revision)
    if kind not in HEADS:
        raise UserError(
            f"{checkpoint}: {', '.join(open_config(checkpoint, revision).architectures or ['no class'])}, where "
            "one that ends in ForTokenClassification or ForSequenceClassification is expected."
        )
    return HEADS[kind]


def name_tags(checkpoint: str, config: PretrainedConfig, pairs: str) -> str:
    """Give the tags of a token head their new names, of a whole tag or of the type in it (PER of
    B-PER), and return the name of its component. Raises UserError where no tag says outside."""
    tags = config.id2label
    types = {tag: type_of(in_iob(tag)) for tag in tags.values()}
    names = read_names("--labels", pairs, {*types, *types.values()})
    for index, tag in tags.items():
        kind = types[tag]
        tags[index] = names.get(tag) or tag.removesuffix(kind) + names.get(kind, kind)
    if "O" not in tags.values() or len(set(tags.values())) == 1:
        raise UserError(
            f"{checkpoint}: its labels are {', '.join(tags.values())[:200]}; one must be O, for what is "
            "outside entities (--labels o=O names it so), and others entities. A head for parts of "
            "speech or the like is no entity recogniser."
        )
    return "ner"


def name_categories(checkpoint: str, config: PretrainedConfig, pairs: str) -> str:
    """Give the labels of a text head their new names, and return the name of its component. Raises
    UserError where it gives a number instead of probabilities."""
    names = read_names("--labels", pairs, config.id2label.values())
    if config.num_labels == 1 or config.problem_type == "regression":
        raise UserError(
            f"{checkpoint}: a regression head, whose numbers are no probabilities of labels; give one "
            "of two labels or more."
        )
    config.id2label = {index: names.get(name, name) for index, name in config.id2label.items()}
    several = config.problem_type == "multi_label_classification"
    return "textcat_multilabel" if several else "textcat"


def wrap(checkpoint: str, output: Path, lang: str, labels: str, revision: str) -> None:
    """Make a spaCy pipeline of a checkpoint for token or text classification, weights and all.

    `evaluate`, `report` and `package` take it as any other.
    """
    check_folder(output)
    nlp = blank(lang)
    _, commit = snapshot(checkpoint, revision, weights=False)
    head = head_of(checkpoint, commit)
    tokenizer, model = open_checkpoint(checkpoint, head.auto, revision=commit)
    if not tokenizer.is_fast:
        raise UserError(
            f"{checkpoint}: a tokenizer without tokenizer.json tells no places in a text."
        )
    # The tokenizer may say more than there are positions, or nothing.
    tokenizer.model_max_length = longest(tokenizer, model)
    # Before decoding, which takes B- and I- off: with its configuration they are saved.
    give_names = name_tags if head is HFEntities else name_categories
    name = give_names(checkpoint, model.config, labels)
    source = strip_local_path(checkpoint)
    pipe = nlp.add_pipe(FACTORIES[head], name=name, config={"source": source})
    pipe.wrap(tokenizer, model)
    config = nlp.config.copy()
    config["settings"] = {"encoder": source, "revision": commit}
    nlp.config = config
    with written_beside(output) as folder:
        nlp.to_disk(folder / "model-best")
    msg.good(f"{output / 'model-best'}: {name} with {', '.join(pipe.labels)}, from {source}")


if __name__ == "__main__":
    from .cli import run_module

    run_module(__spec__.name)
