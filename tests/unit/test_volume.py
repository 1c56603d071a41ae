"""What is usual: the same weekdays before, robustly."""

from datetime import date, timedelta

import pytest

from common.errors import ContractContradiction
from common.rule import Drift, Volume
from common.volume import usual

MONDAY = date(2026, 2, 2)
RULE = Volume(weeks=4, share=0.3, deviations=4)


def mondays(*counts: int) -> dict[date, int]:
    return {MONDAY - timedelta(days=7 * (week + 1)): count for week, count in enumerate(counts)}


def test_a_share_of_the_median_is_allowed() -> None:
    assert usual(RULE, mondays(100, 100, 100, 100), MONDAY) == (70, 130)


def test_weekdays_that_differ_among_themselves_allow_more() -> None:
    low, high = usual(RULE, mondays(60, 90, 110, 140), MONDAY) or (0, 0)
    assert low < 0 < 200 < high


def test_one_mad_day_does_not_widen_what_is_usual() -> None:
    assert usual(RULE, mondays(100, 100, 10_000, 100), MONDAY) == (70, 130)


def test_other_weekdays_say_nothing() -> None:
    counts = mondays(100, 100) | {MONDAY - timedelta(days=1): 5, MONDAY - timedelta(days=2): 5}
    assert usual(RULE, counts, MONDAY) == (70, 130)


def test_one_earlier_week_is_too_little_to_judge_by() -> None:
    assert usual(RULE, mondays(100), MONDAY) is None


def test_rules_that_cannot_hold_are_refused_where_they_stand() -> None:
    with pytest.raises(ContractContradiction, match="1 weeks are too few"):
        Volume(weeks=1)
    with pytest.raises(ContractContradiction, match="share 2 is not in"):
        Volume(share=2)
    with pytest.raises(ContractContradiction, match="0 days of reference"):
        Drift(days=0)
