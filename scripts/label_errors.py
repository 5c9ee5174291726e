"""Likely label errors of a corpus: `python -m scripts label-errors corpus/mine --encoder FOLDER_OR_ID`."""

from pathlib import Path
from typing import Any

import srsly
from spacy.tokens import Doc
from spacy.vocab import Vocab
from wasabi import msg

from .common.errors import UserError, warn
from .common.files import check_file, written_beside
from .common.precision import check_precision
from .corpora.docbins import read_docs
from .corpora.report import corpus_report
from .encoders.checkpoint import strip_local_path
from .encoders.frozen import Frozen, open_frozen, vectors_of
from .serving.cross_validation import entity_rows, groups_of, label_rows
from .serving.gold import annotated_tasks, is_annotated, split_sha256
from .serving.label_errors import NONE, entry, print_errors
from .training.label_errors import (
    TEXTS,
    TOKENS,
    UNKNOWN,
    out_of_fold,
    suspects_of_entities,
    suspects_of_texts,
)

NER, TEXTCAT, SEVERAL = TASKS = "ner", "textcat", "textcat_multilabel"
# Below, there is nothing to learn from; label errors that a file holds.
FEWEST, MOST = 20, 1000


def task_of(path: Path, docs: list[Doc], several: bool) -> str:
    """Return what a split is annotated for. several: whether its texts may have any number of labels.

    Raises UserError if that is both entities and labels.
    """
    several = several or any(sum(value > 0 for value in doc.cats.values()) > 1 for doc in docs)
    classes = SEVERAL if several else TEXTCAT
    tasks = annotated_tasks((NER, classes), docs)
    if len(tasks) > 1:
        raise UserError(
            f"{path} has entities and labels: choose with --task ner or --task {classes}."
        )
    return tasks[0] if tasks else classes


def read_examples(path: Path, task: str, several: bool) -> tuple[str, list[Doc]]:
    """Return the task of a split, and its documents that are annotated for it; count the others in a
    warning.

    task: "" for the one that it has. several: see `task_of`. Raises UserError if there is none, or both,
    or too few examples.
    """
    docs = list(read_docs(path, Vocab()))
    task = task or task_of(path, docs, several)
    kept = [doc for doc in docs if is_annotated(doc, task) and doc.text.strip()]
    if not any(doc.ents if task == NER else doc.cats for doc in kept):
        raise UserError(f"{path} has no {'entities' if task == NER else 'labels'} to look at.")
    if len(kept) < FEWEST:
        raise UserError(
            f"{path} has {len(kept)} annotated texts: too few to learn from; {FEWEST} are needed."
        )
    if len(kept) < len(docs):
        warn(
            f"{path}: {len(docs) - len(kept):,} of {len(docs):,} texts are not annotated: left out"
        )
    return task, kept


def errors_in_texts(
    docs: list[Doc], frozen: Frozen, exclusive: bool
) -> tuple[float, list[dict[str, Any]]]:
    """Return the share of labels that out-of-fold predictions agree with, and the likely errors.

    exclusive: whether each text has exactly one label. Raises UserError if there is only one label.
    """
    labels, truth = label_rows(docs)
    if exclusive and (truth.sum(1) != 1).any():
        raise UserError("texts with several labels: choose --task textcat_multilabel.")
    if exclusive and len(labels) < 2:
        raise UserError(f"all texts have the label {labels[0]}: there is nothing to tell apart.")
    gold = truth.argmax(1) if exclusive else truth
    with vectors_of(docs, frozen, tokens=False) as vectors:
        found = out_of_fold(vectors, gold, groups_of(docs), TEXTS)
    agreed = found.argmax(1) == gold if exclusive else (found > 0.5) == truth
    names = dict(enumerate(labels)) | {UNKNOWN: NONE}
    errors = [
        entry(docs[row], row, confidence, names[given], names[other], None)
        for confidence, row, _, _, given, other in suspects_of_texts(found, gold)[:MOST]
    ]
    return float(agreed.mean()), errors


def errors_in_entities(docs: list[Doc], frozen: Frozen) -> tuple[float, list[dict[str, Any]]]:
    """Return the share of the tokens of entities whose type out-of-fold predictions agree with, and
    the likely errors."""
    with vectors_of(docs, frozen, tokens=True) as vectors:
        types, tokens, gold, begins = entity_rows(docs, vectors)
        found = out_of_fold(vectors, gold, groups_of(docs), TOKENS)
    agreed = (found.argmax(1) == gold)[gold > 0]
    errors = []
    for suspect in suspects_of_entities(found, gold, begins, vectors.owner)[:MOST]:
        first, last = tokens[suspect.start], tokens[suspect.end - 1]
        names = (types[suspect.given] or NONE, types[suspect.found] or NONE)
        span = (first.idx, last.idx + len(last))
        errors.append(entry(first.doc, suspect.row, suspect.confidence, *names, span))
    return float(agreed.mean()), errors


def label_errors(
    corpus: Path,
    encoder: str,
    split: str,
    task: str,
    output: Path | None,
    limit: int,
    revision: str = "",
    precision: str = "auto",
) -> dict[str, Any]:
    """Print the likely label errors of a split, the surest first; write more of them to a JSON file.

    Raises UserError for a split without annotation, or an encoder that cannot be used.
    """
    if output is not None:
        check_file(output)
    check_precision("--precision", precision)
    path = corpus / f"{split}.spacy"
    if task and task not in TASKS:
        raise UserError(f"--task {task}: expected one of {', '.join(TASKS)}.")
    several = bool(corpus_report(corpus / "report.json").get("several labels"))
    task, docs = read_examples(path, task, several)
    frozen = open_frozen(encoder, revision, precision)
    if task == NER:
        agreement, errors = errors_in_entities(docs, frozen)
    else:
        agreement, errors = errors_in_texts(docs, frozen, exclusive=task == TEXTCAT)
    print_errors(errors, limit)
    result = {
        "corpus": corpus.resolve().name, "split": split, "split_sha256": split_sha256(path),
        "task": task, "encoder": strip_local_path(encoder), "examples": len(docs),
        "agreement": agreement, "label_errors": errors,
    }  # fmt: skip
    of = "words in entities" if task == NER else "labels"
    print(
        f"out-of-fold predictions agree with {agreement:.1%} of the {of}: the surer one that does not, "
        "the likelier a label error"
    )
    if output is not None:
        with written_beside(output.parent) as folder:
            srsly.write_json(folder / output.name, result)
    said = f"the first {min(limit, len(errors))} of {len(errors):,}"
    msg.good(f"{path}: {said}" + (f"; {output} has all of them" if output else ""))
    return result
