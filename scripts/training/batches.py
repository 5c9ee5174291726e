"""Batches of examples of similar length that hold as many words, and as many examples, as stated."""

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from spacy.training import Example
from spacy.util import registry

# Examples that are sorted by length at a time. Of a few hundred, the last ones make small batches of
# nothing but the longest texts.
BUFFER = 2048


def fill(lengths: list[int], words: int, examples: int) -> Iterator[list[int]]:
    """Yield batches of indices into `lengths`, shortest first.

    A batch is full when another example would take its padded size (the longest length times their
    number) over `words`, but not before it has `examples`. What is left over at the end joins the
    last batch if it is less than half of one.
    """
    batch: list[int] = []
    last: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if len(batch) >= examples and lengths[index] * (len(batch) + 1) > words:
            if last:
                yield last
            last, batch = batch, []
        batch.append(index)
    if not batch:
        return
    longest = lengths[batch[-1]]
    small = 2 * longest * len(batch) < words or 2 * len(batch) < examples
    yield from [last + batch] if small else filter(None, (last, batch))


def batches_of(examples: list[Example], words: int, least: int) -> list[list[Example]]:
    """Return the batches of some examples, see `fill`."""
    filled = fill([len(example) for example in examples], words, max(least, 1))
    return [[examples[index] for index in batch] for batch in filled]


@registry.batchers("project.batch_by_padded.v1")
def batch_by_padded(
    size: int, examples: int, buffer: int = BUFFER
) -> Callable[[Iterable[Example]], Iterator[list[Example]]]:
    """Return a batcher: spaCy's batch_by_padded, with a minimum number of examples.

    size: the number of words in a batch, padding included; a single longer example is a batch.
    examples: the number of examples that a batch has at least, however long they are. buffer: the
    number of examples that are sorted by length at a time; their batches come in random order.

    Texts with labels and those without do not share a batch, and if there are both, `examples` is about
    the former: an update is then for one task. In the same one, the gradients of entities, which are
    sums over words, are some fifty times as large as those of labels, which would be learnt late.
    """

    def batcher(stream: Iterable[Example]) -> Iterator[list[Example]]:
        stream = iter(stream)
        while buffered := list(islice(stream, buffer)):
            labelled = [example for example in buffered if example.reference.cats]
            others = [example for example in buffered if not example.reference.cats]
            batches = batches_of(labelled, size, examples)
            batches += batches_of(others, size, 1 if labelled else examples)
            random.shuffle(batches)
            yield from batches

    return batcher
