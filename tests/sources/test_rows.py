"""A source that answers three questions about a period, without Spark."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from common.contracts import datasets
from common.contracts.contract import Files
from common.contracts.declared_source import ASKED_ONCE, DeclaredSource
from common.errors import ContractDeclarationError, SourceMissingError
from common.sources.opening import open_period
from common.sources.rows import RowSource
from common.sources.source import Period, Source, SourceListing, SourceUnit

CONTRACT = datasets.load("churn").contract
TODAY = datetime.now(UTC).date()


@dataclass(frozen=True, kw_only=True)
class Counted(RowSource):
    records: int | None = 3

    def holds(self, period: Period) -> SourceListing:
        return SourceListing("the till", (SourceUnit("sold", self.records),))


def opened(ds: date = date(2026, 1, 5), **declared: Any) -> Source:
    return open_period(Period(replace(CONTRACT, source=Counted(**declared)), ds))


def test_a_source_is_asked_once_unless_it_says_otherwise() -> None:
    assert opened().fingerprint() == ASKED_ONCE


@pytest.mark.parametrize(("settle", "over"), [(0, True), (24 * 60 + 1, False)])
def test_a_period_is_asked_for_when_it_is_over_and_settled(settle: int, over: bool) -> None:
    source = opened(TODAY - timedelta(days=1), settle_minutes=settle)
    assert (source.so_far() is not None) == over
    if over:
        assert source.holds().records == 3
    else:
        with pytest.raises(
            SourceMissingError, match="is not over before .* UTC, and would be read without its last rows"
        ):
            source.holds()


def test_an_empty_period_holds_no_records() -> None:
    assert opened(records=0).holds().records == 0


def test_a_number_of_records_that_nobody_knows_is_no_zero() -> None:
    listing = opened(records=None).holds()
    assert (len(listing.units), listing.records) == (1, None)


@pytest.mark.parametrize("source", ["files", Files, DeclaredSource(), None])
def test_what_is_no_source_is_refused_with_what_to_declare(source: Any) -> None:
    with pytest.raises(
        ContractDeclarationError, match=r"expected Files\(\.\.\.\), or an object of a class .*RowSource"
    ):
        replace(CONTRACT, source=source)


@pytest.mark.parametrize("declared", [{"on_empty": "fial"}, {"on_bad_file": "fial"}])
def test_an_unknown_choice_is_refused_with_the_nearest(declared: dict[str, Any]) -> None:
    with pytest.raises(ContractDeclarationError, match=r"did you mean fail\?"):
        Counted(**declared)
    with pytest.raises(ContractDeclarationError, match="settle_minutes -1 is not allowed"):
        Counted(settle_minutes=-1)
