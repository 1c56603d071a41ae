"""The statistics of columns over the last days, from their stored profiles: a histogram, and how it has moved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields
from itertools import pairwise
from math import isfinite
from typing import Any

from common.console.grid import Facts, safe
from common.contracts.contract import Contract
from common.days import from_text
from common.lake import small_tables
from common.lake.sql_conditions import Slice
from common.quality.profiles import DISTINCT_ERROR, EVERYBODY, Profile, table_of

BINS = 20
SHOWN_VALUES = 5
# Of the 101 percentiles: what the band over the days shows.
BAND = (5, 25, 50, 75, 95)
DIGITS = 4


def column_facts(lake: str, contract: Contract, window: Sequence[str]) -> dict[str, dict[str, Facts]]:
    """By table and column: the newest statistics, and those of each day of the window."""
    where: Slice = {"ds": [from_text(ds) for ds in window], "label": [EVERYBODY]}
    rows = small_tables.read_slice(f"{lake}/{table_of(contract).path}", where).to_pylist() if window else []
    by_column: dict[tuple[str, str], list[Profile]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["ds"]):
        profile = Profile(**{each.name: row.get(each.name) for each in fields(Profile)})
        by_column[profile.table, profile.column].append(profile)
    found: dict[str, dict[str, Facts]] = defaultdict(dict)
    for (table, column), profiles in by_column.items():
        found[table][column] = {**newest(profiles[-1], contract), **_over_days(profiles, window)}
    return dict(found)


def newest(profile: Profile, contract: Contract) -> Facts:
    exact = profile.exact_distinct(contract)
    return {
        "ds": str(profile.ds),
        "type": profile.type,
        "rows": profile.rows,
        "nulls": profile.nulls,
        "distinct": min(profile.distinct, profile.rows - profile.nulls) if exact is None else exact,
        "about": DISTINCT_ERROR if exact is None else 0,
        **_values(profile),
    }


def _values(profile: Profile) -> Facts:
    found: Facts = {
        "mean": _rounded(profile.mean),
        "deviation": _rounded(profile.deviation),
        "smallest": safe(profile.smallest),
        "largest": safe(profile.largest),
        "bins": bins(profile.quantiles or []),
        "top": [[safe(entry["value"]), entry["count"]] for entry in (profile.top or [])[:SHOWN_VALUES]],
    }
    return {name: value for name, value in found.items() if value not in (None, [])}


def _over_days(profiles: Sequence[Profile], window: Sequence[str]) -> Facts:
    by_day = {str(profile.ds): profile for profile in profiles}
    days = [by_day.get(ds) for ds in window]
    nulls = [None if day is None else _rounded(day.nulls / day.rows if day.rows else 0) for day in days]
    found: Facts = {"null_share": nulls}
    if any(day and day.quantiles for day in days):
        found["band"] = [_band(day) for day in days]
    if newest := profiles[-1].top:
        names = [entry["value"] for entry in newest[:SHOWN_VALUES]]
        found["shares"] = [_shares(day, names) for day in days]
    return found


def _band(day: Profile | None) -> list[float | None] | None:
    if day is None or not day.quantiles:
        return None
    return [_rounded(day.quantiles[min(place, len(day.quantiles) - 1)]) for place in BAND]


def _shares(day: Profile | None, names: Sequence[str]) -> list[float | None] | None:
    if day is None or not day.top or day.rows == day.nulls:
        return None
    counts = {entry["value"]: entry["count"] for entry in day.top}
    return [_rounded(counts.get(name, 0) / (day.rows - day.nulls)) for name in names]


def bins(quantiles: Sequence[Any]) -> list[int]:
    """The heights of a histogram, in thousandths of the highest, from evenly spaced quantiles; none if all are equal."""
    edges = [value for value in quantiles if value is not None and isfinite(value)]
    if len(edges) < 2 or edges[0] == edges[-1]:
        return []
    heights, width = [0.0] * BINS, (edges[-1] - edges[0]) / BINS
    for low, high in pairwise(edges):
        first, last = (min(int((edge - edges[0]) / width), BINS - 1) for edge in (low, high))
        for place in range(first, last + 1):
            left, right = edges[0] + place * width, edges[0] + (place + 1) * width
            heights[place] += (min(high, right) - max(low, left)) / (high - low) if high > low else 1
    return [round(height / max(heights) * 1000) for height in heights]


def _rounded(value: float | None) -> float | None:
    return float(f"{value:.{DIGITS}g}") if value is not None and isfinite(value) else None
