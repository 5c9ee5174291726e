"""Line charts as SVG, which a page draws by chart.html."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from .numbers import Numbers

WIDTH, HEIGHT = 480, 250
LEFT, RIGHT, TOP, BOTTOM = 52, 470, 26, 208
# Rows of the table below a chart.
ROWS = 60


class Series(NamedTuple):
    """A line of a chart. band: the low and the high end of each point's interval."""

    name: str
    points: Sequence[tuple[float, float]]
    band: Sequence[tuple[float, float]] = ()


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round numbers from at or below `low` to at or above `high`, about `most` of them."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if span / (power * factor) <= most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def digits_of(values: Sequence[float]) -> int:
    """Return the number of digits after the point that tells ticks apart."""
    step = values[1] - values[0]
    return next((n for n in range(6) if math.isclose(round(step, n), step, rel_tol=1e-6)), 6)


def line_chart(
    title: str,
    x: str,
    y: str,
    series: Sequence[Series],
    lang: str,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    ideal: bool = False,
    chosen: float | None = None,
    note: str = "",
    dots: bool = True,
    below: tuple[str, float] | None = None,
) -> dict[str, Any]:
    """Return what chart.html draws.

    x, y: names of the axes. x_range, y_range: what they show at least. ideal: draw the diagonal. chosen: the x of a
    vertical line. note: what is said below. dots: mark each point. below: a second axis under the first,
    its name and how much of the first is one of it.
    """
    numbers = Numbers(lang)
    xs = [a for one in series for a, _ in one.points] + list(x_range or ())
    ys = [b for one in series for _, b in one.points] + list(y_range or ())
    ys += [limit for one in series for band in one.band for limit in band]
    across, up = ticks(min(xs), max(xs)), ticks(min(ys), max(ys))

    def at_x(value: float) -> float:
        return round(LEFT + (value - across[0]) / (across[-1] - across[0]) * (RIGHT - LEFT), 1)

    def at_y(value: float) -> float:
        return round(BOTTOM - (value - up[0]) / (up[-1] - up[0]) * (BOTTOM - TOP), 1)

    def path(points: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{at_x(a)},{at_y(b)}" for a, b in points)

    lines = []
    for one in series:
        places = [a for a, _ in one.points]
        low = [(a, band[0]) for a, band in zip(places, one.band)]
        high = [(a, band[1]) for a, band in zip(places, one.band)]
        marks = [(at_x(a), at_y(b)) for a, b in one.points] if dots else []
        lines.append(
            {
                "name": one.name,
                "points": path(one.points),
                "band": path([*low, *reversed(high)]),
                "dots": marks,
            }
        )
    x_digits, y_digits = digits_of(across), digits_of(up)
    places = sorted({a for one in series for a, _ in one.points})
    places = places[:: math.ceil(len(places) / ROWS) or 1]
    values = [dict(one.points) for one in series]
    exact = max(3, y_digits) if max(map(abs, ys)) < 100 else y_digits
    return {
        "title": title, "x": x, "y": y, "width": WIDTH, "height": HEIGHT,
        "left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM,
        "x_ticks": [(at_x(value), numbers.decimal(value, x_digits)) for value in across],
        "below": below and {
            "name": below[0],
            "ticks": [(at_x(value), numbers.decimal(value / below[1], 1)) for value in across],
        },
        "y_ticks": [(at_y(value), numbers.decimal(value, y_digits)) for value in up],
        "lines": lines, "ideal": ideal, "note": note,
        "chosen": None if chosen is None else at_x(chosen),
        "header": [x, *(one.name for one in series)],
        "rows": [
            [numbers.decimal(a, x_digits if float(a).is_integer() else 3), *(numbers.decimal(one.get(a), exact) for one in values)]
            for a in places
        ],
    }  # fmt: skip
