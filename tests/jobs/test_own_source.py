"""Rows of a dataset's own source go the way of files: text in raw, books, quarantine, and nothing read twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from common.contracts.contract import Files
from common.errors import (
    ContractDeclarationError,
    ContractViolationError,
    LockedError,
    SourceMissingError,
    UnbalancedBooksError,
)
from common.quality.checks import freshness
from common.sources.rows import RowSource
from common.sources.source import Period, SourceListing, SourceUnit
from jobs.datasets.churn import sample
from tests.support.datasets import datasets_in
from tests.support.landing import PURCHASE
from tests.support.meter import write_meters, write_readings
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows

DAY = "2026-01-05"


@dataclass(frozen=True, kw_only=True)
class Till(RowSource):
    """Reads rows from a JSON file, and writes down each time that it is asked for them."""

    file: str
    types: str = ", ".join(f"{name} string" for name in PURCHASE)
    counts: bool = True

    def holds(self, period: Period) -> SourceListing:
        with Path(f"{self.file}.asked").open("a") as asked:
            asked.write("asked\n")
        count = len(self.rows()) if self.counts else None
        return SourceListing("the till", (SourceUnit("sales", count),), {"range": [str(period.start), str(period.end)]})

    def read(self, spark: Any, period: Period, listing: SourceListing) -> Any:
        return spark.createDataFrame(self.rows(), self.types)

    def rows(self) -> list[list[Any]]:
        return json.loads(Path(self.file).read_text())

    @property
    def asked(self) -> int:
        return len(Path(f"{self.file}.asked").read_text().splitlines())


@dataclass(frozen=True, kw_only=True)
class Busy(Till):
    """While it is read, something else happens."""

    meanwhile: Callable[[], None]

    def read(self, spark: Any, period: Period, listing: SourceListing) -> Any:
        self.meanwhile()
        return super().read(spark, period, listing)


@dataclass(frozen=True, kw_only=True)
class Stray(Till):
    """Its rows name a unit that it has not listed."""

    def read(self, spark: Any, period: Period, listing: SourceListing) -> Any:
        return super().read(spark, period, listing).selectExpr("*", "'refunds' AS _file")


@pytest.fixture
def till(tmp_path: Path) -> Till:
    till = Till(file=str(tmp_path / "till.json"))
    sell(till, [sale(), sale(transaction_id="t2")])
    return till


def sell(till: Till, rows: list[list[Any]]) -> None:
    Path(till.file).write_text(json.dumps(rows))


def sale(**changed: Any) -> list[Any]:
    return [*({**PURCHASE, **changed}).values()]


def test_its_day_ends_in_the_same_tables_as_one_of_files(lake: PlayLake, till: Till) -> None:
    files = PlayLake(lake.root / "files")
    files.land(DAY, "transaction_id\nt1\nt2")
    for each in (lake.with_contract(source=till), files):
        each.ingest(DAY)
        each.clean(DAY)
    assert lake.content()["processed/transactions"] == files.content()["processed/transactions"]


def test_it_is_asked_once_whatever_the_contract_says_later(
    lake: PlayLake, till: Till, caplog: pytest.LogCaptureFixture
) -> None:
    first = lake.with_contract(source=till).ingest(DAY)
    said = lake.ingested(DAY)
    assert said == {"files": ["sales"], "range": ["2026-01-05 00:00:00+00:00", "2026-01-06 00:00:00+00:00"]} | {
        "repeatable": False,
        "checksum": said["checksum"],
    }
    sell(till, [])
    changed = lake.with_contract(source=till, refused_share=0.5)
    assert [first["outcome"], changed.ingest(DAY)["outcome"], till.asked] == ["done", "nothing", 1]
    assert "another program" not in caplog.text
    with pytest.raises(SourceMissingError):
        changed.ingest(DAY, full_refresh=True)
    sell(till, [sale(category="books")])
    assert changed.ingest(DAY, full_refresh=True)["counts"]["accepted"] == 1
    assert lake.ingested(DAY)["checksum"] != said["checksum"]


def test_what_others_did_to_raw_is_left_and_told(lake: PlayLake, till: Till, caplog: pytest.LogCaptureFixture) -> None:
    ours = lake.with_contract(source=till)
    ours.ingest(DAY)
    lake.table("raw/transactions").delete("transaction_id = 't2'")
    assert (ours.ingest(DAY)["outcome"], till.asked) == ("nothing", 1)
    assert "can't be read again as it was: left as it is. Restore the tables" in caplog.text
    assert ours.ingest(DAY, full_refresh=True)["counts"]["accepted"] == 2


def test_of_two_ingests_at_once_one_asks(lake: PlayLake, till: Till) -> None:
    ours, other = lake.with_contract(source=till), list[str]()

    def second() -> None:
        with (
            ThreadPoolExecutor(1) as thread,
            pytest.raises(LockedError, match=r"transactions.ingest.2026-01-05 is held"),
        ):
            thread.submit(ours.ingest, DAY).result()
        other.append("refused")

    busy = lake.with_contract(source=Busy(file=till.file, meanwhile=second))
    assert (busy.ingest(DAY)["outcome"], other, till.asked) == ("done", ["refused"], 1)
    assert (busy.ingest(DAY)["outcome"], till.asked) == ("nothing", 1)


def test_a_number_that_only_reading_tells_is_counted(lake: PlayLake, till: Till) -> None:
    uncounted = Till(file=till.file, counts=False)
    counts = lake.with_contract(source=uncounted).ingest(DAY)["counts"]
    assert (counts["landed"], counts["files"]) == (2, 1)
    sell(till, [])
    with pytest.raises(
        SourceMissingError, match="the till holds nothing for 2026-01-06; expected a period that is over"
    ):
        lake.with_contract(source=uncounted).ingest("2026-01-06")
    assert lake.with_contract(source=uncounted, closed=("tue",)).ingest("2026-01-06")["outcome"] == "closed"
    accepting = Till(file=till.file, counts=False, on_empty="accept")
    assert lake.with_contract(source=accepting).ingest("2026-01-06")["outcome"] == "empty"
    with pytest.raises(ContractViolationError, match="already holds rows for 2026-01-05: they were kept"):
        lake.with_contract(source=accepting).ingest(DAY, full_refresh=True)


def test_a_row_of_a_unit_that_is_not_listed_stops_the_day(lake: PlayLake, till: Till) -> None:
    with pytest.raises(
        UnbalancedBooksError, match="the source counted 0 records for 2026-01-05, reading accounts for 2"
    ):
        lake.with_contract(source=Stray(file=till.file, counts=False)).ingest(DAY)
    assert lake.state() == {}


def test_a_snapshot_that_is_sent_again_grows_old(lake: PlayLake, till: Till) -> None:
    rows, _ = sample.generate(date.fromisoformat(DAY), 3, 7, dirt=False)
    sell(till, [list(row) for row in rows])
    source = replace(till, types=", ".join(f"{name} string" for name in sample.COLUMNS))
    churn = PlayLake(lake.root, "churn").with_contract(source=source)
    for ds in (DAY, "2026-01-06"):
        churn.ingest(ds)
    assert freshness(churn.plan("validate", "2026-01-06"), []).observed == 48
    assert freshness(churn.plan("validate", DAY), []).observed == 24


def test_typed_values_become_text_without_loss(lake: PlayLake, till: Till) -> None:
    columns = {**dict.fromkeys(PURCHASE, "string"), "age": "double", "category": "array<string>", "colour": "string"}
    typed = Till(file=till.file, types=", ".join(f"{name} {type_}" for name, type_ in columns.items()))
    sell(till, [[*sale(age=30.0, category=["a", None], payment_method=""), "red"]])
    found = lake.with_contract(source=typed).ingest(DAY)
    assert found["drift"] == {"sales": ["colour"]}
    [row] = lake.rows("raw")
    assert (row["age"], row["category"], row["payment_method"]) == ("30.0", '["a",null]', "")


def test_a_lost_row_stops_the_day_before_anything_is_written(lake: PlayLake, till: Till) -> None:
    class Losing(Till):
        def read(self, spark: Any, period: Period, listing: SourceListing) -> Any:
            return super().read(spark, period, listing).limit(1)

    with pytest.raises(UnbalancedBooksError, match="the source counted 2 records"):
        lake.with_contract(source=Losing(file=till.file)).ingest(DAY)
    without = Till(file=till.file, types=Till.types.replace("user_id", "client"))
    with pytest.raises(ContractViolationError, match=r"lacks \['user_id'\]"):
        lake.with_contract(source=without).ingest(DAY)
    assert lake.state() == {}


def test_the_source_that_the_page_shows_is_run(lake: PlayLake, tmp_path: Path) -> None:
    database = tmp_path / "meters.db"
    write_meters(tmp_path / "datasets", database)
    times = ("2026-01-05T00:00:00+00:00", "2026-01-05T23:59:59+00:00", "2026-01-06T00:00:00+00:00")
    write_readings(database, ("m1", times[0], "1.500"), ("m1", times[1], None), ("m1", times[2], "9"))
    with datasets_in(tmp_path / "datasets"):
        meters = PlayLake(tmp_path, "meters")
        assert meters.day(DAY)["features"]["outcome"] == "done"
        assert_rows(meters.rows("features", path="features/meters/v1"), "meter | kwh_7d\nm1 | 1.500")
        write_readings(database, ("m2", times[0], "2"))
        assert meters.ingest(DAY)["outcome"] == "nothing"
        assert len(meters.rows("raw")) == 2


def test_a_mistake_in_its_code_is_told_with_file_and_line(lake: PlayLake, tmp_path: Path) -> None:
    folder = write_meters(tmp_path / "datasets", tmp_path / "meters.db")
    source = folder / "source.py"
    source.write_text(source.read_text().replace('{"range": span(period)}', "period.begin"))
    write_readings(tmp_path / "meters.db")
    with datasets_in(tmp_path / "datasets"), pytest.raises(ContractDeclarationError, match=r"meters/source.py:\d+"):
        PlayLake(tmp_path, "meters").ingest(DAY)


def test_files_may_call_a_day_without_rows_missing(lake: PlayLake) -> None:
    lake.land_bytes(DAY, f"{','.join(PURCHASE)}\n".encode())
    with pytest.raises(SourceMissingError, match="expected at least one file"):
        lake.with_contract(source=Files(on_empty="fail")).ingest(DAY)
