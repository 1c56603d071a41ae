"""Whether a day brought as many rows as such days do: judged by the books in the commits, never by counting history."""

from __future__ import annotations

from datetime import date, timedelta
from statistics import median
from typing import TYPE_CHECKING

from common.contracts import layout
from common.contracts.expectations import Volume
from common.lake import delta_log
from common.lake.delta_log import Commit

if TYPE_CHECKING:
    from common.runtime.run import Run

# From the median absolute deviation to the standard deviation of a normal distribution.
NORMAL = 1.4826
COMMITS_A_DAY = 4
ENOUGH = 2
# Seven years of so many commits, which take seconds to read; where a day's books are older, its volume is not judged.
LONGEST = 10_000


def landed(run: Run) -> dict[date, int]:
    """The number of records of the day and of those it is held against, by the newest commit of each. The commits are
    read back until all of these are found, but no further than the days themselves: none is ingested before it began."""
    wanted = {run.ds, *same_weekdays(run.contract.volume, run.ds)}
    path, reach = run.path(layout.raw(run.contract)), len(wanted) * 7 * COMMITS_A_DAY
    while True:
        commits = delta_log.commits(path, reach)
        found = _by_day(commits)
        over = len(commits) < reach or reach >= LONGEST or commits[-1].at.date() < min(wanted)
        if over or wanted <= found.keys():
            return found
        reach = min(LONGEST, reach * 4)


def _by_day(commits: list[Commit]) -> dict[date, int]:
    found: dict[date, int] = {}
    for commit in commits:
        counts = commit.books.get("counts", {})
        if commit.books.get("job") == "ingest" and "landed" in counts:
            found.setdefault(date.fromisoformat(commit.books["ds"]), counts["landed"])
    return found


def same_weekdays(rule: Volume, ds: date) -> list[date]:
    return [ds - timedelta(weeks=week) for week in range(1, rule.weeks + 1)]


def usual(rule: Volume, counts: dict[date, int], ds: date) -> tuple[float, float] | None:
    """The least and the most that the same weekdays before let expect: their median, give or take a share of it or, if
    they differ more among themselves, so many of their deviations. None where there are too few."""
    before = [counts[day] for day in same_weekdays(rule, ds) if day in counts]
    if len(before) < ENOUGH:
        return None
    middle = median(before)
    deviation = NORMAL * median(abs(each - middle) for each in before)
    reach = max(rule.share * middle, rule.deviations * deviation)
    return middle - reach, middle + reach


def unknown(rule: Volume, counts: dict[date, int], ds: date) -> str:
    """Why nothing is expected of the day."""
    if ds not in counts:
        return "unknown: the books of this day are too far back"
    weeks = sum(day in counts for day in same_weekdays(rule, ds))
    return f"unknown: not enough history, {weeks} of {ENOUGH} such weekdays"
