"""The days on which a source is closed, so that nothing is late, missing or unusual when nothing comes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from common.errors import require

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Weekdays, dates, or a function of the day.
Closed = tuple[str | date, ...] | Callable[[date], bool]


def check_closed(subject: str, closed: Closed) -> None:
    if callable(closed):
        return
    unknown = [day for day in closed if not isinstance(day, date) and day not in WEEKDAYS and not _is_date(day)]
    require(
        not unknown, f"{subject}: closed names {unknown}; expected weekdays of {WEEKDAYS}, dates like '2026-12-25', "
        "or one function of a date"
    )  # fmt: skip


def is_closed(closed: Closed, day: date) -> bool:
    if callable(closed):
        return closed(day)
    return day in closed or str(day) in closed or WEEKDAYS[day.weekday()] in closed


def _is_date(text: str) -> bool:
    try:
        return str(date.fromisoformat(text)) == text
    except ValueError:
        return False
