"""What the train split alone tells about a test split: texts and names in both, and a baseline."""

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, NamedTuple

from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc, Span
from spacy.util import filter_spans
from spacy.vocab import Vocab

from ..corpora.docbins import read_docs
from .gold import Gold, is_annotated, labels_given
from .intervals import SCORES, f_score, tallies
from .predictions import bare


class Train(NamedTuple):
    """What is known of train.

    shared: texts that are also in the test split, character for character. labels: how many texts have
    each. types: how often an entity has each type, by its tokens. names: the texts of the entities.
    """

    shared: set[str]
    labels: Counter[str]
    types: dict[tuple[str, ...], Counter[str]]
    names: set[str]


def read_train(gold: Gold, path: Path) -> Train:
    """Return what is known of a train split, for a task."""
    texts = {doc.text for doc in gold.docs}
    train = Train(set(), Counter(), defaultdict(Counter), set())
    exclusive = gold.task == "textcat"
    # In a vocabulary of its own: the pipeline's would keep every word of train.
    for doc in read_docs(path, Vocab()):
        if doc.text in texts:
            train.shared.add(doc.text)
        if gold.task == "ner":
            for entity in doc.ents:
                train.types[tuple(token.text for token in entity)][entity.label_] += 1
                train.names.add(entity.text)
        elif is_annotated(doc, gold.task):
            train.labels.update(labels_given(doc, None if exclusive else 0.5))
    return train


def by_gazetteer(train: Train, docs: list[Doc]) -> list[Doc]:
    """Return documents whose entities are the names that train has, the longest first, each of the type
    that it most often has there."""
    if not docs:
        return []
    vocab = docs[0].vocab
    matcher = PhraseMatcher(vocab)
    for words, types in train.types.items():
        (most, _), *_ = types.most_common(1)
        # A second call for a type adds to the first.
        matcher.add(most, [Doc(vocab, words=list(words))])
    found = []
    for doc in docs:
        copy = bare(doc)
        spans = [Span(copy, start, end, label) for label, start, end in matcher(copy)]
        copy.set_ents(filter_spans(spans))
        found.append(copy)
    return found


def baseline(train: Train, gold: Gold) -> dict[str, Any]:
    """Return the score of answers that need no training: the most frequent label of train, or the
    entities that train has."""
    if gold.task == "ner":
        what, found, threshold = "gazetteer of train", by_gazetteer(train, gold.docs), None
    else:
        threshold = None if gold.task == "textcat" else 0.5
        most = max(sorted(train.labels), key=train.labels.__getitem__, default=None)
        what = "most frequent label of train"
        found = []
        for doc in gold.docs:
            copy = bare(doc)
            copy.cats = {label: float(label == most) for label in doc.cats}
            found.append(copy)
    tally = tallies(found, gold.docs, gold.task, threshold)
    return {"what": what, "name": SCORES[gold.task], "score": float(f_score(tally))}
