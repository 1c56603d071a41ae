"""Reading published tables without Spark: versions by number, time or pin, and only the needed files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from common.errors import SourceMissingError, UsageError
from common.lake import pins, snapshot
from common.published.catalog import FeatureTable, Lake, moment
from tests.compose.check import count_of
from tests.support.published_tables import commit, date_commit, pack, publish, rows_of, split_files, vacuum
from tests.support.tables_as_text import assert_rows

ROOT = Path(__file__).resolve().parents[2]
FIRST = """
ds         | user_id | spend | mean | favourite
2026-01-01 | 2       | 20.00 | 2.5  | food
2026-01-01 | 1       | 10.00 | -    | -
2026-01-02 | 1       | 11.00 | 1.5  | food
"""
SECOND = """
ds         | user_id | spend | mean | favourite
2026-01-02 | 1       | 99.00 | 1.5  | travel
2026-01-02 | 3       | 30.00 | -    | food
"""


@pytest.fixture
def table(tmp_path: Path) -> FeatureTable:
    """Two publications, a compaction and a third publication."""
    publish(tmp_path, FIRST, at="2026-02-01T06:00")
    publish(tmp_path, SECOND, at="2026-02-02T06:00:00.500")
    split_files(tmp_path, "ds | user_id | spend\n2026-01-03 | 1 | 1.00\n2026-01-03 | 2 | 2.00")
    date_commit(f"{tmp_path}/published/purchases/v1", 2, "2026-02-02T07:00")
    date_commit(f"{tmp_path}/published/purchases/v1", 3, "2026-02-02T07:00")
    date_commit(f"{tmp_path}/published/purchases/v1", pack(tmp_path), "2026-02-02T08:00")
    publish(tmp_path, "ds | user_id | spend\n2026-01-03 | 7 | 7.00", at="2026-02-03T06:00")
    return Lake(str(tmp_path)).features("purchases@v1")


def test_the_compose_checks_questions_are_answered(table: FeatureTable, tmp_path: Path) -> None:
    asked = [sys.executable, "-c", count_of(str(tmp_path), "purchases", "2026-01-02")]
    assert subprocess.run(asked, capture_output=True, text=True, check=True, cwd=ROOT).stdout == "2\n"


def test_tables_are_named_by_feature_version(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    assert lake.tables() == []
    for path in ("purchases/v9", "purchases/v10", "visits/v1"):
        publish(tmp_path, FIRST, path)
    (tmp_path / "published" / "purchases" / "v11").mkdir()
    (tmp_path / "published" / "Odd name").mkdir()
    assert lake.tables() == ["purchases@v9", "purchases@v10", "visits@v1"]
    assert lake.features("purchases").name == "purchases@v10"
    assert lake.features("purchases@v9").path == "published/purchases/v9"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../x",
        "purchases/v1",
        "purchases@v1/..",
        "purchases@1",
        "purchases@v01",
        "Purchases",
        "a' OR '1'='1",
        "purchases\n",
    ],
)
def test_an_invalid_name_is_refused(table: FeatureTable, name: str) -> None:
    with pytest.raises(UsageError, match="is not the name of a table"):
        Lake(table.lake).features(name)


@pytest.mark.parametrize("name", ["visits", "purchases@v2", "purchases@v0"])
def test_an_unknown_table_is_answered_with_the_known_ones(table: FeatureTable, name: str) -> None:
    with pytest.raises(UsageError, match="is not published in .*; published: purchases@v1"):
        Lake(table.lake).features(name)


def test_versions_are_the_publications_newest_first(table: FeatureTable) -> None:
    assert [each.version for each in table.versions()] == [5, 1, 0]
    newest, second, _ = table.versions()
    assert moment(second.at) == "2026-02-02T06:00:00.500Z"
    assert (newest.rows, second.rows, list(second.days)) == (1, 2, ["2026-01-02"])


def test_every_version_has_the_rows_that_it_had(table: FeatureTable) -> None:
    assert_rows(table.at(version=0).arrow().to_pylist(), FIRST)
    assert_rows(table.at(version=1).arrow(ds="2026-01-02").to_pylist(), SECOND)
    assert_rows(table.at(version=1).arrow(ds="2026-01-01").to_pylist(), "\n".join(FIRST.splitlines()[:4]))
    assert_rows(
        table.at().arrow(ds="2026-01-03", columns=["user_id", "spend"]).to_pylist(), "user_id | spend\n7 | 7.00"
    )


def test_a_version_that_only_packed_files_has_the_rows_before_it(table: FeatureTable) -> None:
    before, packed = table.at(version=3), table.at(version=4)
    assert packed.stored.files != before.stored.files
    assert packed.arrow().equals(before.arrow())
    assert packed.publications[0].version == 1


@pytest.mark.parametrize(
    ("as_of", "version"),
    [
        ("2026-02-01T06:00", 0),
        ("2026-02-01T06:00Z", 0),
        ("2026-02-01T07:00+01:00", 0),
        ("2026-02-02T06:00:00.499", 0),
        ("2026-02-02T06:00:00.500", 1),
        ("2026-02-02T07:30+01:00", 1),
        ("2026-02-03", 4),
        (datetime(2026, 2, 3, 5, 59), 4),
        (datetime(2026, 2, 3, 8, tzinfo=timezone(timedelta(hours=2))), 5),
        ("2030-01-01", 5),
    ],
)
def test_a_time_finds_the_version_of_that_time(table: FeatureTable, as_of: str | datetime, version: int) -> None:
    assert table.at(as_of=as_of).version == version


def test_the_files_own_times_make_no_difference(table: FeatureTable) -> None:
    for file in Path(table.uri).rglob("*"):
        os.utime(file, (0, 0))
    copied = Lake(f"{table.lake}/copy")
    shutil.copytree(f"{table.lake}/published", f"{copied.uri}/published")
    assert copied.features("purchases").at(as_of="2026-02-02T06:30").version == 1


def test_the_time_that_is_shown_finds_its_version(table: FeatureTable) -> None:
    for each in table.versions():
        assert table.at(as_of=moment(each.at)).version == each.version


def test_a_clock_that_goes_back_does_not_hide_a_version(table: FeatureTable) -> None:
    date_commit(table.uri, 5, "2026-01-01T00:00")
    assert table.at(as_of="2026-02-02T08:00").version == 5
    assert table.at(as_of="2026-02-02T07:59").version == 3


def test_a_time_before_the_first_publication_has_no_version(table: FeatureTable) -> None:
    with pytest.raises(SourceMissingError, match=r"first publication is version 0 of 2026-02-01T06:00:00.000Z"):
        table.at(as_of="2026-02-01T05:59")


@pytest.mark.parametrize("as_of", ["yesterday", "2026-13-01", "0001-01-01T00:00+14:00", "' OR 1=1"])
def test_an_invalid_time_is_refused(table: FeatureTable, as_of: str) -> None:
    with pytest.raises(UsageError, match="can't be read; expected one like"):
        table.at(as_of=as_of)


def test_version_time_and_pin_exclude_each_other(table: FeatureTable) -> None:
    with pytest.raises(UsageError, match="name one"):
        table.at(version=1, as_of="2026-02-01")


def test_a_pin_finds_its_version(table: FeatureTable, tmp_path: Path) -> None:
    pins.pin(table.lake, "january", table.path, 1)
    assert table.at(pin="january").version == 1
    publish(tmp_path, FIRST, "visits/v1")
    with pytest.raises(UsageError, match="pin january is of published/purchases/v1"):
        Lake(table.lake).features("visits").at(pin="january")


@pytest.mark.parametrize("version", [6, 99, -1])
def test_an_unknown_version_is_answered_with_the_known_ones(table: FeatureTable, version: int) -> None:
    with pytest.raises(SourceMissingError, match=rf"no version {version} .*There are 0\.\.5\."):
        table.at(version=version)


def test_a_removed_version_is_answered_with_the_readable_ones(table: FeatureTable, tmp_path: Path) -> None:
    vacuum(tmp_path, keep=[1])
    with pytest.raises(SourceMissingError, match=r"no version 3 \(its files were removed\). There are 1, 5\.\.\d\."):
        table.at(version=3).arrow()
    assert table.at(version=3).arrow(ds="2026-01-02").num_rows == 2
    assert snapshot.readable_versions(table.uri)[:2] == [1, 5]


def test_only_the_files_of_the_day_are_read(table: FeatureTable) -> None:
    for folder in ("ds=2026-01-01", "ds=2026-01-03"):
        shutil.rmtree(Path(table.uri) / folder)
    assert table.at().arrow(ds="2026-01-02").num_rows == 2
    with pytest.raises(SourceMissingError):
        table.at().arrow()


def test_days_columns_and_entities_are_chosen(table: FeatureTable) -> None:
    view = table.at(version=1)
    assert view.days() == [date(2026, 1, 1), date(2026, 1, 2)]
    assert view.arrow(days=("2025-12-31", date(2026, 1, 1))).num_rows == 2
    assert view.arrow(ds="2026-01-01..2026-01-02").num_rows == 4
    found = view.arrow(entities=[1], columns=["spend", "ds"])
    assert found.column_names == ["spend", "ds"]
    assert_rows(found.to_pylist(), "ds | spend\n2026-01-01 | 10.00\n2026-01-02 | 99.00")
    assert view.arrow(entities=["1", "3"]).num_rows == 3
    assert view.arrow(entities=[]).num_rows == 0


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"ds": "05.01.2026"}, "is not a date"),
        ({"ds": "2026-01-02..2026-01-01"}, "ends before it starts"),
        ({"ds": "2026-01-01", "days": ("2026-01-01", "2026-01-02")}, "name one"),
        ({"columns": ["spend", "spent"]}, r"has no columns \['spent'\]; it has ds, user_id, spend"),
        ({"entities": ["1 OR 1=1"]}, "can't be read as int64"),
    ],
)
def test_an_unknown_day_column_or_entity_is_refused(table: FeatureTable, chosen: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        table.at(version=1).arrow(**chosen)  # type: ignore[arg-type]


def test_an_unknown_day_is_answered_with_the_known_ones(table: FeatureTable) -> None:
    with pytest.raises(SourceMissingError, match=r"has nothing for 2026-01-09; it has 2026-01-01\.\.2026-01-03"):
        table.at().arrow(ds="2026-01-09")


def test_a_day_published_without_rows_is_listed(table: FeatureTable, tmp_path: Path) -> None:
    publish(tmp_path, "ds | user_id\n2026-01-04 | 1", empty="2026-01-05")
    assert date(2026, 1, 5) in table.at().days()
    found = table.at().arrow(ds="2026-01-05")
    assert (found.num_rows, found.column_names) == (0, ["ds", "user_id", "spend", "mean", "favourite"])


def test_a_version_before_any_publication_has_no_days(tmp_path: Path) -> None:
    uri = f"{tmp_path}/published/purchases/v1"
    commit(uri, rows_of(FIRST).slice(0, 0), [], None)
    publish(tmp_path, FIRST)
    table = Lake(str(tmp_path)).features("purchases")
    assert table.at(version=1).arrow().num_rows == 3
    with pytest.raises(SourceMissingError, match="older than any publication"):
        table.at(version=0).arrow()


def test_rows_are_ordered_by_entity_however_stored(tmp_path: Path) -> None:
    text = "ds | user_id | spend\n" + "\n".join(f"2026-01-0{1 + n % 2} | {n * 7 % 20} | {n}.00" for n in range(20))
    publish(tmp_path, text)
    publish(tmp_path, FIRST, "visits/v1")
    DeltaTable(f"{tmp_path}/published/visits/v1").delete()
    split_files(tmp_path, text, "visits/v1")
    whole, pieces = (Lake(str(tmp_path)).features(name).at() for name in ("purchases", "visits"))
    assert sum(map(len, pieces.stored.files.values())) == 20
    assert pieces.arrow().equals(whole.arrow())
    assert whole.arrow(columns=["user_id"])["user_id"].to_pylist() == [*range(0, 20, 2), *range(1, 20, 2)]


def test_batches_are_days_and_pandas_and_polars_get_equal_rows(table: FeatureTable) -> None:
    view = table.at(version=1)
    assert [each.num_rows for each in view.batches()] == [2, 2]
    assert pa.Table.from_batches(view.batches()).equals(view.arrow())
    assert view.pandas(ds="2026-01-02")["spend"].map(str).tolist() == ["99.00", "30.00"]
    assert view.polars(columns=["user_id"]).to_dicts() == view.arrow(columns=["user_id"]).to_pylist()


def test_columns_added_later_are_null_before(tmp_path: Path) -> None:
    publish(tmp_path, FIRST)
    uri = f"{tmp_path}/published/purchases/v1"
    wider = rows_of(SECOND).append_column("visits", pa.array([5, 6]))
    write_deltalake(uri, wider, mode="overwrite", predicate="ds = '2026-01-02'", schema_mode="merge")
    view = Lake(str(tmp_path)).features("purchases").at()
    assert view.arrow(columns=["visits"])["visits"].to_pylist() == [None, None, 5, 6]
    assert "visits" not in Lake(str(tmp_path)).features("purchases").at(version=0).arrow().column_names


def test_reading_starts_no_spark() -> None:
    code = (
        "import sys, common.reader.cli; sys.exit(bool({'pyspark', 'great_expectations', 'polars'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
