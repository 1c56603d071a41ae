"""A run's logical day: the one asked for, else the event's, else the interval's start."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from dags.run_day import asked, day, days_before, days_of, in_ranges


@dataclass
class DagRun:
    data_interval_start: datetime | None = datetime(2026, 1, 5, tzinfo=UTC)
    run_after: datetime = datetime(2026, 1, 9, 3, tzinfo=UTC)


@dataclass
class Event:
    extra: dict[str, Any] = field(default_factory=dict)


def test_the_asked_day_wins_over_the_event_and_the_interval() -> None:
    events = {"published/churn": [Event({"ds": "2026-01-07"}), Event({"ds": "2026-01-06"})]}
    assert day({"ds": "2026-01-01"}, DagRun(), events) == "2026-01-01"
    assert day({"ds": None}, DagRun(), events) == "2026-01-07"
    several = [
        Event({"ds": "2026-01-07", "days": ["2026-01-03", "2026-01-06..2026-01-07"]}),
        Event({"ds": "2026-01-05"}),
    ]
    assert days_of({"published/churn": several}) == ["2026-01-03", "2026-01-05", "2026-01-06", "2026-01-07"]
    assert day({}, DagRun(), {"published/churn": several}) == "2026-01-07"
    assert day({}, DagRun(), {}) == "2026-01-05"


def test_a_run_without_an_interval_is_for_the_last_whole_day() -> None:
    assert day({"ds": None}, DagRun(None), None) == "2026-01-08"
    east = timezone(timedelta(hours=14))
    assert day({}, DagRun(None, datetime(2026, 1, 9, 3, tzinfo=east))) == "2026-01-07", "by UTC"


@pytest.mark.parametrize(
    "text", ["2026-02-30", "2026-1-5", "20260105", "05.01.2026", "2026-01-05; rm", "2026-01-05\n", ""]
)
def test_an_invalid_day_is_refused_by_the_form_and_the_task(text: str) -> None:
    param = asked("Day", "")
    with pytest.raises(AirflowException):
        param.resolve(text)
    if text:
        with pytest.raises(AirflowFailException, match="is not a date; expected YYYY-MM-DD"):
            day({"ds": text}, DagRun())
    assert param.resolve("2026-01-05") == "2026-01-05"
    assert param.resolve(None) is None


def test_an_event_about_a_range_covers_each_of_its_days() -> None:
    events = {"a": [Event({"ds": "2026-01-03..2026-01-05"}), Event({"ds": "2026-01-05"}), Event({})]}
    assert days_of(events) == ["2026-01-03", "2026-01-04", "2026-01-05"]
    assert day({}, DagRun(), events) == "2026-01-05"
    assert days_before("2026-01-05", 3) == "2026-01-03..2026-01-05"


@pytest.mark.parametrize("text", ["yesterday", "2026-01-05..", "2026-01-05..2026-01-03", "1900-01-01..2026-01-01"])
def test_an_event_without_a_day_fails_without_retry(text: str) -> None:
    with pytest.raises(AirflowFailException, match="expected|more than"):
        days_of({"a": [Event({"ds": text})]})


def test_days_in_a_row_are_one_range() -> None:
    assert in_ranges(["2026-01-05", "2026-01-04", "2026-01-31", "2026-02-01", "2026-02-03", "2026-01-04"]) == [
        "2026-01-04..2026-01-05",
        "2026-01-31..2026-02-01",
        "2026-02-03",
    ]
    assert in_ranges([]) == []
