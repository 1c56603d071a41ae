"""What the log says of a table's live files, beside the table that plain `deltalake` wrote."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from common.lake.log import data_files

MONDAY, TUESDAY = date(2026, 1, 5), date(2026, 1, 6)


def write(uri: str, day: date, arrived: list[date | None], mode: str = "append") -> None:
    rows = pa.table({"ds": [day] * len(arrived), "arrived": pa.array(arrived, pa.date32())})
    write_deltalake(uri, rows, partition_by=["ds"], mode=mode)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    place = str(tmp_path / "table")
    write(place, MONDAY, [MONDAY, MONDAY])
    write(place, TUESDAY, [MONDAY, TUESDAY])
    return place


def test_files_are_picked_by_their_partition(uri: str) -> None:
    (file,) = data_files.files(uri, ds=["2026-01-06"])
    assert (file.partition, Path(uri, file.path).stat().st_size) == ({"ds": "2026-01-06"}, file.bytes)
    assert data_files.files(uri, ds=["2026-01-07"]) == []
    assert len(data_files.files(uri)) == 2


def test_a_new_version_is_seen_and_an_old_one_stays(uri: str) -> None:
    assert data_files.partition_values(uri, "ds") == ["2026-01-05", "2026-01-06"]
    write(uri, date(2026, 1, 7), [TUESDAY])
    assert data_files.partition_values(uri, "ds") == ["2026-01-05", "2026-01-06", "2026-01-07"]
    assert len(data_files.files(uri, 1)) == 2


def test_of_a_long_table_only_the_newest_periods_are_looked_at(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read, original = [], data_files.from_text
    monkeypatch.setattr(data_files, "from_text", lambda text: read.append(text) or original(text))
    assert data_files.periods(uri, TUESDAY) == {TUESDAY}
    assert data_files.periods(uri, TUESDAY + timedelta(days=1)) == set()
    assert read == ["2026-01-06"]
    assert data_files.periods(uri, MONDAY) == {MONDAY, TUESDAY}
    assert data_files.partition_values(uri, "ds") is data_files.partition_values(uri, "ds")


def test_another_table_at_the_same_place_is_read_anew(uri: str) -> None:
    assert len(data_files.files(uri, 0)) == 1
    shutil.rmtree(uri)
    write(uri, TUESDAY, [TUESDAY])
    assert [file.partition["ds"] for file in data_files.files(uri, 0)] == ["2026-01-06"]


@pytest.mark.parametrize(
    ("value", "days"),
    [
        ("2026-01-05", {"2026-01-05", "2026-01-06"}),
        ("2026-01-06", {"2026-01-06"}),
        ("2026-01-04", set()),
    ],
)
def test_statistics_tell_where_a_value_can_be(uri: str, value: str, days: set[str]) -> None:
    assert data_files.values_covering(uri, "ds", ["arrived"], value) == days
    assert {file.partition["ds"] for file in data_files.files(uri) if file.covers("arrived", value)} == days


def test_a_file_without_statistics_can_hold_any_value(uri: str) -> None:
    write(uri, date(2026, 1, 8), [None])
    assert data_files.values_covering(uri, "ds", ["arrived"], "2026-01-04") == {"2026-01-08"}
    assert data_files.values_covering(uri, "ds", ["unknown"], "2026-01-04") == set(
        data_files.partition_values(uri, "ds")
    )


def test_no_table_has_no_files(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    assert (data_files.files(nowhere), data_files.columns(nowhere)) == ([], {})
    assert data_files.partition_values(nowhere, "ds") == []
