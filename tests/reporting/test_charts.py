"""Numbers of a language, ticks of an axis, and where a chart puts its points."""

import pytest
import srsly

from scripts.reporting.charts import BOTTOM, LEFT, RIGHT, TOP, Series, digits_of, line_chart, ticks
from scripts.reporting.numbers import Numbers
from scripts.reporting.templates import as_json


def test_numbers_as_each_language_writes_them():
    english, french = Numbers("en"), Numbers("fr")
    assert english.decimal(1234.5, 2) == "1,234.50"
    assert french.decimal(1234.5, 2) == "1\u202f234,50"
    assert (english.percent(0.5), french.percent(0.125, 1)) == ("50%", "12,5\u202f%")
    assert (english.integer(10000), french.integer(10000)) == ("10,000", "10\u202f000")
    assert [english.size(n) for n in (3_400_000, 240_000_000)] == ["3.4\u202fMB", "240\u202fMB"]
    assert french.size(3_400_000) == "3,4\u202fMo"
    assert {french.decimal(None), english.percent(None), english.size(None)} == {"–"}


@pytest.mark.parametrize(
    "low, high, wanted",
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 700, [0, 200, 400, 600, 800]),
        (0.31, 0.84, [0.2, 0.4, 0.6, 0.8, 1.0]),
        (5, 5, [5, 6]),
        (0, 0, [0, 0.2]),
        (0, 1.5e-4, [0, 5e-5, 1e-4, 1.5e-4]),
    ],
)
def test_ticks_are_round_and_cover_the_range(low, high, wanted):
    found = ticks(low, high)
    assert found[0] <= low and high <= found[-1]
    assert found == pytest.approx(wanted)
    digits = digits_of(found)
    assert len({f"{value:.{digits}f}" for value in found}) == len(found)


def test_a_chart_puts_points_where_they_belong():
    line = Series("dev", [(0, 0.0), (50, 0.5), (100, 1.0)], [(0, 0), (0.4, 0.6), (1, 1)])
    chart = line_chart("Score", "updates", "score", [line], "fr", chosen=50)
    middle = (LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2
    (found,) = chart["lines"]
    assert found["dots"] == [(LEFT, BOTTOM), middle, (RIGHT, TOP)]
    assert found["band"].count(",") == 6
    assert chart["chosen"] == middle[0]
    assert [text for _, text in chart["y_ticks"]] == ["0,0", "0,2", "0,4", "0,6", "0,8", "1,0"]
    assert chart["rows"][1] == ["50", "0,500"]
    assert all(TOP <= at <= BOTTOM for at, _ in chart["y_ticks"])


def test_a_long_curve_has_a_short_table():
    chart = line_chart("t", "x", "y", [Series("a", [(n, n) for n in range(1000)])], "en")
    assert 30 <= len(chart["rows"]) <= 60
    assert len(chart["lines"][0]["dots"]) == 1000


def test_json_cannot_end_its_script():
    found = as_json({"t": "</script><!-- & \u2028"})
    assert not set("<>&\u2028") & set(found)
    assert srsly.json_loads(str(found)) == {"t": "</script><!-- & \u2028"}
