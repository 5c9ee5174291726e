"""The annotated examples of a split, and what a pipeline can be scored on there."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from spacy.tokens import Doc
from spacy.training.corpus import walk_corpus
from spacy.vocab import Vocab

from ..common.errors import UserError, warn
from ..corpora.docbins import read_docs
from .label_map import new_names


class Gold(NamedTuple):
    """The examples of a split, and the task that a pipeline is scored on there.

    split: all of them, in their order. scored: the indices of those that are annotated for the task.
    """

    task: str
    split: list[Doc]
    scored: list[int]

    @property
    def docs(self) -> list[Doc]:
        return self.of(self.split)

    @property
    def unannotated(self) -> int:
        return len(self.split) - len(self.scored)

    def of(self, docs: Sequence[Doc]) -> list[Doc]:
        """Return those of a document per example whose examples are scored."""
        return [docs[index] for index in self.scored]


def best_label(doc: Doc) -> str:
    """Return the label with the highest probability."""
    return max(doc.cats, key=doc.cats.__getitem__)


def labels_given(doc: Doc, threshold: float | None) -> set[str]:
    """Return the categories that a pipeline assigns to a document; threshold None: the best one."""
    if threshold is None:
        return {best_label(doc)}
    return {label for label, value in doc.cats.items() if value >= threshold}


def is_annotated(doc: Doc, task: str) -> bool:
    """Return whether a document is annotated for a task."""
    if task == "ner":
        return doc.has_annotation("ENT_IOB")
    # One of several exclusive labels is right; of others none may be.
    return bool(doc.cats) if task == "textcat_multilabel" else any(doc.cats.values())


def judged(entities: Iterable[tuple[int, int, str]], gold: Doc) -> list[bool]:
    """Return of each entity, given by its characters, whether the gold annotation of all its tokens
    is known."""
    unknown = [token for token in gold if not token.ent_iob]
    return [
        not any(token.idx < end and start < token.idx + len(token) for token in unknown)
        for start, end, _ in entities
    ]


def gold_labels(doc: Doc, task: str) -> Iterable[str]:
    """Return the labels in the annotation of a document."""
    return (entity.label_ for entity in doc.ents) if task == "ner" else doc.cats


def annotated_tasks(tasks: Iterable[str], docs: Sequence[Doc]) -> list[str]:
    """Return those of some tasks that any of the documents is annotated for."""
    return [
        task
        for task in tasks
        if any(doc.ents if task == "ner" else is_annotated(doc, task) for doc in docs)
    ]


def choose_task(path: Path, tasks: Iterable[str], docs: list[Doc], wanted: str) -> str:
    """Return the one of a pipeline's tasks that a split is annotated for, or the wanted one.

    Raises UserError if there is none, or more than one to choose from.
    """
    tasks = list(tasks)
    if wanted and wanted not in tasks:
        raise UserError(f"--task {wanted}: the pipeline has {', '.join(tasks)}.")
    tasks = [wanted] if wanted else tasks
    found = annotated_tasks(tasks, docs)
    if len(found) > 1:
        raise UserError(
            f"{path} and the pipeline have several tasks: choose one of {', '.join(found)} with --task."
        )
    if not found and "ner" in tasks:
        raise UserError(f"{path} has no entities: not a corpus for named entities.")
    if not found:
        raise UserError(
            f"{path} has only texts without labels: not a corpus for a text classifier."
        )
    return found[0]


def read_split(path: Path, vocab: Vocab, tasks: Iterable[str], task: str = "") -> Gold:
    """Return the examples of a split, and which of them are annotated for the one of some tasks that
    the split has, or for the wanted `task`.

    Raises UserError if there are none, or none with the task.
    """
    docs = list(read_docs(path, vocab))
    task = choose_task(path, tasks, docs, task)
    gold = Gold(task, docs, [i for i, doc in enumerate(docs) if is_annotated(doc, task)])
    if gold.unannotated:
        what = "annotation of entities" if task == "ner" else "label"
        warn(f"{path}: {gold.unannotated:,} of {len(docs):,} examples have no {what}: not scored")
    return gold


def read_gold(
    path: Path,
    vocab: Vocab,
    labels: Mapping[str, Iterable[str]],
    task: str = "",
    names: dict[str, str] = {},
) -> Gold:
    """Return the examples of a split that a pipeline can be scored on.

    labels: the pipeline's, for each of its tasks. names: new names for them.
    Raises UserError if there are none, or none with the pipeline's task or labels.
    """
    gold = read_split(path, vocab, labels, task)
    check_labels(str(path), gold, new_names(labels[gold.task], names))
    return gold


def check_labels(where: str, gold: Gold, known: Sequence[str]) -> None:
    """Warn of entity labels in a split that a pipeline does not know. Raises UserError for a label of
    texts that it does not know, or if texts do not have the number of labels that it gives.

    where: the split, in messages. known: the pipeline's labels, renamed.
    """
    task = gold.task
    unknown = sorted({label for doc in gold.docs for label in gold_labels(doc, task)} - set(known))
    if unknown and task == "ner":
        warn(f"{where}: entity labels that the pipeline does not know: {', '.join(unknown)}")
    elif unknown:
        raise UserError(
            f"{where} has the label {unknown[0]!r}, which the pipeline does not know; it knows "
            f"{', '.join(known)[:200]} (--map renames them)."
        )
    for doc in gold.docs if task == "textcat" else ():
        if list(doc.cats.values()).count(doc.cats[best_label(doc)]) > 1:
            raise UserError(
                f"{where} has texts with several labels ({doc.text[:60]!r}), and `textcat` gives one: "
                "it is a corpus for `textcat_multilabel`."
            )


def split_sha256(path: Path) -> str:
    """Return the sha256 of a .spacy file, or of the shards in a folder, one after the other."""
    digest = hashlib.sha256()
    for shard in walk_corpus(path, ".spacy"):
        with shard.open("rb") as stream:
            hashlib.file_digest(stream, lambda: digest)
    return digest.hexdigest()
