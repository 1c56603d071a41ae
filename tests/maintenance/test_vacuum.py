"""Vacuum keeps the files of a pinned version and removes other old ones."""

import json
from datetime import date
from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake

from common.contracts import layout
from common.lake import content_hash, pins
from common.lake.log import data_files
from common.maintenance import compaction, vacuum
from common.maintenance.compaction import CrowdedPartition
from common.runtime.run import Run
from tests.support.play_lake import PlayLake

PATH = "published/transactions/v1"
DAYS = [date(2026, 1, day) for day in (5, 6, 7)]


def rows(round_: int, days: list[date] = DAYS) -> pa.Table:
    found = [{"ds": day, "user_id": user, "spend": round_ * 1000.0 + user} for day in days for user in range(500)]
    return pa.Table.from_pylist(
        found, pa.schema([("ds", pa.date32()), ("user_id", pa.int64()), ("spend", pa.float64())])
    )


def merge(uri: str, round_: int) -> None:
    """Corrects every tenth row of one day with a MERGE."""
    source = rows(round_, [DAYS[round_ % len(DAYS)]]).take(list(range(round_ % 10, 500, 10)))
    same = "t.ds = s.ds AND t.user_id = s.user_id"
    table = DeltaTable(uri).merge(source, same, source_alias="s", target_alias="t")
    table.when_matched_update_all().when_not_matched_insert_all().execute()


def data_bytes(root: Path) -> int:
    return sum(file.stat().st_size for file in root.rglob("*.parquet") if "_delta_log" not in file.parts)


def needed_bytes(uri: str, versions: list[int]) -> int:
    files = {
        row["path"]: row["size_bytes"]
        for version in versions
        for row in pa.table(DeltaTable(uri, version=version).get_add_actions(flatten=True)).to_pylist()
    }
    return sum(files.values())


def compact(run: Run, day: date) -> None:
    table, partition = layout.published(run.contract), {"ds": str(day)}
    compaction.pack(run, CrowdedPartition(table, partition, data_files.files(run.path(table), ds=[str(day)])))


def test_a_pin_survives_many_merges_and_other_files_are_removed(
    tmp_path: Path,
) -> None:
    lake = PlayLake(tmp_path)
    run = lake.plan("compact", str(DAYS[0]))
    uri, place = str(tmp_path / "lake" / PATH), str(tmp_path / "lake")
    books = CommitProperties(custom_metadata={"userMetadata": json.dumps({"job": "publish", "ds": str(DAYS[0])})})
    write_deltalake(uri, rows(0), partition_by=["ds"], commit_properties=books)
    for round_ in range(1, 11):
        merge(uri, round_)
    pinned = DeltaTable(uri)
    kept = content_hash.hash_rows(pinned.to_pyarrow_table())
    pins.pin(place, "model_1", PATH, pinned.version())
    for round_ in range(11, 47):
        merge(uri, round_)
        if round_ % 9 == 0:
            compact(run, DAYS[round_ % len(DAYS)])
            vacuum.vacuum(run, older_than_hours=0)
            pins.verify(place, "model_1")
    now = DeltaTable(uri).version()
    assert content_hash.hash_rows(DeltaTable(uri, version=pinned.version()).to_pyarrow_table()) == kept
    needed = needed_bytes(uri, [pinned.version(), now])
    assert needed <= data_bytes(tmp_path / "lake" / PATH) <= 3 * needed
    pins.release(place, "model_1")
    vacuum.vacuum(run, older_than_hours=0)
    assert data_bytes(tmp_path / "lake" / PATH) == needed_bytes(uri, [DeltaTable(uri).version()])
