"""A day on which a source is closed is neither missing nor a failure, and its rows count all the same."""

from dataclasses import replace
from datetime import date

import pytest

from common.contracts import datasets
from common.contracts.calendar import Closed, is_closed
from common.errors import ContractDeclarationError, SourceMissingError
from common.orchestration.chain import run_chain
from jobs.backfill import CHAIN
from tests.support.play_lake import PlayLake

FRIDAY, SATURDAY, SUNDAY, MONDAY = "2026-01-09", "2026-01-10", "2026-01-11", "2026-01-12"


@pytest.mark.parametrize(
    ("closed", "days"),
    [
        (("sat", "sun"), [SATURDAY, SUNDAY]),
        (("2026-01-09", date(2026, 1, 12)), [FRIDAY, MONDAY]),
        (lambda day: day.day % 2 == 0, [SATURDAY, MONDAY]),
        ((), []),
    ],
)
def test_closed_days_are_weekdays_dates_or_a_function(closed: Closed, days: list[str]) -> None:
    week = (FRIDAY, SATURDAY, SUNDAY, MONDAY)
    assert [day for day in week if is_closed(closed, date.fromisoformat(day))] == days


@pytest.mark.parametrize("day", ["saturday", "2026-02-30", "2026-1-5", ""])
def test_an_unknown_closed_day_is_refused(day: str) -> None:
    with pytest.raises(ContractDeclarationError, match="closed names .*expected weekdays"):
        replace(datasets.load("transactions").contract, closed=(day,))


def test_a_closed_day_is_passed_over_unless_something_came(lake: PlayLake) -> None:
    lake = lake.with_contract(closed=("sat", "sun"))
    lake.land(SUNDAY, "transaction_id\nb")
    runs = [lake.plan("backfill", ds) for ds in (SATURDAY, SUNDAY)]
    lines = {line["ds"]: line["outcome"] for line in run_chain(CHAIN, runs)}
    assert lines == {SATURDAY: "closed", SUNDAY: "done"}
    assert [bool(lake.feature_rows(ds)) for ds in (SATURDAY, SUNDAY)] == [False, True]
    with pytest.raises(SourceMissingError):
        lake.ingest(MONDAY)
