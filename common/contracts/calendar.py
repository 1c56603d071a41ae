"""The days on which a source is closed, so that nothing is late, missing or unusual when nothing comes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from inspect import signature

from common.contracts.checking import faults
from common.days import DAY, day_of, from_text, kind_of
from common.errors import require

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Weekdays, dates, or a function of the day.
Closed = tuple[str | date, ...] | Callable[[date], bool]


def check_closed(subject: str, closed: Closed, every: str = DAY) -> None:
    if callable(closed):
        require(
            _takes_one_day(closed), f"{subject}: closed={getattr(closed, '__name__', closed)} can't be called with one "
            "argument, the date; expected a function like lambda day: day.weekday() > 4"
        )  # fmt: skip
        return
    unknown = [
        day for day in closed if not isinstance(day, date) and day not in WEEKDAYS and not _is_period(day, every)
    ]
    require(
        not unknown, f"{subject}: closed names {unknown}; expected weekdays of {WEEKDAYS}, dates like '2026-12-25', "
        "or one function of a date"
    )  # fmt: skip


def is_closed(closed: Closed, day: date) -> bool:
    if callable(closed):
        with faults.blamed("closed"):
            return bool(closed(day))
    whole = day_of(day)
    return not {day, str(day), whole, str(whole), WEEKDAYS[day.weekday()]}.isdisjoint(closed)


def _takes_one_day(closed: Callable[[date], bool]) -> bool:
    try:
        signature(closed).bind(date.min)
    except TypeError:
        return False
    return True


def _is_period(text: str, every: str) -> bool:
    try:
        period = from_text(text)
    except ValueError:
        return False
    return str(period) == text and kind_of(period) in (DAY, every)
