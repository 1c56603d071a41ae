"""Pins keep a version of any table, record its content hash and detect damage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from common.errors import ContractViolationError, PipelineError, SourceMissingError, UsageError
from common.lake import content_hash, pins
from common.lake.storage.files import read_json, write_json
from tests.support.published_tables import pack, publish, rows_of, vacuum

FIRST = """
ds         | user_id | spend
2026-01-01 | 1       | 10.00
2026-01-02 | 1       | 11.00
2026-01-02 | 2       | 12.00
"""
PATH = "published/purchases/v1"


@pytest.fixture
def lake(tmp_path: Path) -> str:
    publish(tmp_path, FIRST)
    publish(tmp_path, "ds | user_id | spend\n2026-01-02 | 2 | 99.00")
    return str(tmp_path)


def file_of(lake: str, day: str, version: int) -> Path:
    table = DeltaTable(f"{lake}/{PATH}", version=version)
    found, *_ = (each for each in table.file_uris() if f"ds={day}" in each)
    return Path(found)


def test_a_pin_records_its_version_rows_and_hash(lake: str) -> None:
    made = pins.pin(lake, "january", PATH, 0, "for the model of March")
    assert (made.table, made.version, made.rows, made.note) == (PATH, 0, 3, "for the model of March")
    days = {
        day: rows_of(FIRST).filter([str(each) == day for each in rows_of(FIRST)["ds"].to_pylist()]) for day in made.days
    }
    assert made.days == {day: content_hash.hash_rows(rows) for day, rows in days.items()}
    assert set(days) == {"2026-01-01", "2026-01-02"}
    assert {**read_json(f"{lake}/pins/january.json"), "rehashed_at": ""} == vars(made)
    assert pins.find(lake, "january") == made


def test_equal_rows_have_equal_pin_hashes_however_stored(lake: str) -> None:
    uri = f"{lake}/{PATH}"
    write_deltalake(uri, rows_of("ds | user_id | spend\n2026-01-02 | 3 | 1.00"), mode="append")
    before, after = DeltaTable(uri).version(), pack(Path(lake))
    one, other = pins.pin(lake, "loose", PATH, before), pins.pin(lake, "packed", PATH, after)
    assert after > before
    assert (one.hash, one.days) == (other.hash, other.days)
    assert one.hash != pins.pin(lake, "first", PATH, 0).hash


def test_a_name_stays_with_its_version(lake: str) -> None:
    made = pins.pin(lake, "january", PATH, 0, "why")
    assert pins.pin(lake, "january", PATH, 0, "again") == made
    with pytest.raises(UsageError, match=f"pin january is {PATH} version 0, not {PATH} version 1"):
        pins.pin(lake, "january", PATH, 1)
    assert pins.pins(lake) == [made]


def test_what_is_pinned_stays_when_files_are_removed(lake: str) -> None:
    pins.pin(lake, "january", PATH, 0)
    pins.pin(lake, "also", PATH, 0)
    assert pins.kept_versions(lake, PATH) == [0]
    assert pins.kept_versions(lake, "published/visits/v1") == []
    vacuum(Path(lake), keep=pins.kept_versions(lake, PATH))
    assert pins.verify(lake, "january").rows == 3


def test_a_released_pin_keeps_nothing(lake: str) -> None:
    pins.pin(lake, "january", PATH, 0)
    assert pins.release(lake, "january").version == 0
    assert (pins.pins(lake), pins.kept_versions(lake, PATH)) == ([], [])
    with pytest.raises(UsageError, match="there is no pin january; there are: none"):
        pins.verify(lake, "january")


def test_a_removed_pinned_version_is_its_own_error(lake: str) -> None:
    pins.pin(lake, "january", PATH, 0)
    vacuum(Path(lake))
    with pytest.raises(SourceMissingError, match=r"no version 0 \(its files were removed\)"):
        pins.verify(lake, "january")
    with pytest.raises(SourceMissingError):
        pins.pin(lake, "february", PATH, 0)
    assert [each.name for each in pins.pins(lake)] == ["january"]


def test_files_removed_while_pinning_are_not_pinned(lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_late(parts: dict[str, str]) -> str:
        vacuum(Path(lake))
        return content_hash.hash_parts(parts)

    monkeypatch.setattr(pins, "hash_parts", too_late)
    with pytest.raises(SourceMissingError, match="its files were removed"):
        pins.pin(lake, "january", PATH, 0)
    assert pins.pins(lake) == []


def alter(file: Path) -> None:
    found = pq.read_table(file)
    spend = found.schema.get_field_index("spend")
    pq.write_table(found.set_column(spend, found.field(spend), pa.array([7, 7]).cast(found.field(spend).type)), file)


def damage(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-9])


@pytest.mark.parametrize("spoil", [alter, damage])
def test_a_changed_file_is_found_by_its_day(lake: str, spoil: Callable[[Path], None]) -> None:
    pins.pin(lake, "january", PATH, 0)
    spoil(file_of(lake, "2026-01-02", 0))
    with pytest.raises(ContractViolationError, match="differs from what was pinned on 2026-01-02") as found:
        pins.verify(lake, "january")
    assert [each["day"] for each in found.value.failures] == ["2026-01-02"]


def test_a_tampered_pin_is_found(lake: str) -> None:
    write_json(f"{lake}/pins/january.json", {**vars(pins.pin(lake, "january", PATH, 0)), "hash": "0" * 64})
    with pytest.raises(ContractViolationError, match=r"january.json was edited"):
        pins.verify(lake, "january")


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "january"}'])
def test_an_unreadable_pin_stops_the_removal_of_files(lake: str, text: str) -> None:
    pins.pin(lake, "january", PATH, 0)
    Path(f"{lake}/pins/january.json").write_text(text)
    with pytest.raises(PipelineError, match="can't be read as a pin"):
        pins.kept_versions(lake, PATH)


@pytest.mark.parametrize("cut", [[], ["city"], ["city", "user_id"]])
def test_any_table_of_the_lake_can_be_pinned(lake: str, cut: list[str]) -> None:
    rows = pa.table({"user_id": [1, 2, 3], "city": ["St Paul/1", "Öd%20 ü", None], "x": [None, 1.5, 2.5]})
    write_deltalake(f"{lake}/labels/cities", rows, partition_by=cut)
    made = pins.pin(lake, "labels", "labels/cities", 0)
    assert (made.rows, len(made.days)) == (3, 3 if cut else 1)
    assert pins.verify(lake, "labels") == made
    write_deltalake(f"{lake}/labels/cities", rows, mode="overwrite")
    DeltaTable(f"{lake}/labels/cities").vacuum(0, dry_run=False, enforce_retention_duration=False)
    with pytest.raises(SourceMissingError, match=r"There are 1"):
        pins.verify(lake, "labels")


@pytest.mark.parametrize("path", ["", "published", "../x", "/etc", "published/purchases/v1/", "published//v1", "a b"])
def test_a_path_that_is_no_table_is_refused(lake: str, path: str) -> None:
    with pytest.raises(UsageError, match="is not a table of"):
        pins.pin(lake, "january", path, 0)


@pytest.mark.parametrize("name", ["", "../x", "a/b", "January", "a.json", "1st", "a" * 64])
def test_an_invalid_name_is_refused(lake: str, name: str) -> None:
    for refuse in (lambda: pins.pin(lake, name, PATH, 0), lambda: pins.release(lake, name)):
        with pytest.raises(UsageError, match="can't be the name of a pin"):
            refuse()
    assert not Path(f"{lake}/pins").exists()


def test_a_pin_is_a_file_that_people_can_read(lake: str) -> None:
    pins.pin(lake, "january", PATH, 1)
    found = json.loads(Path(f"{lake}/pins/january.json").read_text())
    assert list(found) == ["name", "table", "version", "rows", "hash", "days", "pinned_at", "note"]
