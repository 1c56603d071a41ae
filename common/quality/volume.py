"""Compare a day's row count with the same weekdays before it. The counts come from the books in the commits."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import islice
from statistics import median
from typing import TYPE_CHECKING

from common.contracts import layout
from common.contracts.contract import Contract
from common.contracts.expectations import Volume
from common.days import from_text
from common.lake.log.delta_log import Commit, TableLog

if TYPE_CHECKING:
    from common.runtime.run import Run

# Converts a median absolute deviation to the standard deviation of a normal distribution.
NORMAL = 1.4826
ENOUGH = 2
# The most commits to read: seven years at four a day, read in seconds. Volume is not checked for older days.
LONGEST = 10_000


def landed(run: Run) -> dict[date, int]:
    """Return the record counts of the day and its baseline days, from the newest commit of each.

    A closed day has no baseline and is not part of one.
    Reads commits backwards, one after the other, until all days are found. Stops at commits older than the first of these
    days, because no day is ingested before it begins.
    """
    contract = run.contract
    open_days = [day for day in same_weekdays(contract.volume, run.ds) if not contract.is_closed(day)]
    days = {run.ds} if contract.is_closed(run.ds) else {run.ds, *open_days}
    counts: dict[date, int] = {}
    for commit in islice(TableLog(run.path(layout.raw(contract))).since_day(min(days)), LONGEST):
        counts = _landed_on(commit, days) | counts
        if days <= counts.keys():
            break
    return counts


def _landed_on(commit: Commit, days: set[date]) -> dict[date, int]:
    landed = commit.books.get("counts", {}).get("landed")
    if commit.books.get("job") != "ingest" or landed is None:
        return {}
    day = from_text(commit.books["ds"])
    return {day: landed} if day in days else {}


def same_weekdays(rule: Volume, ds: date) -> list[date]:
    return [ds - timedelta(weeks=week) for week in range(1, rule.weeks + 1)]


def usual(rule: Volume, counts: dict[date, int], ds: date) -> tuple[float, float] | None:
    """Return the expected band of row counts, or None with too few days.

    The band is the median of the same weekdays, plus or minus `share` of it or `deviations` robust standard deviations,
    whichever is wider.
    """
    before = [counts[day] for day in same_weekdays(rule, ds) if day in counts]
    if len(before) < ENOUGH:
        return None
    middle = median(before)
    deviation = NORMAL * median(abs(count - middle) for count in before)
    reach = max(rule.share * middle, rule.deviations * deviation)
    return middle - reach, middle + reach


def unknown(contract: Contract, counts: dict[date, int], ds: date) -> str:
    """Return why the day has no expected band."""
    if contract.is_closed(ds):
        return "none: the source is closed on this day"
    if ds not in counts:
        return "unknown: the books of this day are too far back"
    weeks = sum(day in counts for day in same_weekdays(contract.volume, ds))
    return f"unknown: not enough history, {weeks} of {ENOUGH} such weekdays"
