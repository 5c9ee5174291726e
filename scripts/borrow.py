"""A ready-made Hugging Face head as a spaCy pipeline: `python -m scripts.borrow CHECKPOINT OUTPUT`."""

from pathlib import Path

import spacy
import typer
from wasabi import msg

from .encoders.checkpoint import class_of, longest, neutral, open_checkpoint, open_config
from .encoders.snapshot import snapshot
from .errors import UserError, first_line, run
from .files import check_folder, written_beside
from .serving.components import BorrowedCategories, BorrowedEntities

# What opens a checkpoint -> the pipe that its head becomes.
PIPES = {
    head.auto: (name, head)
    for name, head in (("ner", BorrowedEntities), ("textcat", BorrowedCategories))
}


def head_of(checkpoint: str, revision: str | None) -> tuple[str, type]:
    """Return the pipe that a checkpoint's head becomes. Raises UserError for other heads."""
    kind = class_of(checkpoint, revision)
    if kind not in PIPES:
        raise UserError(
            f"{checkpoint}: {', '.join(open_config(checkpoint, revision).architectures or ['no class'])}, where "
            "one that ends in ForTokenClassification or ForSequenceClassification is expected."
        )
    return PIPES[kind]


def read_labels(pairs: str) -> dict[str, str]:
    """Return other names for labels, of "LABEL_0=negative,LABEL_1=positive". Raises UserError."""
    split = [pair.split("=", 1) for pair in pairs.split(",") if pair]
    if not all(len(pair) == 2 for pair in split):
        raise UserError(f"--labels {pairs}: write OLD=new,OLD=new.")
    return {old.strip(): new.strip() for old, new in split}


def main(
    checkpoint: str = typer.Argument(..., help="A Hugging Face folder, or a name on the hub"),
    output: Path = typer.Argument(..., help="Folder; the pipeline is its model-best"),
    lang: str = typer.Option(..., help="Language of spaCy's tokenizer: fr, en, xx…"),
    labels: str = typer.Option(
        "", help="Other names for its labels: LABEL_0=negative,LABEL_1=positive"
    ),
    revision: str = typer.Option("", help="Of a name on the hub: a branch, tag or commit"),
) -> None:
    """Make a spaCy pipeline of a checkpoint for token or text classification, weights and all.

    `evaluate`, `report` and `package` take it as any other.
    """
    check_folder(output)
    renamed = read_labels(labels)
    try:
        nlp = spacy.blank(lang)
    except ImportError as error:
        raise UserError(f"--lang {lang!r}: {first_line(error)}.") from error
    _, commit = snapshot(checkpoint, revision, weights=False)
    name, head = head_of(checkpoint, commit)
    tokenizer, model = open_checkpoint(checkpoint, head.auto, revision=commit)
    if not tokenizer.is_fast:
        raise UserError(
            f"{checkpoint}: a tokenizer without tokenizer.json tells no places in a text."
        )
    # The tokenizer may say more than there are positions, or nothing.
    tokenizer.model_max_length = longest(tokenizer, model)
    source = neutral(checkpoint)
    pipe = nlp.add_pipe(f"borrowed_{name}", name=name, config={"source": source, "labels": renamed})
    pipe.borrow(tokenizer, model)
    unknown = set(renamed) - set(pipe.own_labels())
    if unknown:
        raise UserError(
            f"--labels: no label {', '.join(sorted(unknown))}; it has {', '.join(pipe.own_labels())}."
        )
    config = nlp.config.copy()
    config["settings"] = {"encoder": source, "revision": commit}
    nlp.config = config
    with written_beside(output) as folder:
        nlp.to_disk(folder / "model-best")
    msg.good(f"{output / 'model-best'}: {name} with {', '.join(pipe.labels)}, from {source}")


if __name__ == "__main__":
    run(main)
