"""How far a day is from its reference: pure arithmetic on profiles, so that it costs the same with years of history."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from common.quality.profiles import TOP, Profile

BINS = 10
# What nobody has may still be there: in a sample it counts as half a row, or every distance would be infinite.
LEAST_ROWS = 0.5
# Standard deviations that chance goes beyond one time in a thousand, and the same for the largest of many distances.
RARELY = 3.09
RARELY_ANYWHERE = 1.95
# Of the rows of a day: how far the sketch behind the top values is off where values are very many.
SKETCH_ERROR = 3.5 / 16_384
# In the place of what is no number, and of what is infinite: larger than any number, and still one.
BEYOND = 1e300
Side = Sequence[Profile]  # one column, on one day or on several
Sizes = tuple[int, int]  # the known values of the reference, and of the day
Shares = dict[str | None, tuple[float, float]]  # of each bin or value: in the reference, on the day; None is the rest


def shares(reference: Side, day: Side) -> Shares | None:
    """The distributions side by side: by value where there are top values, else by the reference's own tenths."""
    if all(each.top is not None for each in (*reference, *day)):
        return _by_value(reference, day)
    known, today = ([each for each in side if each.quantiles] for side in (reference, day))
    if not known or not today:
        return None
    edges = _tenths(known)
    before, after = (np.diff([0.0, *_pooled(side, edges), 1.0]).tolist() for side in (known, today))
    return {str(place): both for place, both in enumerate(zip(before, after, strict=True))}


def _by_value(reference: Side, day: Side) -> Shares:
    """The most frequent values of both sides, and the rest as one. Of a value that is no top value of a day only its
    limits are known: the shares are as near to each other as these allow, so that a distance is never an artefact."""
    values = sorted({value for side in (reference, day) for value, _ in _counted(side).most_common(TOP)})
    before, after = (_limits(side, values) for side in (reference, day))
    found: Shares = {}
    for value, (past, now) in zip([*values, None], zip(before, after, strict=True), strict=True):
        common = max(past[0], now[0])
        found[value] = (min(past[1], common), min(now[1], common))
    if found[None] == (0, 0):
        del found[None]
    return found


def _limits(side: Side, values: Sequence[str]) -> list[tuple[float, float]]:
    """The least and the largest share that each value can have, and what is left for all others."""
    known, tops = sum(each.rows - each.nulls for each in side), [_counted([each]) for each in side]
    unseen = [_unseen(each) for each in side]
    least = [sum(top[value] for top in tops) for value in values]
    most = [sum(top.get(value, may) for top, may in zip(tops, unseen, strict=True)) for value in values]
    limits = [*zip(least, most, strict=True), (max(0, known - sum(most)), max(0, known - sum(least)))]
    return [(low / max(1, known), high / max(1, known)) for low, high in limits]


def _unseen(profile: Profile) -> float:
    """The most rows that a value can have which is none of the day's top values."""
    if profile.counts is not None:
        return 0
    tops, known = _counted([profile]), profile.rows - profile.nulls
    # One of them may have been null.
    least = min(tops.values()) if len(tops) >= TOP - 1 else 0
    return min(max(0, known - tops.total()), least + known * SKETCH_ERROR)


def _below(profile: Profile, edges: Sequence[float]) -> list[float]:
    """The share of values up to each edge; between two quantiles they lie evenly."""
    steps = _steps(profile)
    levels = np.linspace(0, 1, len(steps))
    exact = np.searchsorted(steps, edges, side="right") - 1
    between = np.interp(edges, steps, levels)
    reached = np.where(exact >= 0, levels[np.clip(exact, 0, len(levels) - 1)], 0.0)
    return [float(each) for each in np.maximum(between, reached)]


def _steps(profile: Profile) -> list[float]:
    """What is no number stands above all numbers, as Spark sorts it."""
    steps = np.asarray(profile.quantiles, dtype=float)
    return [float(each) for each in np.nan_to_num(steps, nan=BEYOND, posinf=BEYOND, neginf=-BEYOND)]


def _pooled(side: Side, edges: Sequence[float]) -> list[float]:
    weights = [each.rows - each.nulls for each in side]
    return [float(each) for each in np.average([_below(each, edges) for each in side], axis=0, weights=weights)]


def _tenths(reference: Side) -> list[float]:
    steps = [step for each in reference for step in _steps(each)]
    return sorted({float(each) for each in np.quantile(steps, np.linspace(0, 1, BINS + 1)[1:-1])})


def sizes(reference: Side, day: Side) -> Sizes:
    past, now = (max(1, sum(each.rows - each.nulls for each in side)) for side in (reference, day))
    return past, now


def psi(found: Shares, sizes: Sizes) -> float:
    """The population stability index: under 0.1 nothing to see, over 0.25 another population."""
    least_past, least_now = (LEAST_ROWS / size for size in sizes)
    floored = [(max(past, least_past), max(now, least_now)) for past, now in found.values() if past != now]
    return sum((now - past) * math.log(now / past) for past, now in floored)


def chance(found: Shares, sizes: Sizes) -> float:
    """The stability index that two samples of one population stay under, but for one time in a thousand: by chance it
    goes like chi-square over the sample sizes (Wilson and Hilferty's approximation)."""
    degrees = max(1, len(found) - 1)
    spread = 2 / (9 * degrees)
    return degrees * (1 - spread + RARELY * math.sqrt(spread)) ** 3 * sum(1 / size for size in sizes)


def jensen_shannon(found: Shares) -> float:
    """The distance between two distributions of values, from 0 to 1."""
    total = sum(
        share * math.log2(share / ((past + now) / 2))
        for past, now in found.values()
        for share in (past, now)
        if share > 0
    )
    return math.sqrt(max(0.0, total / 2))


def chance_jensen_shannon(found: Shares, sizes: Sizes) -> float:
    """As `chance`: near each other, the square of this distance is an eighth of the stability index, in bits."""
    return math.sqrt(chance(found, sizes) / (8 * math.log(2)))


def kolmogorov_smirnov(reference: Side, day: Side) -> float:
    """The largest distance between the two cumulative distributions of numbers."""
    known, today = ([each for each in side if each.quantiles] for side in (reference, day))
    edges = sorted({step for each in (*known, *today) for step in _steps(each)})
    past, now = (np.asarray(_pooled(side, edges)) for side in (known, today))
    return float(np.max(np.abs(past - now)))


def chance_kolmogorov_smirnov(sizes: Sizes) -> float:
    return RARELY_ANYWHERE * math.sqrt(sum(1 / size for size in sizes))


def swing(past: float, now: float, sizes: Sizes) -> float:
    """How far one share is from the other in two samples of one population, but for one time in a thousand."""
    (before, after), total = sizes, sum(sizes)
    share = (past * before + now * after) / total
    return RARELY * math.sqrt(share * (1 - share) * (1 / before + 1 / after))


def _counted(side: Side) -> Counter[str]:
    """How often each top value came on all of those days."""
    found: Counter[str] = Counter()
    for profile in side:
        found.update({each["value"]: each["count"] for each in profile.top or []})
    return found


def null_share(side: Side) -> float:
    return sum(each.nulls for each in side) / max(1, sum(each.rows for each in side))
