"""Whether a day brought as many rows as such days do: judged by the books in the commits, never by counting history."""

from __future__ import annotations

from datetime import date, timedelta
from statistics import median
from typing import TYPE_CHECKING

from common import history, layout
from common.rule import Volume

if TYPE_CHECKING:
    from common.run import Run

# From the median absolute deviation to the standard deviation of a normal distribution.
NORMAL = 1.4826
COMMITS_A_DAY = 4
ENOUGH = 2


def landed(run: Run) -> dict[date, int]:
    """The number of records of the last weeks' days, by the newest commit of each."""
    path = run.path(layout.raw(run.contract))
    reach = (run.contract.volume.weeks + 1) * 7 * COMMITS_A_DAY
    found: dict[date, int] = {}
    for commit in history.commits(path, reach):
        counts = commit.books.get("counts", {})
        if commit.books.get("job") == "ingest" and "landed" in counts:
            found.setdefault(date.fromisoformat(commit.books["ds"]), counts["landed"])
    return found


def usual(rule: Volume, counts: dict[date, int], ds: date) -> tuple[float, float] | None:
    """The least and the most that the same weekdays before let expect: their median, give or take a share of it or, if
    they differ more among themselves, so many of their deviations. None where there are too few."""
    before = [counts[day] for week in range(1, rule.weeks + 1) if (day := ds - timedelta(days=7 * week)) in counts]
    if len(before) < ENOUGH:
        return None
    middle = median(before)
    deviation = NORMAL * median(abs(each - middle) for each in before)
    reach = max(rule.share * middle, rule.deviations * deviation)
    return middle - reach, middle + reach
