"""Paired tests against cases computed by hand, and what changes from one pipeline to another."""

from itertools import product

import numpy
import pytest
import spacy
from spacy.tokens import Doc

from scripts.serving.comparison import System as Compared
from scripts.serving.comparison import bootstrap_p, compare_systems, holm, mcnemar, verdict
from scripts.serving.gold import Gold
from scripts.serving.intervals import paired_differences, percentile_interval, tallies
from scripts.serving.predictions import Header

# Two texts; of the first the one pipeline is right, of the second both are, or neither is.
RIGHT, WRONG = (1, 1, 1), (0, 1, 1)


@pytest.mark.parametrize(
    "lost, won, p",
    [
        (0, 0, 1.0),
        (0, 1, 1.0),
        (0, 5, 2 / 2**5),
        (1, 5, 2 * (1 + 6) / 2**6),
        (2, 8, 2 * (1 + 10 + 45) / 2**10),
        (3, 3, 1.0),
    ],
)
def test_mcnemar_of_few_changes_is_a_sum_of_binomials(lost, won, p):
    assert mcnemar(lost, won) == pytest.approx(p, rel=1e-12)
    assert mcnemar(won, lost) == mcnemar(lost, won)


def test_mcnemar_counts_what_is_at_least_as_unequal():
    """Of all ways in which nine texts can have changed."""
    ways = [abs(2 * sum(way) - 9) for way in product((0, 1), repeat=9)]
    for won in range(10):
        share = sum(unequal >= abs(2 * won - 9) for unequal in ways) / len(ways)
        assert mcnemar(9 - won, won) == pytest.approx(share, rel=1e-12)


def test_mcnemar_of_many_changes_is_as_chi_squared_has_it():
    """(|b - c| - 1)² / (b + c) is 11.80 here, whose p-value is 0.00059."""
    assert mcnemar(20_000, 20_694) == pytest.approx(0.00059, abs=2e-5)
    assert mcnemar(0, 5000) == 0


def test_holm_multiplies_the_smallest_by_all_and_never_falls():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.2]) == [0.2]
    assert holm([0.9, 0.6]) == [1.0, 1.0]


def test_resampled_differences_of_two_texts():
    """Of four samples of two texts one has no difference, two have 0.5, and one has 1."""
    one, other = numpy.array([RIGHT, RIGHT]), numpy.array([RIGHT, WRONG])
    differences = paired_differences(one, other)
    shares = [(differences == value).mean() for value in (0, 0.5, 1)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.04)
    assert bootstrap_p(differences) == pytest.approx(0.5, abs=0.06)
    assert percentile_interval(differences) == (0, 1)


def test_texts_are_resampled_together():
    """Pipelines that find the same differ in no sample, however much their score varies."""
    tally = numpy.array([RIGHT, WRONG] * 10)
    differences = paired_differences(tally, tally)
    assert not differences.any() and bootstrap_p(differences) == 1


def test_a_p_value_below_five_percent_is_an_interval_without_zero():
    random = numpy.random.default_rng(0)
    for texts in range(10, 200, 10):
        right = random.random((2, texts)) < [[0.6], [0.75]]
        one, other = (numpy.where(row[:, None], RIGHT, WRONG) for row in right)
        differences = paired_differences(one, other)
        low, high = percentile_interval(differences)
        assert (bootstrap_p(differences) < 0.05) == (low > 0 or high < 0)


def header(task: str, labels: list[str]) -> Header:
    values = dict.fromkeys(Header._fields)
    speed = {"words_per_second": 10, "device": "cpu", "precision": "float32", "torch_threads": 1}
    return Header(**values | {"pipeline": "fr_x", "labels": {task: labels}, "speed": speed})


def classified(vocab, labels: str) -> list[Doc]:
    docs = [Doc(vocab, words=[str(number)]) for number in range(len(labels))]
    for doc, label in zip(docs, labels):
        doc.cats = {name: float(name == label) for name in "ab"}
    return docs


def test_texts_that_change_and_the_table_of_both():
    vocab = spacy.blank("fr").vocab
    docs = classified(vocab, "aabbaabb")
    gold = Gold("textcat", docs, list(range(8)))

    def compared(name: str, labels: str) -> Compared:
        found = classified(vocab, labels)
        tally = tallies(found, docs, "textcat", None)
        return Compared(name, header("textcat", ["a", "b"]), {}, found, tally)

    #                     right: 11111100              10110011               11111111
    systems = compared("one", "aabbaaaa"), compared("two", "abbbbbbb"), compared("all", "aabbaabb")
    result = compare_systems(systems, gold)
    two, best = result["differences"]
    assert (two["lost"], two["won"]) == ([1, 4, 5], [6, 7])
    assert (two["both_right"], two["both_wrong"]) == (3, 0)
    assert two["difference"] == pytest.approx(-1 / 8)
    assert two["p"] == pytest.approx(1.0)
    assert (best["lost"], best["won"], best["both_right"]) == ([], [6, 7], 6)
    assert best["p"] == pytest.approx(0.5)
    assert [one["p_holm"] for one in (two, best)] == [1.0, 1.0]
    assert result["test"] == "exact McNemar test" and result["corrected"] == "Holm"
    assert result["support"] == {"a": 4, "b": 4}
    assert [one["score"] for one in result["pipelines"]] == [0.75, 0.625, 1.0]
    assert result["pipelines"][0]["labels"]["b"] == {"p": 1.0, "r": 0.5, "f": pytest.approx(2 / 3)}


@pytest.mark.parametrize(
    "difference, p, said", [(0.1, 0.01, "better"), (-0.1, 0.01, "worse"), (0.1, 0.05, "undecided")]
)
def test_a_difference_is_called_one_below_five_percent(difference, p, said):
    assert verdict({"difference": difference, "p_holm": p}) == said
