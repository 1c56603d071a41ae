from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.days import (
    DAY,
    HOUR,
    LONGEST_RANGE,
    as_stored,
    consecutive,
    day_range,
    end_of,
    ended_by,
    from_text,
    hour_of,
    number_between,
    parse_day,
    parse_days,
    require_begun,
    start_of,
)
from common.errors import UsageError


@pytest.mark.parametrize(
    "text",
    ["2026-02-30", "../../etc", "2026-01-01'; drop", "2026-1-1", "20260101", "", " 2026-01-01", "2026-01-01\n", "today",
     "0001-01-01", "9999-12-31", "２０２６-01-01"],
)  # fmt: skip
def test_an_invalid_day_is_refused_with_the_accepted_form(text: str) -> None:
    with pytest.raises(UsageError, match="expected"):
        parse_day(text)


@given(st.text())
def test_any_text_is_a_day_in_the_one_accepted_form_or_refused(text: str) -> None:
    try:
        assert str(parse_day(text)) == text
    except UsageError as error:
        assert error.exit_code == 2


@given(st.dates(date(1970, 1, 1), date(2999, 12, 31)))
def test_every_real_day_is_read_as_itself(day: date) -> None:
    assert parse_day(str(day)) == day


def test_a_range_holds_both_its_ends() -> None:
    assert parse_days("2026-01-30..2026-02-01") == [date(2026, 1, 30), date(2026, 1, 31), date(2026, 2, 1)]


@pytest.mark.parametrize("text", ["2026-01-02..2026-01-01", "2020-01-01..2026-01-01", "2026-01-01..", "..2026-01-01"])
def test_a_backward_open_or_half_range_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_days(text)


def test_a_long_range_needs_its_flag() -> None:
    with pytest.raises(UsageError, match="--long-range"):
        parse_days("2024-01-01..2026-01-01")
    assert len(parse_days("2024-01-01..2026-01-01", long_range=True)) > LONGEST_RANGE


def test_day_range_counts_both_ways() -> None:
    assert day_range(date(2026, 1, 2), 1, 1) == [date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)]


def test_a_day_may_have_begun_where_the_sun_rises_first() -> None:
    morning, noon = datetime(2026, 1, 5, 9, tzinfo=UTC), datetime(2026, 1, 5, 10, tzinfo=UTC)
    require_begun([date(2026, 1, 5)], morning)
    require_begun([date(2026, 1, 5), date(2026, 1, 6)], noon)
    with pytest.raises(UsageError, match="2026-01-06 is in the future; expected a day until 2026-01-05"):
        require_begun([date(2026, 1, 5), date(2026, 1, 6)], morning)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2999, 12, 31)))
def test_every_hour_is_read_as_itself(moment: datetime) -> None:
    hour = hour_of(moment.replace(tzinfo=UTC))
    assert parse_day(str(hour), HOUR) == from_text(hour) == hour
    assert as_stored(hour) == str(hour)
    assert start_of(hour) <= moment.replace(tzinfo=UTC) < end_of(hour)


@pytest.mark.parametrize(
    "text", ["2026-01-05T24", "2026-01-05T1", "2026-01-05 13", "2026-01-05T13:00", "2026-01-05T13Z", "T13"]
)
def test_an_hour_has_one_form(text: str) -> None:
    with pytest.raises(UsageError, match="is not an hour; expected YYYY-MM-DDTHH"):
        parse_day(text, HOUR)


def test_the_wrong_kind_of_period_is_told_what_is_wanted() -> None:
    with pytest.raises(UsageError, match="is a day, but this dataset has a period every hour; expected YYYY-MM-DDTHH"):
        parse_days("2026-01-05..2026-01-06", every=HOUR)
    with pytest.raises(UsageError, match="is an hour, but this dataset has a period every day; expected YYYY-MM-DD"):
        parse_days("2026-01-05T13")


def test_a_range_of_hours_crosses_midnight() -> None:
    hours = parse_days("2026-01-05T22..2026-01-06T01", every=HOUR)
    assert [str(hour) for hour in hours] == ["2026-01-05T22", "2026-01-05T23", "2026-01-06T00", "2026-01-06T01"]
    assert [str(hour) for hour in day_range(hours[2], 1, 1)] == ["2026-01-05T23", "2026-01-06T00", "2026-01-06T01"]
    assert number_between(hours[0], hours[-1]) == 3
    assert consecutive([hours[3], hours[0], hours[1]]) == [hours[:2], hours[3:]]


def test_an_hour_may_run_once_it_has_begun() -> None:
    now = datetime(2026, 1, 5, 13, 0, tzinfo=UTC)
    require_begun(parse_days("2026-01-05T13", every=HOUR), now)
    with pytest.raises(UsageError, match="2026-01-05T14 is in the future; expected an hour until 2026-01-05T13"):
        require_begun(parse_days("2026-01-05T14", every=HOUR), now)


def test_a_day_that_is_not_over_has_not_ended() -> None:
    assert ended_by(datetime(2026, 1, 5, 23, 59, tzinfo=UTC), DAY) == date(2026, 1, 4)
    assert ended_by(datetime(2026, 1, 6, tzinfo=UTC), DAY) == date(2026, 1, 5)
    assert str(ended_by(datetime(2026, 1, 5, 13, 59, tzinfo=UTC), HOUR)) == "2026-01-05T12"
