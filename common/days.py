"""Parse logical days strictly, and build inclusive ranges of them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from common.errors import UsageError

FORM = "YYYY-MM-DD, or a range YYYY-MM-DD..YYYY-MM-DD"
LONGEST_RANGE = 366
EARLIEST, LATEST = date(1970, 1, 1), date(2999, 12, 31)
EARLIEST_ZONE = timedelta(hours=14)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def parse_day(text: str) -> date:
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        day = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--ds {text!r} is not a date; expected {FORM}") from None
    if not EARLIEST <= day <= LATEST:
        raise UsageError(f"--ds {text!r} is out of range; expected a day from {EARLIEST} to {LATEST}")
    return day


def parse_days(text: str, long_range: bool = False) -> list[date]:
    """Parse `2026-01-31` or `2026-01-01..2026-01-31`, both ends included."""
    first, dots, last = text.partition("..")
    start = parse_day(first)
    end = parse_day(last) if dots else start
    if end < start:
        raise UsageError(f"--ds {text!r} ends before it starts; expected the earlier day first")
    length = (end - start).days + 1
    if length > LONGEST_RANGE and not long_range:
        raise UsageError(
            f"--ds {text!r} has {length} days, more than {LONGEST_RANGE}; add --long-range to run them all"
        )
    return days_between(start, end)


def begun_days(text: str, long_range: bool = False) -> list[date]:
    """Parse a day or a range, of which something may have landed already."""
    days = parse_days(text, long_range)
    require_begun(days)
    return days


def latest_day(now: datetime | None = None) -> date:
    """Return the newest day that has begun somewhere on Earth."""
    return ((now or datetime.now(UTC)) + EARLIEST_ZONE).date()


def require_begun(days: list[date], now: datetime | None = None) -> None:
    """Raise if a day has begun nowhere on Earth yet: nothing of it can have landed."""
    latest = latest_day(now)
    if days and days[-1] > latest:
        raise UsageError(f"--ds {days[-1]} is in the future; expected a day until {latest}. Is the year right?")


def days_between(start: date, end: date) -> list[date]:
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


def day_range(day: date, before: int, after: int = 0) -> list[date]:
    """Return the days from `before` days before `day` to `after` days after it."""
    return days_between(day - timedelta(days=before), day + timedelta(days=after))
