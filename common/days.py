"""Periods of UTC time: days, and hours where a contract says so. Parsed strictly, counted, written and read in this one place.

A day is a `date` and an hour an `Hour`. Its text is the `ds` of commands, paths and commits; texts sort as the periods do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

from common.errors import UsageError

DAY, HOUR = "day", "hour"
EVERY = (DAY, HOUR)
# The types of columns that hold them.
STORED_TYPES = {DAY: "date", HOUR: "string"}
FORMS = {DAY: "YYYY-MM-DD", HOUR: "YYYY-MM-DDTHH"}
FORM = f"{FORMS[DAY]}, or a range {FORMS[DAY]}..{FORMS[DAY]}"
LONGEST_RANGE = 366
EARLIEST, LATEST = date(1970, 1, 1), date(2999, 12, 31)
EARLIEST_ZONE = timedelta(hours=14)
RESOLUTION = timedelta(microseconds=1)  # of moments, here and in Spark
_LENGTHS = {DAY: timedelta(days=1), HOUR: timedelta(hours=1)}
_PATTERNS = {
    DAY: re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII),
    HOUR: re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}", re.ASCII),
}


class Hour(datetime):
    """The hour that begins then, in UTC."""

    def __str__(self) -> str:
        return f"{self:%Y-%m-%dT%H}"


EPOCHS: dict[str, date] = {DAY: date(1970, 1, 1), HOUR: Hour(1970, 1, 1)}


def parse_day(text: str, every: str = DAY) -> date:
    """Parse the `--ds` of a dataset with a period every day, or every hour."""
    try:
        if not _PATTERNS[every].fullmatch(text):
            raise ValueError
        day = from_text(text)
    except ValueError:
        raise UsageError(f"--ds {text!r} is {_fault(text, every)}; expected {_form(every)}") from None
    if not EARLIEST <= day_of(day) <= LATEST:
        raise UsageError(f"--ds {text!r} is out of range; expected a day from {EARLIEST} to {LATEST}")
    return day


def _fault(text: str, every: str) -> str:
    """What is wrong with a text that is not a period of that kind."""
    if not _PATTERNS[HOUR if every == DAY else DAY].fullmatch(text):
        return "not a date" if every == DAY else "not an hour"
    found, wanted = ("an hour", "every day") if every == DAY else ("a day", "every hour")
    return f"{found}, but this dataset has a period {wanted}"


def _form(every: str) -> str:
    return f"{FORMS[every]}, or a range {FORMS[every]}..{FORMS[every]}"


def parse_days(text: str, long_range: bool = False, every: str = DAY) -> list[date]:
    """Parse `2026-01-31` or `2026-01-01..2026-01-31`, both ends included; of hours likewise."""
    first, dots, last = text.partition("..")
    start = parse_day(first, every)
    end = parse_day(last, every) if dots else start
    if end < start:
        raise UsageError(f"--ds {text!r} ends before it starts; expected the earlier {every} first")
    length, longest = number_between(start, end) + 1, LONGEST_RANGE * (_LENGTHS[DAY] // _LENGTHS[every])
    if length > longest and not long_range:
        raise UsageError(f"--ds {text!r} has {length} {every}s, more than {longest}; add --long-range to run them all")
    return days_between(start, end)


def begun_days(text: str, long_range: bool = False, every: str = DAY) -> list[date]:
    """Parse a period or a range, of which something may have landed already."""
    days = parse_days(text, long_range, every)
    require_begun(days)
    return days


def current(every: str) -> date:
    """The period that it is now, in UTC."""
    now = datetime.now(UTC)
    return hour_of(now) if every == HOUR else now.date()


def latest_day(now: datetime | None = None, every: str = DAY) -> date:
    """Return the newest day that has begun somewhere on Earth, or the newest hour that has begun."""
    now = now or datetime.now(UTC)
    return (now + EARLIEST_ZONE).date() if every == DAY else hour_of(now)


def require_begun(days: list[date], now: datetime | None = None) -> None:
    """Raise if a period has begun nowhere on Earth yet: nothing of it can have landed."""
    if not days:
        return
    every = kind_of(days[-1])
    latest = latest_day(now, every)
    if days[-1] > latest:
        raise UsageError(f"--ds {days[-1]} is in the future; expected {_a(every)} until {latest}. Is the year right?")


def _a(every: str) -> str:
    return "an hour" if every == HOUR else "a day"


def kind_of_text(text: str) -> str:
    return HOUR if "T" in text else DAY


def from_text(text: object) -> date:
    """Read a period as commits, paths and tables hold it."""
    written = str(text)
    return Hour.fromisoformat(written) if "T" in written else date.fromisoformat(written)


def as_stored(ds: date | str) -> date | str:
    """The period as a value of a table's column: a date, or the text of an hour, by which plain readers can prune too."""
    return str(ds) if isinstance(ds, Hour) else ds


def kind_of(ds: date) -> str:
    return HOUR if isinstance(ds, Hour) else DAY


def day_of(ds: date) -> date:
    """The day itself, or the one that the hour belongs to."""
    return ds.date() if isinstance(ds, datetime) else ds


def hour_of(moment: datetime) -> Hour:
    """The hour that holds the moment."""
    at = moment.astimezone(UTC)
    return Hour(at.year, at.month, at.day, at.hour)


def start_of(ds: date) -> datetime:
    return datetime.combine(day_of(ds), ds.time() if isinstance(ds, datetime) else time(), UTC)


def end_of(ds: date) -> datetime:
    """The first moment after the period."""
    return start_of(ds) + _LENGTHS[kind_of(ds)]


def ended_by(moment: datetime, every: str) -> date:
    """The newest period that is over by then."""
    last = hour_of(moment - _LENGTHS[every])
    return last if every == HOUR else last.date()


def first_ending(moment: datetime, every: str) -> date:
    """The first period that ends then or later."""
    return shifted(ended_by(moment - RESOLUTION, every), 1)


def shifted(ds: date, number: int) -> date:
    """The period that many periods later; earlier, if the number is negative."""
    return ds + number * _LENGTHS[kind_of(ds)]


def number_between(start: date, end: date) -> int:
    """How many periods later the end is."""
    return (end - start) // _LENGTHS[kind_of(start)]


def days_between(start: date, end: date) -> list[date]:
    length = _LENGTHS[kind_of(start)]
    return [start + number * length for number in range(number_between(start, end) + 1)]


def day_range(day: date, before: int, after: int = 0) -> list[date]:
    """Return the periods from `before` of them before `day` to `after` of them after it."""
    return days_between(shifted(day, -before), shifted(day, after))


def range_text(first: object, last: object) -> str:
    """`2026-01-05`, or `2026-01-05..2026-01-07`: as commands take it and people read it."""
    return str(first) if str(first) == str(last) else f"{first}..{last}"


def consecutive(days: Iterable[date]) -> list[list[date]]:
    """The periods in order, each row of neighbours as one list."""
    rows: list[list[date]] = []
    for day in sorted({*days}):
        if rows and day == shifted(rows[-1][-1], 1):
            rows[-1].append(day)
        else:
            rows.append([day])
    return rows
