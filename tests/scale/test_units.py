"""Units of work hold each row once, and are dealt so that workers read on where they are."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from scripts.scale.inputs import Source
from scripts.scale.units import Queue, rows_a_part, units_of
from scripts.serving.rows import Survey


def sources(totals: list[int]) -> list[Source]:
    return [
        Source(f"{n}.txt", Path(f"{n}.txt"), 0, 0, "", Survey(total, {}))
        for n, total in enumerate(totals)
    ]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(1, 30))
def test_each_row_is_in_one_unit_in_order(totals, size):
    units = list(units_of(sources(totals), size))
    rows = [
        (each.source.name, row)
        for unit in units
        for each in unit.slices
        for row in range(each.first, each.first + each.rows)
    ]
    assert rows == [(f"{n}.txt", row) for n, total in enumerate(totals) for row in range(total)]
    assert [unit.number for unit in units] == list(range(len(units)))
    assert {unit.rows for unit in units[:-1]} <= {size} and 0 < units[-1].rows <= size


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=12),
    st.integers(1, 8),
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=300),
)
def test_workers_read_on_and_each_unit_is_dealt(totals, size, turns):
    """Workers ask in any order, and are lost at any time; only what is given back is read again."""
    units = list(units_of(sources(totals), size))
    queue, places, done = Queue(units), {}, []
    for worker, lost in [*turns, *((worker, False) for worker in range(4) for _ in units)]:
        unit = queue.next(worker)
        if unit is None:
            continue
        first = unit.slices[0]
        if lost:
            queue.put_back(unit)
            queue.forget(worker)
            places.clear()
            continue
        assert places.get((worker, first.source.name), -1) < first.first
        places[worker, first.source.name] = first.first
        done.append(unit.number)
    assert sorted(done) == [unit.number for unit in units] and queue.next(0) is None


def test_a_new_file_is_begun_before_one_is_shared():
    queue = Queue(units_of(sources([30, 10, 10]), 10))
    names = [queue.next(worker).slices[0].source.name for worker in (0, 1, 2, 0, 1)]
    assert names == ["0.txt", "1.txt", "2.txt", "0.txt", "0.txt"]
    assert queue.next(2) is None


def test_rows_of_a_part():
    assert [rows_a_part(n) for n in (1, 1000, 100_000, 10**9)] == [1000, 1000, 3125, 10_000]
