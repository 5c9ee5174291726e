"""Train on a corpus that is too large for memory: readers, and what replaces a first pass over it."""

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.pipeline._parser_internals.ner import BiluoPushDown
from spacy.tokens import Doc
from spacy.training import Corpus, Example
from spacy.training.corpus import walk_corpus
from spacy.util import registry
from spacy.vocab import Vocab
from thinc.api import Config
from wasabi import msg

from ..corpora.docbins import CLASSIFIERS, read_annotated
from .calibrate import evenly_spaced
from .plan import Split
from .readers import ONE, SEVERAL, JoinedCorpus

# Examples of train from which on it is streamed. In memory, an example of 25 words takes some 10 kB.
STREAMED = 200_000
# Documents among which the next one is drawn, and those of train that are read beforehand.
BUFFER, SAMPLE = 10_000, 20_000
# Examples of dev that evaluations read.
DEV = 2000
TRAIN_READER, DEV_READER = "project.shuffled_corpus.v1", "project.sampled_corpus.v1"
LABELS_READER = "project.entity_labels.v1"


class ShuffledCorpus(JoinedCorpus):
    """A corpus in another random order each time it is read: of its shards, and of the
    documents in a buffer. Only a shard and the buffer are in memory."""

    def read_docbin(self, vocab: Vocab, locs: Iterable[str | Path]) -> Iterator[Doc]:
        shards = list(locs)
        random.shuffle(shards)
        buffer: list[Doc] = []
        for doc in super().read_docbin(vocab, shards):
            if len(buffer) < BUFFER:
                buffer.append(doc)
                continue
            index = random.randrange(BUFFER)
            yield buffer[index]
            buffer[index] = doc
        random.shuffle(buffer)
        yield from buffer


@registry.readers(TRAIN_READER)
def shuffled_corpus(
    path: Path,
    gold_preproc: bool = False,
    max_length: int = 0,
    limit: int = 0,
    augmenter: Callable | None = None,
    joined: float = 0.0,
) -> Callable[[Language], Iterable[Example]]:
    """Return a reader for a training with max_epochs = -1: spaCy then reads train anew in each epoch,
    and does not shuffle it. The arguments are those of the readers of a corpus in memory."""
    return ShuffledCorpus(
        path, joined, gold_preproc=gold_preproc, max_length=max_length, limit=limit,
        augmenter=augmenter,
    )  # fmt: skip


@registry.readers(DEV_READER)
def sampled_corpus(path: Path, limit: int) -> Callable[[Language], Iterable[Example]]:
    """Return a reader of `limit` documents, evenly spaced over one shard or several. It is read once,
    and kept."""
    kept: list[Doc] = []

    def read(nlp: Language) -> Iterator[Example]:
        corpus = Corpus(path)
        if not kept:
            shards = walk_corpus(path, ".spacy")
            kept.extend(evenly(corpus.read_docbin(nlp.vocab, shards), limit))
        return corpus.make_examples(nlp, kept)

    return read


def evenly(docs: Iterable[Doc], limit: int) -> list[Doc]:
    """Return at most `limit` documents, evenly spaced, with no more than twice as many in memory."""
    kept: list[Doc] = []
    step = 1
    for index, doc in enumerate(docs):
        if index % step == 0:
            kept.append(doc)
        if len(kept) == 2 * limit:
            kept, step = kept[::2], 2 * step
    return evenly_spaced(kept, limit)


@registry.readers(LABELS_READER)
def entity_labels(types: list[str]) -> dict[int, dict[str, int]]:
    """Return what spaCy's `ner` calls its labels: actions, and the entity types of each."""
    return BiluoPushDown.get_actions(entity_types=types)


def labels_of(tasks: dict[str, str], report: dict[str, Any]) -> dict[str, Any]:
    """Return what [initialize.components] is to have: the labels of each component, from the report
    of a conversion. tasks: the factories of components, by name."""
    split = report["splits"]["train"]
    found: dict[str, Any] = {}
    for name, factory in tasks.items():
        if factory == "ner":
            types = sorted(split.get("entities", {}))
            found[name] = {"labels": {"@readers": LABELS_READER, "types": types}}
        elif factory in CLASSIFIERS:
            found[name] = {"labels": sorted(split.get("labels", {}))}
    return found


def streams(config: Config, report: dict[str, Any]) -> bool:
    """Return whether a training streams its corpus: it is large, and read by spaCy's reader.

    config: references resolved. report: that of the conversion, or {}.
    """
    splits = report.get("splits", {})
    if not all("examples" in splits.get(name, {}) for name in ("train", "dev")):
        return False
    reader = config["corpora"].get("train", {}).get("@readers")
    return splits["train"]["examples"] >= STREAMED and reader in (ONE, SEVERAL["train"])


def sample_of(path: Path, tasks: Collection[str], split: dict[str, Any], joined: float) -> Split:
    """Return what is known of a split from its first SAMPLE documents and its part of the report."""
    docs = list(islice(read_annotated(path, tasks, Vocab()), SAMPLE))
    found = Split.of(docs, joined)
    found.total = round(split["examples"] * len(found.lengths) / len(docs))
    found.labels = Counter(split.get("labels", {}))
    return found


def stream(config: Config, tasks: dict[str, str], report: dict[str, Any]) -> None:
    """Let a config stream train, and evaluate on DEV examples of dev, if that has more.

    tasks: the factories of components, by name.
    """
    config["corpora"]["train"]["@readers"] = TRAIN_READER
    config["training"]["max_epochs"] = -1
    config["initialize"].setdefault("components", {}).update(labels_of(tasks, report))
    train, dev = (report["splits"][name]["examples"] for name in ("train", "dev"))
    said = (
        f"{train:,} examples are streamed in a random order; the first {SAMPLE:,} are looked at now"
    )
    if dev > DEV:
        config["corpora"]["dev"] = {
            "@readers": DEV_READER, "path": "${paths.dev}", "limit": DEV,
        }  # fmt: skip
        said += f"; evaluations read {DEV:,} of the {dev:,} of dev"
    msg.info(said)
