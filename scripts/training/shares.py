"""Trainings on nested random samples of train: what is in a smaller share is also in a larger one."""

import random
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import srsly
from spacy.tokens import Doc
from spacy.vocab import Vocab

from ..common.errors import UserError, warn
from ..corpora.docbins import read_docs, write_docs
from ..corpora.report import corpus_report

# With fewer documents, whole ones would be too coarse.
FEWEST_DOCUMENTS = 50


class Unit(NamedTuple):
    """What is sampled as a whole: a document of the corpus, or an example. rows: their places in the
    split; labels: how often each label, or type of entity, occurs in them."""

    rows: list[int]
    labels: Counter[str]


def labels_in(doc: Doc, task: str) -> list[str]:
    """Return the labels that a document is annotated with, or the types of its entities."""
    if task == "ner":
        return [entity.label_ for entity in doc.ents]
    return [label for label, value in doc.cats.items() if value]


def units_of(docs: Iterable[Doc], task: str) -> tuple[str, list[Unit]]:
    """Return what a split is sampled by, "document" or "example", and the units.

    Whole documents, as people annotate them: of sentences from all documents, a few say as much as
    many. Where the corpus has no documents, or fewer than FEWEST_DOCUMENTS, single examples.
    """
    documents: dict[object, Unit] = {}
    examples = []
    for row, doc in enumerate(docs):
        example = Unit([row], Counter(labels_in(doc, task)))
        examples.append(example)
        origin = doc.user_data
        named = "document" in origin
        key = (origin.get("file"), origin["document"]) if named else row
        document = documents.setdefault(key, Unit([], Counter()))
        document.rows.append(row)
        document.labels.update(example.labels)
    if FEWEST_DOCUMENTS <= len(documents) < len(examples):
        return "document", list(documents.values())
    return "example", examples


def nested(units: Sequence[Unit], shares: Collection[float], seed: int) -> Iterator[list[Unit]]:
    """Yield a random sample for each share of the rows, in (0, 1]: units in a random order, until the
    share is reached. All samples of a seed follow one order, so that smaller ones are in larger ones."""
    order = list(units)
    random.Random(seed).shuffle(order)
    ends = list(accumulate(len(unit.rows) for unit in order))
    for share in shares:
        wanted = share * ends[-1]
        # Rounded, or a share of 0.1 of 30 could be 4 for the last bit of a float.
        count = next(n for n, end in enumerate(ends, 1) if end >= round(wanted, 6))
        yield order[:count]


class Run(NamedTuple):
    """A training to be made on a share of train, in (0, 1]. units: of the sample."""

    share: float
    seed: int
    units: list[Unit]

    @property
    def examples(self) -> int:
        return sum(len(unit.rows) for unit in self.units)

    @property
    def labels(self) -> Counter[str]:
        """How often each label occurs in the sample."""
        return sum((unit.labels for unit in self.units), Counter())

    def __str__(self) -> str:
        return f"{100 * self.share:g} % of train, seed {self.seed}"


def runs_of(
    units: Sequence[Unit], shares: Sequence[float], seeds: Sequence[int], task: str
) -> list[Run]:
    """Return the trainings: with each seed all shares, the smallest first.

    Warns of labels that a sample lacks. Raises UserError if one has nothing to learn from, or if two
    shares are the same examples.
    """
    runs = [
        Run(share, seed, chosen)
        for seed in seeds
        for share, chosen in zip(shares, nested(units, shares, seed))
    ]
    whole = set().union(*(unit.labels for unit in units))
    what = "entities" if task == "ner" else "labels"
    if not whole:
        raise UserError(f"train has no {what} to learn from.")
    for run in runs:
        if len(run.labels) < (2 if task == "textcat" else 1):
            has = f"only the label {', '.join(run.labels)}" if run.labels else f"no {what}"
            raise UserError(
                f"{run}: {run.examples:,} examples with {has} to learn from; give larger --shares."
            )
        if lacking := sorted(whole - set(run.labels)):
            warn(f"{run}: no example of {', '.join(lacking)}, which the pipeline cannot learn")
    for smaller, larger in zip(runs, runs[1:]):
        if smaller.seed == larger.seed and smaller.examples == larger.examples:
            raise UserError(
                f"{smaller}, and {100 * larger.share:g} %: the same {larger.examples:,} examples; give "
                "other --shares."
            )
    return runs


def write_sample(corpus: Path, run: Run, task: str, folder: Path) -> Path:
    """Write the sample of a run as train, beside the dev of the corpus, into a folder of the corpus's
    name in `folder`; return that."""
    output = folder / corpus.resolve().name
    output.mkdir()
    rows = {row for unit in run.units for row in unit.rows}
    docs = enumerate(read_docs(corpus / "train.spacy", Vocab()))
    chosen = ((doc, dict(doc.user_data)) for row, doc in docs if row in rows)
    write_docs(chosen, output / "train.spacy")
    dev = corpus / "dev.spacy"
    (shutil.copytree if dev.is_dir() else shutil.copy)(dev, output / dev.name)
    report = corpus_report(corpus / "report.json")
    if "splits" in report:
        # By it, a training tells a corpus that is too large for memory.
        kind = "entities" if task == "ner" else "labels"
        train = {"examples": run.examples, kind: dict(sorted(run.labels.items()))}
        report["splits"] = {**report["splits"], "train": train}
        srsly.write_json(output / "report.json", report)
    return output
