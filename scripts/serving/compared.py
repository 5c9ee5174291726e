"""What is compared: pipelines, or metrics and predictions of some, that have a task and labels in common."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from spacy.language import Language
from spacy.training.loop import DIR_MODEL_BEST
from spacy.util import get_lang_class
from spacy.vocab import Vocab, create_vocab

from ..common.errors import UserError
from .gold import Gold, check_labels, gold_labels, read_split, split_sha256
from .label_map import new_names, read_names
from .metrics import metrics_in
from .pipeline import load, task_labels
from .predictions import Predictions, beside, difference, read_predictions

METRICS = ".json"


class Entry(NamedTuple):
    """What is compared: a pipeline, which is loaded, or the metrics and predictions of one.

    labels: its own, by task. names: new names for them. task: which one its metrics are about.
    """

    name: str
    source: str
    labels: dict[str, list[str]]
    names: dict[str, str]
    task: str
    nlp: Language | None
    predictions: Predictions | None

    @property
    def lang(self) -> str:
        return self.nlp.lang if self.nlp else self.predictions.header.lang


def vocab_of(lang: str) -> Vocab:
    """Return the vocabulary of a language, which knows its direction of writing."""
    return create_vocab(lang, get_lang_class(lang).Defaults)


def display_names(sources: Sequence[str]) -> list[str]:
    """Return names that tell pipelines apart: of a file or folder the last part, or more parts where
    two would be the same."""
    paths = [Path(one).parent if Path(one).name == DIR_MODEL_BEST else Path(one) for one in sources]
    names = [path.name.removesuffix(METRICS) for path in paths]
    length = 0
    while len(set(names)) < len(names):
        length += 1
        names = ["/".join(path.parts[-length:]) for path in paths]
    return names


def open_metrics(name: str, path: Path, split: Path) -> Entry:
    """Return what metrics and the predictions beside them say of a pipeline.

    split: the path of the split. Raises UserError if they are missing, or about another split.
    """
    metrics = metrics_in(path)
    saved = beside(path)
    predictions = read_predictions(saved, Vocab())
    wanted = {"weights": metrics["weights"], "split_sha256": metrics["split_sha256"]}
    if different := difference(predictions, wanted):
        raise UserError(f"{saved}: predictions {different}; run `evaluate` first.")
    if metrics["split_sha256"] != split_sha256(split):
        raise UserError(
            f"{path}: scored on another split than {split} ({metrics['split']} of "
            f"{metrics['corpus']}); name that one with --corpus and --split, or run `evaluate` on it."
        )
    labels = predictions.header.labels
    return Entry(name, str(path), labels, metrics["map"], metrics["task"], None, predictions)


def open_entries(sources: Sequence[str], split: Path, names: str, gpu_id: int) -> list[Entry]:
    """Open all that is compared: metrics files first, as that takes no time. Raises UserError."""
    entries: dict[str, Entry] = {}
    shown = dict(zip(sources, display_names(sources)))
    for source in sources:
        if Path(source).suffix == METRICS:
            entries[source] = open_metrics(shown[source], Path(source), split)
    loaded = {source: load(source, gpu_id) for source in sources if source not in entries}
    labels = {source: task_labels(nlp) for source, nlp in loaded.items()}
    known = {label for tasks in labels.values() for one in tasks.values() for label in one}
    if names and not loaded:
        raise UserError("--map: metrics have the labels that `evaluate` gave them; run it again.")
    renamed = read_names("--map", names, known, may_drop=True)
    for source, nlp in loaded.items():
        own = set().union(*labels[source].values())
        mapped = {old: new for old, new in renamed.items() if old in own}
        entries[source] = Entry(shown[source], source, labels[source], mapped, "", nlp, None)
    return [entries[source] for source in sources]


def task_of(entries: Sequence[Entry], wanted: str) -> str:
    """Return the task that all are compared on: the wanted one, or that of metrics; "" if any will
    do. Raises UserError if one does not have it."""
    scored = {entry.task: entry for entry in entries if entry.task}
    if len(scored) > 1 or (wanted and scored and wanted not in scored):
        one, *_ = scored.values()
        other = next((entry for task, entry in scored.items() if task != one.task), None)
        beside_it = f"{other.source} {other.task}" if other else f"--task is {wanted}"
        raise UserError(
            f"{one.source} is scored on {one.task}, and {beside_it}: compare pipelines on one task."
        )
    task = wanted or next(iter(scored), "")
    for entry in entries:
        if task and task not in entry.labels:
            raise UserError(
                f"{entry.source}: has {', '.join(entry.labels)}, not {task}, which is compared."
            )
    return task


def open_gold(path: Path, entries: Sequence[Entry], task: str) -> Gold:
    """Return the examples of a split that all pipelines are scored on.

    Raises UserError if the labels of one and those of the split do not meet.
    """
    first = entries[0]
    shared = {
        one: first.labels[one] for one in first.labels if all(one in e.labels for e in entries)
    }
    if not shared:
        raise UserError(
            "no task is common to all: "
            + "; ".join(f"{entry.source} has {', '.join(entry.labels)}" for entry in entries)
            + "."
        )
    gold = read_split(path, vocab_of(first.lang), shared, task)
    wanted = {label for doc in gold.docs for label in gold_labels(doc, gold.task)}
    for entry in entries:
        known = new_names(entry.labels[gold.task], entry.names)
        if wanted and not wanted & set(known):
            raise UserError(
                f"{entry.source}: none of its labels, {', '.join(known)[:200]}, is in {path}, which has "
                f"{', '.join(sorted(wanted))[:200]}; rename them with --map."
            )
        check_labels(f"{entry.source}: {path}", gold, known)
    return gold
