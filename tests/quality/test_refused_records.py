"""What was refused is counted and named within the same memory, however much it is."""

import tracemalloc
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from common.contracts import datasets
from common.lake import small_tables
from common.quality import refused_records
from common.reports import quarantine

CONTRACT = datasets.load("transactions").contract
DAY = date(2026, 1, 5)
RECORDS = 60_000
MOST_BYTES = 24 << 20  # all of them as Python's objects take five times as much


@pytest.fixture
def refused_day(tmp_path: Path) -> str:
    """A day of which every record was refused, and one of its files whole."""
    records = [f'{{"transaction_id":"t{number}","age":"{200 + number % 7}"}}' for number in range(RECORDS)]
    reasons = [["age:over_120", "user_id:missing"] if number % 3 else ["age:over_120"] for number in range(RECORDS)]
    columns = {
        "ds": pa.array([DAY] * (RECORDS + 1)),
        "job": ["clean"] * RECORDS + ["ingest"],
        "file": [f"part-{number % 9}.csv" for number in range(RECORDS)] + ["torn.csv"],
        "reasons": [*reasons, ["file_refused"]],
        "record": [*records, "no CSV"],
        "copies": pa.array([2] * RECORDS + [1], pa.int64()),
    }
    path = str(tmp_path / "quarantine")
    write_deltalake(path, pa.table(columns), partition_by=["ds", "job"])
    return path


@pytest.fixture
def within_memory(refused_day: str) -> Iterator[None]:
    refused_records.counted(refused_day, {"ds": [DAY], "job": ["ingest"]})  # what is imported stays
    tracemalloc.start()
    try:
        yield
        _, most = tracemalloc.get_traced_memory()
        assert most < MOST_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.usefixtures("within_memory")
def test_each_reason_of_a_failed_day_is_counted(refused_day: str) -> None:
    counts = refused_records.counted(refused_day, {"ds": [DAY]})
    assert {reason: dict(days) for reason, days in counts.items()} == {
        "age:over_120": {"2026-01-05": 2 * RECORDS},
        "user_id:missing": {"2026-01-05": 2 * RECORDS * 2 // 3},
        "file_refused": {"2026-01-05": 1},
    }


def test_files_refused_whole_are_named(refused_day: str) -> None:
    assert [*refused_records.refused_files(refused_day, {"ds": [DAY], "job": ["ingest"]})] == ["torn.csv"]


def test_no_quarantine_holds_no_record(tmp_path: Path) -> None:
    assert not refused_records.counted(str(tmp_path / "none"), {"ds": [DAY]})


@pytest.mark.usefixtures("within_memory")
def test_the_report_keeps_the_first_records_of_a_reason(refused_day: str) -> None:
    rows = small_tables.each_row(refused_day, {"ds": [DAY], "job": ["clean"]})
    often, _ = quarantine.by_reason(rows, CONTRACT)
    assert often.words == "age:over_120  120,000 records, 2026-01-05"
    # The first of the first file, as sorting all of them by hand finds.
    assert [(example.file, example.value) for example in often.examples] == [("part-0.csv", "'200'")] * 3
