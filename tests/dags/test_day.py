"""The right day: what was asked, what an event says, or the start of the interval; anything else is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException

from dags.day import asked, day, days_before, days_of, in_ranges


@dataclass
class DagRun:
    data_interval_start: datetime | None = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass
class Event:
    extra: dict[str, Any] = field(default_factory=dict)


def test_what_was_asked_comes_before_the_event_and_the_event_before_the_interval() -> None:
    events = {"published/churn": [Event({"ds": "2026-01-07"}), Event({"ds": "2026-01-06"})]}
    assert day({"ds": "2026-01-01"}, DagRun(), events) == "2026-01-01"
    assert day({"ds": None}, DagRun(), events) == "2026-01-07"
    assert day({}, DagRun(), {}) == "2026-01-05"


def test_a_run_without_an_interval_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="trigger it with a ds"):
        day({"ds": None}, DagRun(None), None)


@pytest.mark.parametrize(
    "text", ["2026-02-30", "2026-1-5", "20260105", "05.01.2026", "2026-01-05; rm", "2026-01-05\n", ""]
)
def test_what_is_no_day_is_refused_by_the_form_and_by_the_task(text: str) -> None:
    param = asked("Day", "")
    with pytest.raises(AirflowException):
        param.resolve(text)
    if text:
        with pytest.raises(ValueError):
            day({"ds": text}, DagRun())
    assert param.resolve("2026-01-05") == "2026-01-05"
    assert param.resolve(None) is None


def test_an_event_that_tells_of_a_range_tells_of_its_ends() -> None:
    assert days_of({"a": [Event({"ds": "2026-01-03..2026-01-05"}), Event({})]}) == ["2026-01-03", "2026-01-05"]
    assert days_before("2026-01-05", 3) == "2026-01-03..2026-01-05"


def test_days_in_a_row_are_one_range() -> None:
    assert in_ranges(["2026-01-05", "2026-01-04", "2026-01-31", "2026-02-01", "2026-02-03", "2026-01-04"]) == [
        "2026-01-04..2026-01-05",
        "2026-01-31..2026-02-01",
        "2026-02-03",
    ]
    assert in_ranges([]) == []
