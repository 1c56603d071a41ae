"""Which day a run is for: its parameter, else the day of its asset event, else its data interval's start, else yesterday.

An invalid day fails without retries, which cannot make it valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC
from functools import partial
from typing import Any, TypeVar

from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException

from common.days import DAY as DAY_PERIOD
from common.days import (
    HOUR,
    consecutive,
    ended_by,
    from_text,
    hour_of,
    kind_of_text,
    parse_day,
    parse_days,
    range_text,
    shifted,
)
from common.errors import UsageError

T = TypeVar("T")

# Rendered by the task, so that the day stands in its rendered arguments.
DAY = "{{ day(params, dag_run, triggering_asset_events) }}"
PATTERN = r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"
HOUR_PATTERN = PATTERN.removesuffix("$") + r"T([01]\d|2[0-3])$"


def every_of(dataset: str) -> str:
    """How often the dataset has a period."""
    from common.contracts import datasets

    return datasets.load(dataset).contract.every


def asked(title: str, description: str, needed: bool = False, every: str = DAY_PERIOD) -> Param:
    """A period as a DAG parameter, validated everywhere: a calendar in the form for days, a text for hours."""
    kinds = "string" if needed else ["null", "string"]
    form = {"pattern": HOUR_PATTERN} if every == HOUR else {"pattern": PATTERN, "format": "date"}
    return Param(None, type=kinds, title=title, description_md=description, **form)


def day(
    params: Mapping[str, Any],
    dag_run: Any,
    events: Mapping[Any, Iterable[Any]] | None = None,
    every: str = DAY_PERIOD,
) -> str:
    if params.get("ds"):
        return str(_real(partial(parse_day, every=every), params["ds"]))
    days = days_of(events)
    if days:
        return days[-1]
    if dag_run.data_interval_start:
        start = dag_run.data_interval_start
        return str(hour_of(start) if every == HOUR else start.date())
    return str(ended_by(dag_run.run_after.astimezone(UTC), every))


def days_of(events: Mapping[Any, Iterable[Any]] | None) -> list[str]:
    """The days that a run's asset events name."""
    extras = [event.extra for group in (events or {}).values() for event in group]
    texts = {str(text) for extra in extras for text in extra.get("days") or [extra.get("ds")] if text}
    return sorted({str(day) for text in texts for day in _real(partial(parse_days, every=kind_of_text(text)), text)})


def days_before(ds: str, days: int) -> str:
    """A range of that many days, ending with ds."""
    return f"{shifted(from_text(ds), 1 - days)}..{ds}"


def in_ranges(days: Iterable[str]) -> list[str]:
    """Groups consecutive days: 1, 2, 3 and 7 become 1..3 and 7."""
    return [range_text(days[0], days[-1]) for days in consecutive(map(from_text, days))]


def _real(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except UsageError as error:
        raise AirflowFailException(str(error)) from None
