"""How far a day is from its reference: pure arithmetic on profiles, so that it costs the same with years of history."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from common.profiles import Profile

BINS = 10
# What nobody has may still be there: in a sample it counts as half a row, or every distance would be infinite.
LEAST_ROWS = 0.5
Sizes = tuple[int, int]  # the known values of the reference, and of the day
Shares = dict[str, tuple[float, float]]  # of each bin or value: in the reference, on the day


def shares(reference: Sequence[Profile], day: Profile) -> Shares | None:
    """The distributions side by side: by value where all values are known, else by the reference's own tenths."""
    past, now = _counted(reference), _counted([day])
    if past is not None and now is not None:
        return {
            value: (past[value] / max(1, past.total()), now[value] / max(1, now.total()))
            for value in sorted({*past, *now})
        }
    known = [each for each in reference if each.quantiles]
    if not known or not day.quantiles:
        return None
    edges = _tenths(known)
    past_below = _pooled(known, edges)
    now_below = _below(day, edges)
    before = zip([0.0, *past_below], [0.0, *now_below], strict=True)
    after = zip([*past_below, 1.0], [*now_below, 1.0], strict=True)
    return {str(place): (b[0] - a[0], b[1] - a[1]) for place, (a, b) in enumerate(zip(before, after, strict=True))}


def _below(profile: Profile, edges: Sequence[float]) -> list[float]:
    """The share of values up to each edge; between two quantiles they lie evenly."""
    steps = np.asarray(profile.quantiles, dtype=float)
    levels = np.linspace(0, 1, len(steps))
    exact = np.searchsorted(steps, edges, side="right") - 1
    between = np.interp(edges, steps, levels)
    reached = np.where(exact >= 0, levels[np.clip(exact, 0, len(levels) - 1)], 0.0)
    return [float(each) for each in np.maximum(between, reached)]


def _pooled(reference: Sequence[Profile], edges: Sequence[float]) -> list[float]:
    weights = [each.rows - each.nulls for each in reference]
    return [float(each) for each in np.average([_below(each, edges) for each in reference], axis=0, weights=weights)]


def _tenths(reference: Sequence[Profile]) -> list[float]:
    steps = np.sort(np.concatenate([np.asarray(each.quantiles, dtype=float) for each in reference]))
    return sorted({float(each) for each in np.quantile(steps, np.linspace(0, 1, BINS + 1)[1:-1])})


def sizes(reference: Sequence[Profile], day: Profile) -> Sizes:
    return max(1, sum(each.rows - each.nulls for each in reference)), max(1, day.rows - day.nulls)


def psi(found: Shares, sizes: Sizes) -> float:
    """The population stability index: under 0.1 nothing to see, over 0.25 another population."""
    least_past, least_now = (LEAST_ROWS / size for size in sizes)
    floored = [(max(past, least_past), max(now, least_now)) for past, now in found.values()]
    return sum((now - past) * math.log(now / past) for past, now in floored)


def chance(found: Shares, sizes: Sizes) -> float:
    """The stability index that two samples of one population stay under, but for one time in a thousand: by chance it
    goes like chi-square over the sample sizes (Wilson and Hilferty's approximation)."""
    degrees = max(1, len(found) - 1)
    spread = 2 / (9 * degrees)
    return degrees * (1 - spread + 3.09 * math.sqrt(spread)) ** 3 * sum(1 / size for size in sizes)


def jensen_shannon(found: Shares) -> float:
    """The distance between two distributions of values, from 0 to 1."""
    total = sum(
        share * math.log2(share / ((past + now) / 2))
        for past, now in found.values()
        for share in (past, now)
        if share > 0
    )
    return math.sqrt(max(0.0, total / 2))


def kolmogorov_smirnov(found: Shares) -> float:
    """The largest distance between the two cumulative distributions."""
    past, now = (np.cumsum(each) for each in zip(*found.values(), strict=True))
    return float(np.max(np.abs(past - now)))


def pooled(profiles: Sequence[Profile]) -> Profile:
    """Several days of one column as one: counts added up, quantiles averaged by their sizes."""
    first, *_ = profiles
    counts = _counted(profiles)
    known = [each for each in profiles if each.quantiles]
    weights = [each.rows - each.nulls for each in known]
    steps = np.average([each.quantiles for each in known], axis=0, weights=weights).tolist() if known else None
    return replace(
        first,
        rows=sum(each.rows for each in profiles),
        nulls=sum(each.nulls for each in profiles),
        quantiles=steps,
        top=[{"value": value, "count": count} for value, count in counts.items()] if counts is not None else None,
    )


def _counted(profiles: Sequence[Profile]) -> Counter[str] | None:
    """How often each value came on all of those days; None where that is not known of one of them."""
    counts = [each.counts for each in profiles]
    if any(each is None for each in counts):
        return None
    found: Counter[str] = Counter()
    for each in counts:
        found.update(each or {})
    return found


def null_share(profiles: Sequence[Profile]) -> float:
    return sum(each.nulls for each in profiles) / max(1, sum(each.rows for each in profiles))
