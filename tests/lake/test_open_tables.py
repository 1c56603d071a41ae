"""A table that is kept open, and brought up to date by the commits since, is what a table opened anew is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from common.lake.log import delta_log, open_tables
from common.lake.small_tables import read_slice
from tests.lake.test_long_logs import quickest

OFTEN = {"delta.checkpointInterval": "10"}


@pytest.fixture
def uri(tmp_path: Path) -> Iterator[str]:
    open_tables.forget()
    write(str(tmp_path / "shop"), 0)
    yield str(tmp_path / "shop")
    open_tables.forget()


def write(uri: str, day: int) -> None:
    said = CommitProperties(app_transactions=[Transaction("keys", day), Transaction(f"day {day}", 1)])
    rows = pa.table({"ds": [f"{day}"], "spent": [day]})
    write_deltalake(uri, rows, mode="append", partition_by=["ds"], configuration=OFTEN, commit_properties=said)


def kept(uri: str) -> DeltaTable:
    """What the next user gets without opening it."""
    with delta_log.reading(uri):
        pass
    table = open_tables.take(uri, delta_log.version(uri))
    assert table is not None
    return table


@pytest.mark.parametrize("commits", [1, 9, 10, 25])
def test_a_kept_table_is_what_one_opened_anew_is(uri: str, commits: int) -> None:
    open_tables.give_back(uri, kept(uri))
    for day in range(1, commits + 1):
        write(uri, day)
    table, anew = open_tables.take(uri, commits), DeltaTable(uri)
    assert table is not None
    assert table.version() == anew.version() == commits
    assert sorted(table.file_uris()) == sorted(anew.file_uris())
    assert table.transaction_version("keys") == commits
    assert [table.transaction_version(f"day {day}") for day in range(1, commits + 1)] == [1] * commits
    assert table.to_pyarrow_table().sort_by("spent") == anew.to_pyarrow_table().sort_by("spent")


def test_a_kept_table_whose_old_commits_are_gone_is_right(uri: str) -> None:
    open_tables.give_back(uri, kept(uri))
    for day in range(1, 26):
        write(uri, day)
    for version in range(19):
        (Path(uri) / "_delta_log" / f"{version:020}.json").unlink()
    with delta_log.reading(uri) as table:
        assert table is not None
        assert sorted(table.file_uris()) == sorted(DeltaTable(uri).file_uris())


def test_a_table_has_one_user_at_a_time(uri: str) -> None:
    with delta_log.reading(uri) as one, delta_log.reading(uri) as other:
        assert one is not other
    table = kept(uri)
    assert open_tables.take(uri, 0) is None, "the first has not given it back"
    open_tables.give_back(uri, table)
    assert open_tables.take(uri, 0) is table


def test_a_user_that_failed_gives_nothing_back(uri: str) -> None:
    with pytest.raises(ValueError, match="half done"), delta_log.reading(uri):
        raise ValueError("half done")
    assert open_tables.take(uri, 0) is None


def test_an_older_version_is_opened_as_it_was(uri: str) -> None:
    write(uri, 1)
    open_tables.give_back(uri, kept(uri))
    with delta_log.reading(uri, 0) as table:
        assert table is not None
        assert (table.version(), len(table.file_uris())) == (0, 1)


def test_a_kept_table_that_was_made_anew_is_opened_again(uri: str) -> None:
    open_tables.give_back(uri, kept(uri))
    before = delta_log.table_id(uri)
    shutil.rmtree(uri)
    for day in range(3):
        write(uri, day + 7)
    with delta_log.reading(uri) as table:
        assert table is not None
        assert str(table.metadata().id) != before
        assert sorted(table.to_pyarrow_table()["spent"].to_pylist()) == [7, 8, 9]


def test_one_day_of_years_is_read_like_one_of_weeks(tmp_path: Path) -> None:
    for days in (20, 2_000):
        rows = pa.table({"ds": [f"{day}" for day in range(days)], "spent": [*range(days)]})
        write_deltalake(str(tmp_path / f"{days}"), rows, partition_by=["ds"])

    def read(days: int) -> list[int]:
        return read_slice(str(tmp_path / f"{days}"), {"ds": ["7"]})["spent"].to_pylist()

    assert read(20) == read(2_000) == [7]
    assert quickest(lambda: read(2_000)) < 15 * quickest(lambda: read(20))


def test_only_the_last_used_tables_are_kept(tmp_path: Path) -> None:
    uris = [str(tmp_path / f"{number}") for number in range(open_tables.MOST + 2)]
    for uri in uris:
        write(uri, 0)
        open_tables.give_back(uri, DeltaTable(uri))
    there = [open_tables.take(uri, 0) is not None for uri in uris]
    assert there == [False, False, *[True] * open_tables.MOST]
    open_tables.forget()
