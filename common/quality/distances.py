"""Drift distances between a day and its reference: PSI, Jensen-Shannon and Kolmogorov-Smirnov.

They are computed from profiles, not rows, so the cost does not grow with the history.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from common.quality.profiles import TOP, Profile

BINS = 10
# Floor empty bins at half a row, so that PSI stays finite.
LEAST_ROWS = 0.5
# Below so many expected rows, a share says little (the usual rule of the chi-square test).
FEWEST_ROWS = 5
# Critical values at p = 0.001: of the normal distribution (one-sided), and of the Kolmogorov distribution.
RARELY = 3.09
RARELY_ANYWHERE = 1.95
# Error of approx_top_k's counts, as a share of the day's rows, for columns with very many values.
SKETCH_ERROR = 3.5 / 16_384
# Stands for NaN and infinity, so that arithmetic stays finite.
BEYOND = 1e300
Side = Sequence[Profile]  # the profiles of one column, one per day
Sizes = tuple[int, int]  # the numbers of non-null values: (reference, day)
Shares = dict[str | None, tuple[float, float]]  # (reference, day) by bin or value; None is the rest


def shares(reference: Side, day: Side) -> Shares | None:
    """Pair the two distributions: by value if there are top values, else by the deciles of the reference."""
    if all(profile.top is not None for profile in (*reference, *day)):
        return _by_value(reference, day)
    known, today = _with_quantiles(reference), _with_quantiles(day)
    if not known or not today:
        return None
    edges = _tenths(known)
    before, after = (np.diff([0.0, *_pooled(side, edges), 1.0]).tolist() for side in (known, today))
    return {str(bin_): pair for bin_, pair in enumerate(zip(before, after, strict=True))}


def _by_value(reference: Side, day: Side) -> Shares:
    """Pair the shares of both sides' top values, with all other values as one bin.

    Only bounds are known for a value outside a day's top values. Choose the two shares as close together as the bounds
    allow, so that truncated top lists cause no drift.
    """
    values = sorted({value for side in (reference, day) for value, _ in _counted(side).most_common(TOP)})
    before, after = (_limits(side, values) for side in (reference, day))
    pairs: Shares = {}
    for value, (past, now) in zip([*values, None], zip(before, after, strict=True), strict=True):
        common = max(past[0], now[0])
        pairs[value] = (min(past[1], common), min(now[1], common))
    if pairs[None] == (0, 0):
        del pairs[None]
    return pairs


def _limits(side: Side, values: Sequence[str]) -> list[tuple[float, float]]:
    """Return the smallest and largest possible share of each value, and last those of all other values."""
    known, tops = sum(_known(side)), [_counted([profile]) for profile in side]
    unseen = [_unseen(profile) for profile in side]
    least = [sum(top[value] for top in tops) for value in values]
    most = [sum(top.get(value, bound) for top, bound in zip(tops, unseen, strict=True)) for value in values]
    limits = [*zip(least, most, strict=True), (max(0, known - sum(most)), max(0, known - sum(least)))]
    return [(low / max(1, known), high / max(1, known)) for low, high in limits]


def _unseen(profile: Profile) -> float:
    """Return the largest possible count of a value outside the day's top values."""
    if profile.counts is not None:
        return 0
    tops, (known,) = _counted([profile]), _known([profile])
    # Null may have taken one of the TOP places.
    least = min(tops.values()) if len(tops) >= TOP - 1 else 0
    return min(max(0, known - tops.total()), least + known * SKETCH_ERROR)


def _below(profile: Profile, edges: Sequence[float]) -> list[float]:
    """Return the share of values up to each edge, interpolated linearly between quantiles."""
    steps = _steps(profile)
    levels = np.linspace(0, 1, len(steps))
    exact = np.searchsorted(steps, edges, side="right") - 1
    between = np.interp(edges, steps, levels)
    reached = np.where(exact >= 0, levels[np.clip(exact, 0, len(levels) - 1)], 0.0)
    return [float(share) for share in np.maximum(between, reached)]


def _steps(profile: Profile) -> list[float]:
    """Return the quantiles with NaN as the largest number, as Spark sorts it."""
    steps = np.asarray(profile.quantiles, dtype=float)
    return [float(step) for step in np.nan_to_num(steps, nan=BEYOND, posinf=BEYOND, neginf=-BEYOND)]


def _pooled(side: Side, edges: Sequence[float]) -> list[float]:
    """Return the share of values up to each edge over all days of a side, weighted by their non-null rows."""
    cumulative = np.average([_below(profile, edges) for profile in side], axis=0, weights=_known(side))
    return [float(share) for share in cumulative]


def _tenths(reference: Side) -> list[float]:
    """Return the inner decile edges of the reference, without duplicates."""
    steps = [step for profile in reference for step in _steps(profile)]
    return sorted({float(edge) for edge in np.quantile(steps, np.linspace(0, 1, BINS + 1)[1:-1])})


def sizes(reference: Side, day: Side) -> Sizes:
    """Return the numbers of non-null values, at least 1 each."""
    return max(1, sum(_known(reference))), max(1, sum(_known(day)))


def _known(side: Side) -> list[int]:
    """Return the number of non-null values of each day."""
    return [profile.rows - profile.nulls for profile in side]


def dense(pairs: Shares, sizes: Sizes) -> Shares:
    """Pool the values that are too rare for their shares to be compared: with fewer than five expected rows on a side.

    They join the rest, whatever its share is.
    """
    reference, day = sizes
    rare = [
        value
        for value, (past, now) in pairs.items()
        if value is None or (past * reference + now * day) / (reference + day) * min(sizes) < FEWEST_ROWS
    ]
    if len(rare) < 2:
        return pairs
    kept = {value: pair for value, pair in pairs.items() if value not in rare}
    return kept | {None: (sum(pairs[value][0] for value in rare), sum(pairs[value][1] for value in rare))}


def chance_new(reference: Side, sizes: Sizes) -> int:
    """Return how many values that the reference never had a day exceeds with probability 0.001.

    Good and Turing: the share of rows with an unseen value is that of the values seen once. A column whose values all
    recur therefore has no new ones by chance.
    """
    seen, day = sizes
    once = sum(count == 1 for count in _counted(reference).values())
    if not once:
        return 0
    expected = day / seen * (once + RARELY * math.sqrt(once))
    return math.ceil(expected + RARELY * math.sqrt(expected))


def psi(pairs: Shares, sizes: Sizes) -> float:
    """Return the population stability index: the sum of (q - p) * ln(q / p) over the bins.

    By convention, under 0.1 is stable and over 0.25 is a different population.
    """
    least_past, least_now = (LEAST_ROWS / size for size in sizes)
    floored = [(max(past, least_past), max(now, least_now)) for past, now in pairs.values() if past != now]
    return sum((now - past) * math.log(now / past) for past, now in floored)


def chance(pairs: Shares, sizes: Sizes) -> float:
    """Return the PSI that two samples of one population exceed with probability 0.001.

    Without drift, PSI follows a chi-square distribution with bins - 1 degrees of freedom, scaled by 1/n + 1/m. The
    quantile is Wilson and Hilferty's approximation.
    """
    degrees = max(1, len(pairs) - 1)
    spread = 2 / (9 * degrees)
    return degrees * (1 - spread + RARELY * math.sqrt(spread)) ** 3 * sum(1 / size for size in sizes)


def jensen_shannon(pairs: Shares) -> float:
    """Return the Jensen-Shannon distance (base 2) of two distributions of values, from 0 to 1."""
    total = sum(
        share * math.log2(share / ((past + now) / 2))
        for past, now in pairs.values()
        for share in (past, now)
        if share > 0
    )
    return math.sqrt(max(0.0, total / 2))


def _with_quantiles(side: Side) -> list[Profile]:
    return [profile for profile in side if profile.quantiles]


def chance_jensen_shannon(pairs: Shares, sizes: Sizes) -> float:
    """Return the Jensen-Shannon distance exceeded with probability 0.001: for close distributions, JS² = PSI / (8 ln 2)."""
    return math.sqrt(chance(pairs, sizes) / (8 * math.log(2)))


def kolmogorov_smirnov(reference: Side, day: Side) -> float:
    """Return the Kolmogorov-Smirnov distance: the largest gap between the two cumulative distributions."""
    known, today = _with_quantiles(reference), _with_quantiles(day)
    edges = sorted({step for profile in (*known, *today) for step in _steps(profile)})
    past, now = (np.asarray(_pooled(side, edges)) for side in (known, today))
    return float(np.max(np.abs(past - now)))


def chance_kolmogorov_smirnov(sizes: Sizes) -> float:
    """Return the Kolmogorov-Smirnov distance exceeded with probability 0.001 without drift."""
    return RARELY_ANYWHERE * math.sqrt(sum(1 / size for size in sizes))


def swing(past: float, now: float, sizes: Sizes) -> float:
    """Return the difference of two sample shares exceeded with probability 0.001 without drift (one-sided z-test)."""
    (before, after), total = sizes, sum(sizes)
    share = (past * before + now * after) / total
    return RARELY * math.sqrt(share * (1 - share) * (1 / before + 1 / after))


def _counted(side: Side) -> Counter[str]:
    """Return the counts of the top values, summed over the days."""
    counts: Counter[str] = Counter()
    for profile in side:
        counts.update({entry["value"]: entry["count"] for entry in profile.top or []})
    return counts


def null_share(side: Side) -> float:
    return sum(profile.nulls for profile in side) / max(1, sum(profile.rows for profile in side))
