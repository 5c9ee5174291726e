"""Examples to DocBin files that `spacy train` reads, with the figures of the report."""

from array import array
from collections import Counter
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import numpy
import spacy
from spacy.strings import hash_string
from spacy.tokens import Doc, DocBin

from ..errors import UserError
from .examples import LabelledText, Notes, TaggedSentence
from .text import spaces

# A DocBin cannot hold 2 GB (E871), and is built in memory: a shard has this many tokens at most,
# some 100 MB while it is made.
SHARD_TOKENS = 1_000_000
UNALIGNED = "entity that the pipeline's tokenizer cannot align"


class SplitWriter:
    """Writes one split: `name.spacy`, a file, or a folder of shards where one is not enough."""

    def __init__(
        self, folder: Path, name: str, language: str, labels: Optional[Sequence[str]]
    ) -> None:
        self.folder = folder
        self.name = name
        self.language = language
        self.labels = labels
        self.shards: List[Path] = []
        self.examples = self.tokens = 0
        self.counts: Counter = Counter()
        self.notes = Notes()
        # 8 bytes an example: the one thing that grows with the corpus.
        self.hashes = array("Q")
        self.open_shard()

    def open_shard(self) -> None:
        # A new vocabulary for each shard, or its strings would grow with the corpus.
        try:
            self.nlp = spacy.blank(self.language)
        except ImportError as error:
            raise UserError(
                f"spaCy has no language {self.language!r}; use a code such as fr, en or xx."
            ) from error
        attributes = [] if self.labels else ["ENT_IOB", "ENT_TYPE"]
        self.docbin = DocBin(attrs=["ORTH", "SPACY", *attributes], store_user_data=False)
        self.shard_tokens = 0

    def close_shard(self) -> None:
        path = self.folder / f"{self.name}-{len(self.shards):05}.spacy"
        self.docbin.to_disk(path)
        self.shards.append(path)

    def add(self, example, place: str) -> None:
        """Write one example; `place` names it in the report."""
        if self.shard_tokens >= SHARD_TOKENS:
            self.close_shard()
            self.open_shard()
        if isinstance(example, LabelledText):
            doc = self.labelled(example)
        else:
            doc = self.tagged(example, place)
        self.docbin.add(doc)
        self.examples += 1
        self.tokens += len(doc)
        self.shard_tokens += len(doc)
        self.hashes.append(hash_string(doc.text))

    def labelled(self, example: LabelledText) -> Doc:
        doc = self.nlp.make_doc(example.text)
        doc.cats = {label: float(label == example.label) for label in self.labels}
        self.counts[example.label] += 1
        return doc

    def tagged(self, example: TaggedSentence, place: str) -> Doc:
        iob = ["O"] * len(example.words)
        for start, end, label in example.entities:
            iob[start:end] = [f"B-{label}"] + [f"I-{label}"] * (end - start - 1)
            self.counts[label] += 1
        doc = Doc(
            self.nlp.vocab,
            words=example.words,
            spaces=spaces(example.words, self.language),
            ents=iob,
        )
        if example.entities:
            raw = self.nlp.make_doc(doc.text)
            for entity in doc.ents:
                if raw.char_span(entity.start_char, entity.end_char) is None:
                    self.notes.add(UNALIGNED, f"{place}: {entity.text}")
        return doc

    def close(self) -> None:
        self.close_shard()
        target = self.folder / f"{self.name}.spacy"
        if len(self.shards) == 1:
            self.shards[0].rename(target)
            return
        target.mkdir()
        for shard in self.shards:
            shard.rename(target / shard.name)

    def distinct(self) -> numpy.ndarray:
        """Return the sorted distinct hashes of the texts, uint64."""
        return numpy.unique(numpy.frombuffer(self.hashes, dtype=numpy.uint64))

    def report(self) -> Dict[str, object]:
        return {
            "examples": self.examples,
            "tokens": self.tokens,
            "labels" if self.labels else "entities": dict(sorted(self.counts.items())),
            "unaligned": self.notes.to_json().get(UNALIGNED, {"count": 0, "first": []}),
            "duplicates": self.examples - len(self.distinct()),
        }


def shared_texts(writers: Sequence[SplitWriter]) -> Dict[str, int]:
    """Return how many distinct texts each two splits share, by "train/test"."""
    pairs: List[Tuple[SplitWriter, SplitWriter]] = [
        (first, second) for index, first in enumerate(writers) for second in writers[index + 1 :]
    ]
    return {
        f"{first.name}/{second.name}": int(
            len(numpy.intersect1d(first.distinct(), second.distinct(), assume_unique=True))
        )
        for first, second in pairs
    }
