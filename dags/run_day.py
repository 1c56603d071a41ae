"""Which day a run is for: its parameter, else the day of its asset event, else its data interval's start, else yesterday.

An invalid day fails without retries: it would not become valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, timedelta
from typing import Any, TypeVar

from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException

from common.days import parse_day, parse_days
from common.errors import UsageError

T = TypeVar("T")

# Rendered by the task, so that the day stands in its rendered arguments.
DAY = "{{ day(params, dag_run, triggering_asset_events) }}"
PATTERN = r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"


def asked(title: str, description: str, needed: bool = False) -> Param:
    """A day as a DAG parameter: a calendar in the form, validated everywhere."""
    kinds = "string" if needed else ["null", "string"]
    return Param(None, type=kinds, format="date", pattern=PATTERN, title=title, description_md=description)


def day(params: Mapping[str, Any], dag_run: Any, events: Mapping[Any, Iterable[Any]] | None = None) -> str:
    if params.get("ds"):
        return str(_real(parse_day, params["ds"]))
    days = days_of(events)
    if days:
        return days[-1]
    if dag_run.data_interval_start:
        return str(dag_run.data_interval_start.date())
    return str(dag_run.run_after.astimezone(UTC).date() - timedelta(days=1))


def days_of(events: Mapping[Any, Iterable[Any]] | None) -> list[str]:
    """The days that a run's asset events name."""
    texts = {str(event.extra["ds"]) for group in (events or {}).values() for event in group if event.extra.get("ds")}
    return sorted({str(day) for text in texts for day in _real(parse_days, text)})


def days_before(ds: str, days: int) -> str:
    """A range of that many days, ending with ds."""
    return f"{date.fromisoformat(ds) - timedelta(days=days - 1)}..{ds}"


def in_ranges(days: Iterable[str]) -> list[str]:
    """Groups consecutive days: 1, 2, 3 and 7 become 1..3 and 7."""
    ranges: list[list[date]] = []
    for day in sorted({date.fromisoformat(text) for text in days}):
        if ranges and day - ranges[-1][-1] == timedelta(days=1):
            ranges[-1].append(day)
        else:
            ranges.append([day])
    return [str(days[0]) if len(days) == 1 else f"{days[0]}..{days[-1]}" for days in ranges]


def _real(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except UsageError as error:
        raise AirflowFailException(str(error)) from None
