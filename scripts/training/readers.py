"""Readers of several corpora that one pipeline learns from."""

import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TypeVar

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Corpus, Example
from spacy.util import registry
from spacy.vocab import Vocab

from .augment import join_neighbours

Reader = Callable[[Language], Iterable[Example]]
Item = TypeVar("Item")
# What reads a split of several corpora, by its name; each takes the arguments of ONE.
ONE = "spacy.Corpus.v1"
SEVERAL = {"train": "project.balanced_corpora.v1", "dev": "project.all_corpora.v1"}


class JoinedCorpus(Corpus):
    """spaCy's Corpus, a share `joined` of whose documents are joined with their neighbours."""

    def __init__(self, path: str | Path, joined: float = 0.0, **settings) -> None:
        super().__init__(path, **settings)
        self.joined = joined

    def read_docbin(self, vocab: Vocab, locs: Iterable[str | Path]) -> Iterator[Doc]:
        return join_neighbours(super().read_docbin(vocab, locs), self.joined)


def balance(parts: Sequence[list[Item]], choice: random.Random | None = None) -> list[Item]:
    """Return the items of all parts, those of smaller ones repeated, so that each has as many as the
    largest: whole times, and the rest chosen at random.

    choice: chooses the rest; by default Python's `random`, which spaCy seeds.
    """
    largest = max(map(len, parts))
    sample = (choice or random).sample
    balanced = []
    for part in parts:
        times, rest = divmod(largest, len(part)) if part else (0, 0)
        balanced += part * times + sample(part, rest)
    return balanced


def open_all(path: str | list[str], limit: int, **settings) -> list[JoinedCorpus]:
    """Return a reader of each path. limit: the number of examples of all together, to which each
    contributes an equal share (0: no limit)."""
    paths = [path] if isinstance(path, str) else path
    share = math.ceil(limit / len(paths))
    return [JoinedCorpus(one, limit=share, **settings) for one in paths]


def reader_of(join: Callable[[list[list[Example]]], Iterable[Example]]) -> Callable[..., Reader]:
    """Return what creates a reader of several paths, whose examples are joined so. Its arguments are
    those of spaCy's reader of one, and joined: the share of documents without labels that are joined with
    their neighbours. The examples are read once, and kept."""

    def create(
        path: str | list[str],
        gold_preproc: bool = False,
        max_length: int = 0,
        limit: int = 0,
        augmenter: Callable | None = None,
        joined: float = 0.0,
    ) -> Reader:
        settings = {
            "gold_preproc": gold_preproc, "max_length": max_length, "augmenter": augmenter,
            "joined": joined,
        }  # fmt: skip
        corpora = open_all(path, limit, **settings)

        # Before the first update spaCy reads them some seven times, to initialise components.
        @lru_cache(maxsize=1)
        def read(nlp: Language) -> list[Example]:
            return list(join([list(corpus(nlp)) for corpus in corpora]))

        return read

    return create


# To train, each contributes the same number of examples: without this, a small corpus would hardly be
# learnt from beside a large one.
balanced_corpora = registry.readers(SEVERAL["train"], func=reader_of(balance))
all_corpora = registry.readers(SEVERAL["dev"], func=reader_of(chain.from_iterable))
