"""Draw small plots as inline SVG and format numbers for people.

Plots stretch to the width of the page, so labels are HTML beside them, not text inside.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from common.days import HOUR, from_text, kind_of

Value = float | None
STEP, HEIGHT = 10, 100
SPARK = 24
BINS = 16


def number(value: Any) -> Value:
    """Return the value if it is a finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def figure(value: Any) -> str:
    """Format a value for people: thousands separators, three significant digits."""
    if value is None or value == "":
        return "–"
    if isinstance(value, list | tuple):
        return " to ".join(figure(item) for item in value)
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def shortly(text: str | None) -> str:
    """Format a value that is stored as text, as a number if it is one."""
    try:
        return figure(float(text or ""))
    except ValueError:
        return figure(text)


def day(text: str) -> str:
    ds = from_text(text)
    return f"{ds:%-d %b %H h}" if kind_of(ds) == HOUR else f"{ds:%-d %b}"


def words(expectation: str) -> tuple[str, str]:
    """Return an expectation in words, and its arguments."""
    name, arguments, rest = re.fullmatch(r"(\w*)(?:\((.*)\))?(.*)", expectation, re.S).groups("")  # type: ignore[union-attr]
    phrase = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removeprefix("Expect").removeprefix("Column"))
    return re.sub(r"^(psi|ks|js)\b", lambda name: name[0].upper(), phrase.lower()) + rest, arguments


def ticks(window: Sequence[str]) -> list[tuple[float, str]]:
    """Return the labels of a day axis, each with its position in percent: the last day and whole weeks before it."""
    step = 7 * math.ceil(len(window) / 31)
    return [
        (round((place + 0.5) / len(window) * 100, 2), day(window[place])) for place in range(len(window) - 1, -1, -step)
    ]


def bands(limits: Iterable[Any]) -> list[tuple[float, float] | None]:
    """Return the least and the most that was expected of each day, None where nothing was."""
    pairs = [[number(bound) for bound in limit] if isinstance(limit, list) else [] for limit in limits]
    return [(p[0], p[1]) if len(p) == 2 and p[0] is not None and p[1] is not None else None for p in pairs]


def ceiling(values: Iterable[Value]) -> float:
    """Return the round number at which an axis ends."""
    largest = max((value for value in values if value is not None), default=0)
    if largest <= 0:
        return 1
    size = 10.0 ** math.floor(math.log10(largest))
    return next(step * size for step in (1, 1.2, 1.6, 2, 3, 4, 6, 8, 10) if step * size >= largest)


def stacks(
    parts: Mapping[str, Sequence[int]],
    titles: Sequence[str],
    bands: Sequence[tuple[float, float] | None],
    top: float,
    label: str,
) -> Markup:
    """Draw a stacked bar per day in front of the band of expected heights."""
    expected = [(place, _y(band[0], top), _y(band[1], top)) for place, band in enumerate(bands) if band]
    shapes = [_path("band", "".join(f"M{place * STEP} {high}h{STEP}V{low}h-{STEP}z" for place, low, high in expected))]
    for place, title in enumerate(titles):
        floor, rects = (
            0.0,
            [Markup('<path class="hit" d="M{} 0h{}v{}h-{}z"/>').format(place * STEP, STEP, HEIGHT, STEP)],
        )
        for name, counts in parts.items():
            if counts[place]:
                rects.append(_bar(place, floor, floor + counts[place], top, name))
                floor += counts[place]
        shapes.append(_titled(title, rects))
    edges = "".join(f"M{place * STEP} {high}h{STEP}M{place * STEP} {low}h{STEP}" for place, low, high in expected)
    shapes.append(_path("limit", edges))
    return _svg("plot", len(titles) * STEP, HEIGHT, shapes, label)


def bars(values: Sequence[Value], limits: Sequence[Value], titles: Sequence[str], top: float, label: str) -> Markup:
    """Draw a bar per day, in another colour if over its limit, and the limits as lines."""
    shapes = []
    for place, (value, limit) in enumerate(zip(values, limits, strict=True)):
        if value is not None:
            over = limit is not None and value > limit
            shapes.append(_titled(titles[place], [_bar(place, 0, value, top, "over" if over else "within")]))
    shapes.append(
        _path("limit", "".join(f"M{i * STEP} {_y(x, top)}h{STEP}" for i, x in enumerate(limits) if x is not None))
    )
    return _svg("plot", len(values) * STEP, HEIGHT, shapes, label)


def spark_line(values: Sequence[Value], limit: Value, label: str) -> Markup:
    """Draw a line over the days with its end marked; days without a measurement are gaps."""
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    if not known:
        return Markup()
    top = max([value for _, value in known] + [limit or 0]) * 1.1 or 1
    points = {place: f"{place * 4 + 2} {round((1 - value / top) * SPARK, 1):g}" for place, value in known}
    drawn = "".join(f"{'L' if place - 1 in points else 'M'}{point}" for place, point in points.items())
    # A day without neighbours gets a short line, or it would be invisible.
    drawn += "".join(f"M{point}h.1" for place, point in points.items() if {place - 1, place + 1}.isdisjoint(points))
    width = len(values) * 4
    shapes = [_path("line", drawn), _path("end", f"M{points[known[-1][0]]}h.1")]
    if limit is not None:
        shapes.insert(0, _path("limit", f"M0 {round((1 - limit / top) * SPARK, 1):g}h{width}"))
    return _svg("spark", width, SPARK, shapes, label)


def spark_bars(values: Sequence[float], label: str) -> Markup:
    top = max(values, default=0) or 1
    heights = [max(round(value / top * SPARK, 1), 1) if value else 0 for value in values]
    drawn = "".join(f"M{place * 4} {SPARK}v-{height:g}h3v{height:g}z" for place, height in enumerate(heights) if height)
    return _svg("spark", len(values) * 4, SPARK, [_path("fill", drawn)], label)


def histogram(quantiles: Sequence[float], label: str) -> Markup:
    """Draw the distribution of the values, from evenly spaced quantiles."""
    edges = [value for value in map(number, quantiles) if value is not None]
    if len(edges) < 2 or edges[0] == edges[-1]:
        return Markup()
    bins, width = [0.0] * BINS, (edges[-1] - edges[0]) / BINS
    for low, high in pairwise(edges):
        first, last = (min(int((edge - edges[0]) / width), BINS - 1) for edge in (low, high))
        for place in range(first, last + 1):
            left, right = edges[0] + place * width, edges[0] + (place + 1) * width
            bins[place] += (min(high, right) - max(low, left)) / (high - low) if high > low else 1
    return spark_bars(bins, label)


def _bar(place: int, low: float, high: float, top: float, name: str) -> Markup:
    upper, lower = _y(high, top), _y(low, top)
    return _path(name, f"M{place * STEP + 1} {upper}h{STEP - 2}V{lower}h-{STEP - 2}z")


def _y(value: float, top: float) -> str:
    return f"{round((1 - min(max(value / top, 0), 1)) * HEIGHT, 1):g}"


def _path(name: str, drawn: str) -> Markup:
    return Markup('<path class="{}" d="{}"/>').format(name, drawn)


def _titled(title: str, shapes: Sequence[Markup]) -> Markup:
    return Markup("<g><title>{}</title>{}</g>").format(title, Markup().join(shapes))


def _svg(name: str, width: int, height: int, shapes: Iterable[Markup], label: str) -> Markup:
    return Markup(
        '<svg class="{}" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    ).format(name, width, height, label, Markup().join(shapes))
