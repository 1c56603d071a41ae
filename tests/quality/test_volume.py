"""The volume rule compares with the same weekdays of earlier weeks, robustly."""

import json
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from common.contracts.expectations import Drift, Volume
from common.errors import ContractDeclarationError
from common.quality import checks, volume
from common.quality.result import CheckResult
from common.quality.volume import usual
from tests.support.play_lake import PlayLake

MONDAY = date(2026, 2, 2)
RULE = Volume(weeks=4, share=0.3, deviations=4)


def mondays(*counts: int) -> dict[date, int]:
    return {MONDAY - timedelta(days=7 * (week + 1)): count for week, count in enumerate(counts)}


def test_a_share_of_the_median_is_allowed() -> None:
    assert usual(RULE, mondays(100, 100, 100, 100), MONDAY) == (70, 130)


def test_weekdays_that_differ_among_themselves_allow_more() -> None:
    low, high = usual(RULE, mondays(60, 90, 110, 140), MONDAY) or (0, 0)
    assert low < 0 < 200 < high


def test_one_outlier_day_does_not_widen_the_limits() -> None:
    assert usual(RULE, mondays(100, 100, 10_000, 100), MONDAY) == (70, 130)


def test_other_weekdays_do_not_count() -> None:
    counts = mondays(100, 100) | {MONDAY - timedelta(days=1): 5, MONDAY - timedelta(days=2): 5}
    assert usual(RULE, counts, MONDAY) == (70, 130)


def test_one_earlier_week_is_not_enough_history() -> None:
    assert usual(RULE, mondays(100), MONDAY) is None


def judged(lake: PlayLake, ds: date, *commits: tuple[date, date, int], damaged: int = 0) -> CheckResult:
    """Checks a day's volume by a log of real files. A commit is (at, ds, landed); whoever reads a damaged one fails."""
    log = lake.root / "lake/raw/transactions/_delta_log"
    log.mkdir(parents=True, exist_ok=True)
    for number, each in enumerate(commits):
        (log / f"{number:020}.json").write_text("damaged" if number < damaged else _commit(*each))
    return checks.volume_of(lake.plan("validate", str(ds), table="raw"))


def _commit(at: date, ds: date, landed: int) -> str:
    books = {"job": "ingest", "ds": str(ds), "counts": {"landed": landed}}
    moment = int(datetime.combine(at, time(), UTC).timestamp() * 1000)
    return json.dumps({"commitInfo": {"timestamp": moment, "userMetadata": json.dumps(books)}})


def daily(first: date, days: int, landed: int = 100, again: int = 1) -> list[tuple[date, date, int]]:
    """Commits of days that were each ingested on the next day, `again` times."""
    names = [first + timedelta(days=number) for number in range(days)]
    return [(day + timedelta(days=1), day, landed) for day in names for _ in range(again)]


def test_an_old_day_is_compared_with_its_own_weeks(tmp_path: Path) -> None:
    commits = [*daily(MONDAY - timedelta(days=28), 28), (MONDAY, MONDAY, 40), *daily(MONDAY + timedelta(days=1), 600)]
    found = judged(PlayLake(tmp_path), MONDAY, *commits)
    assert (found.success, found.observed, found.limit) == (False, 40, [70, 130])


def test_reingested_weeks_do_not_hide_those_before(tmp_path: Path) -> None:
    commits = daily(MONDAY - timedelta(days=28), 29) + daily(MONDAY - timedelta(days=6), 6, landed=9, again=60)
    found = judged(PlayLake(tmp_path), MONDAY, *commits)
    assert (found.success, found.observed, found.limit) == (True, 100, [70, 130])


def test_nothing_older_than_what_it_needs_is_read(tmp_path: Path) -> None:
    """On an object store, each commit is a request."""
    commits = daily(MONDAY - timedelta(days=900), 901)
    found = judged(PlayLake(tmp_path), MONDAY, *commits, damaged=len(commits) - 29)
    assert (found.success, found.observed, found.limit) == (True, 100, [70, 130])


def test_only_commits_that_can_hold_the_days_are_read(tmp_path: Path) -> None:
    """A missing Monday is not searched for through years of history."""
    missing = MONDAY - timedelta(days=28)
    commits = [each for each in daily(MONDAY - timedelta(days=900), 901, again=3) if each[1] != missing]
    found = judged(PlayLake(tmp_path), MONDAY, *commits, damaged=len(commits) - 3 * 31)
    assert (found.success, found.limit) == (True, [70, 130])


def test_the_number_of_commits_read_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume, "LONGEST", 1000)
    commits = daily(MONDAY - timedelta(days=28), 29) + daily(MONDAY + timedelta(days=1), 1200)
    found = judged(PlayLake(tmp_path), MONDAY, *commits, damaged=len(commits) - 1000)
    assert (found.success, found.observed) == (True, None)
    assert found.limit == "unknown: the books of this day are too far back"


def test_a_day_without_enough_history_passes_and_says_so(tmp_path: Path) -> None:
    found = judged(PlayLake(tmp_path), MONDAY, *daily(MONDAY - timedelta(days=10), 11))
    assert (found.success, found.observed) == (True, 100)
    assert found.limit == "unknown: not enough history, 1 of 2 such weekdays"


def test_closed_days_are_not_judged_and_no_measure(tmp_path: Path) -> None:
    holidays = (MONDAY - timedelta(weeks=1), MONDAY)
    lake = PlayLake(tmp_path).with_contract(closed=holidays)
    mondays_since = [MONDAY + timedelta(weeks=week) for week in range(-3, 1)]
    commits = [(day, day, 3 if day in holidays else 100) for day in mondays_since]
    found = judged(lake, MONDAY, *commits)
    assert (found.success, found.limit) == (True, "none: the source is closed on this day")
    later = MONDAY + timedelta(weeks=1)
    found = judged(lake, later, *commits, (later, later, 40))
    assert (found.success, found.observed, found.limit) == (False, 40, [70, 130])


def test_impossible_rules_are_refused_when_declared() -> None:
    with pytest.raises(ContractDeclarationError, match="1 weeks are too few"):
        Volume(weeks=1)
    with pytest.raises(ContractDeclarationError, match="share 2 is not in"):
        Volume(share=2)
    with pytest.raises(ContractDeclarationError, match="0 days of reference"):
        Drift(days=0)
