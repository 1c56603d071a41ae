from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.days import LONGEST_RANGE, day_range, parse_day, parse_days, require_begun
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
