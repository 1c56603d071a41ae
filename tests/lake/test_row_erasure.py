"""Rows leave every version of a table: each stays readable, holds the other rows as before, and no file knows of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from common.lake.erasing import history, row_erasure
from common.lake.erasing.row_erasure import HoldingFile
from common.lake.log import delta_log
from tests.support.play_lake import PlayLake

GONE = "anna"


class OfAnna:
    def needs(self, names: list[str]) -> list[str]:
        return ["who"] if "who" in names else []

    def mask(self, rows: pa.Table) -> pa.Array:
        return pc.fill_null(pc.equal(rows["who"], GONE), False)


def rows(day: str, **spend: int) -> pa.Table:
    return pa.table({"ds": [day] * len(spend), "who": list(spend), "spend": list(spend.values())})


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """Appended, replaced, merged, deleted from, compacted, restored, with a checkpoint in the middle and an orphan."""
    uri = str(tmp_path / "lake/published/visits/v1")
    for day in ("2026-01-05", "2026-01-06"):
        write_deltalake(uri, rows(day, anna=1, ben=2, zoe=3), mode="append", partition_by=["ds"])
    replace = {"mode": "overwrite", "predicate": "ds = '2026-01-05'"}
    write_deltalake(uri, rows("2026-01-05", anna=4, ben=5), **replace)
    DeltaTable(uri).create_checkpoint()
    source = rows("2026-01-06", anna=6, ben=7, carl=8)
    merge = DeltaTable(uri).merge(source, "t.ds = s.ds AND t.who = s.who", source_alias="s", target_alias="t")
    merge.when_matched_update_all().when_not_matched_insert_all().execute()
    write_deltalake(uri, rows("2026-01-07", ben=9), mode="append", partition_by=["ds"])
    write_deltalake(uri, rows("2026-01-07", anna=10), mode="append", partition_by=["ds"])
    DeltaTable(uri).optimize.compact([("ds", "=", "2026-01-07")])
    DeltaTable(uri).delete("spend = 9")
    DeltaTable(uri).restore(3)
    pq.write_table(rows("2026-01-08", anna=11).drop_columns(["ds"]), f"{uri}/ds=2026-01-07/left-behind.parquet")
    return uri


def versions(uri: str, without: str = "") -> list[list[dict[str, Any]]]:
    tables = [DeltaTable(uri, version=version).to_pyarrow_table() for version in range(DeltaTable(uri).version() + 1)]
    kept = [[row for row in table.to_pylist() if row["who"] != without] for table in tables]
    return [sorted(each, key=str) for each in kept]


def erase(uri: str, found: list[HoldingFile] | None = None) -> None:
    run = PlayLake(Path(uri).parents[3]).plan("erase", "2026-01-10")
    found = row_erasure.holding_files(uri, OfAnna()) if found is None else found
    row_erasure.remove_old(uri, row_erasure.erase_rows(run, uri, OfAnna(), found))


def holding(uri: str) -> list[str]:
    """The files that hold the name, in a name, as text, or as a decoded value."""
    found = []
    for path in Path(uri).rglob("*"):
        texts = [path.name.encode(), path.read_bytes() if path.is_file() else b""]
        if path.suffix == ".parquet":
            file = pq.ParquetFile(path)
            texts += [str(file.read().to_pylist()).encode(), str(file.metadata.to_dict()).encode()]
        found += [str(path)] if any(GONE.encode() in text for text in texts) else []
    return found


def test_every_version_holds_the_other_rows_as_before(uri: str) -> None:
    before = versions(uri, without=GONE)
    assert versions(uri) != before
    erase(uri)
    *old, newest = versions(uri)
    assert old == before
    assert newest == before[-1]
    assert holding(uri) == []


def test_the_newest_version_is_a_commit_like_any_other(uri: str) -> None:
    """Whoever has the table open updates to it."""
    opened = DeltaTable(uri)
    erase(uri)
    opened.update_incremental()
    assert sorted(opened.to_pyarrow_table()["who"].to_pylist()) == sorted(row["who"] for row in versions(uri)[-1])
    newest, *_ = delta_log.commits(uri)
    assert (newest.books["job"], newest.touched) == ("erase", frozenset())


def test_statistics_tell_of_the_rows_that_stayed(uri: str) -> None:
    erase(uri)
    for version in range(DeltaTable(uri).version() + 1):
        table = DeltaTable(uri, version=version)
        counted = sum(pa.table(table.get_add_actions())["num_records"].to_pylist())
        assert counted == table.to_pyarrow_table().num_rows


def test_a_table_without_the_rows_is_left_alone(uri: str) -> None:
    erase(uri)
    before = {path: path.stat().st_mtime_ns for path in Path(uri).rglob("*")}
    assert row_erasure.holding_files(uri, OfAnna()) == []
    assert before == {path: path.stat().st_mtime_ns for path in Path(uri).rglob("*")}


@pytest.mark.parametrize("place", ["history", "old files"])
def test_a_half_erased_table_is_finished(uri: str, place: str) -> None:
    before = versions(uri, without=GONE)
    found = row_erasure.holding_files(uri, OfAnna())
    run = PlayLake(Path(uri).parents[3]).plan("erase", "2026-01-10")
    replaced = row_erasure.erase_rows(run, uri, OfAnna(), found)
    if place == "old files":
        row_erasure.remove_old(uri, dict([*replaced.items()][:2]))
    erase(uri)
    assert versions(uri)[: len(before)] == before
    assert holding(uri) == []


def test_no_step_loses_or_doubles_a_row_of_any_version(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at before each file of the log that is written: a kill there leaves this to readers."""
    with_her, without = versions(uri), versions(uri, without=GONE)
    looks = []

    def look() -> None:
        for version, found in enumerate(versions(uri)[: len(without)]):
            assert [row for row in found if row["who"] != GONE] == without[version]
            assert all(row in with_her[version] for row in found)
        looks.append(versions(uri)[len(without) :])

    for name in ("write_text", "write_parquet_aside"):
        write = getattr(history, name)
        monkeypatch.setattr(history, name, lambda *what, write=write: (look(), write(*what))[1])
    erase(uri)
    assert len(looks) > 8
    assert all(newest == [without[-1]] for newest in looks)
