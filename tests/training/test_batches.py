"""Batches that hold as many words, and as many examples, as stated."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.training.batches import batch_by_padded, fill
from scripts.training.plan import Sized

LENGTHS = st.lists(st.integers(0, 60), max_size=80)


@given(LENGTHS, st.integers(1, 300), st.integers(1, 12))
def test_each_example_is_in_one_batch_with_others_of_its_length(lengths, words, examples):
    batches = list(fill(lengths, words, examples))
    order = [index for batch in batches for index in batch]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[index] for index in order] == sorted(lengths)
    for batch in batches[:-1]:
        longest = lengths[batch[-1]]
        assert len(batch) >= examples
        # Full: no more words than stated, unless it had too few examples.
        assert longest * len(batch) <= words or longest * examples > words or longest > words


def test_no_small_batch_is_left_over():
    assert list(fill([10] * 24, 100, 1)) == [list(range(10)), list(range(10, 24))]
    # Half a batch is one of its own.
    assert [len(batch) for batch in fill([10] * 25, 100, 1)] == [10, 10, 5]
    assert [len(batch) for batch in fill([90] * 19, 100, 8)] == [8, 11]
    assert list(fill([], 100, 8)) == [] and list(fill([500], 100, 8)) == [[0]]


def test_updates_hold_about_the_stated_words_whatever_the_corpus():
    """As long as SST-2's phrases, CoNLL's sentences and reviews are."""
    numbers = random.Random(0)
    for longest in (12, 40, 300):
        lengths = [numbers.randint(1, longest) for _ in range(5000)]
        stream = [Sized(length) for length in lengths]
        batches = list(batch_by_padded(2000, 1)(stream))
        padded = [max(map(len, batch)) * len(batch) for batch in batches]
        assert 0.85 < sum(padded) / len(padded) / 2000 < 1.1


def test_batches_come_in_random_order_from_a_buffer():
    random.seed(1)
    stream = [Sized(1 + index % 50) for index in range(300)]
    batches = [list(map(len, batch)) for batch in batch_by_padded(200, 1, buffer=100)(stream)]
    assert sum(map(len, batches)) == 300
    longest = [max(batch) for batch in batches[: len(batches) // 3]]
    assert longest != sorted(longest)


def test_texts_with_labels_are_apart_and_have_the_minimum():
    random.seed(0)
    stream = [Sized(10, labelled=index % 3 == 0) for index in range(600)]
    batches = list(batch_by_padded(100, 25)(stream))
    kinds = [{bool(example.reference.cats) for example in batch} for batch in batches]
    assert all(len(kind) == 1 for kind in kinds)
    sizes = [{len(batch) for batch, kind in zip(batches, kinds) if kind == {x}} for x in (0, 1)]
    assert sizes == [{10}, {25}]
    # In random order, not one task after the other.
    order = [kind.pop() for kind in kinds]
    assert order != sorted(order) and order != sorted(order, reverse=True)
    # Without any labels, the minimum is of all.
    assert {len(batch) for batch in batch_by_padded(100, 25)([Sized(10)] * 100)} == {25}


@pytest.mark.parametrize("examples", [0, 1])
def test_a_single_long_example_is_a_batch(examples):
    batches = list(batch_by_padded(10, examples)([Sized(4000), Sized(3)]))
    assert sorted(len(batch) for batch in batches) == [1, 1]
