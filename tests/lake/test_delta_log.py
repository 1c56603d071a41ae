"""Our reading of a Delta log, compared with deltalake's."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from common.lake import delta_log


@pytest.fixture
def table(tmp_path: Path) -> Path:
    for number in range(4):
        write_deltalake(tmp_path / "table", pa.table({"number": [number]}), mode="append")
    return tmp_path / "table"


def newest(table: Path) -> tuple[int, int]:
    return delta_log.version(str(table)), DeltaTable(table).version()


def test_the_newest_version_is_the_last_commit(table: Path) -> None:
    assert newest(table) == (3, 3)


def test_a_checkpoint_stands_in_for_removed_commits(table: Path) -> None:
    DeltaTable(table).create_checkpoint()
    for commit in (table / "_delta_log").glob("*.json"):
        commit.unlink()
    assert newest(table) == (3, 3)


def test_an_unfinished_commit_is_no_version_yet(table: Path) -> None:
    for name in (".00000000000000000004.json.tmp", "00000000000000000004.json.tmp", "00000000000000000003.crc"):
        (table / "_delta_log" / name).touch()
    assert newest(table) == (3, 3)


def test_a_missing_table_has_no_version(tmp_path: Path) -> None:
    assert delta_log.version(str(tmp_path / "table")) == delta_log.NO_TABLE
    assert delta_log.commits_since(str(tmp_path / "table"), delta_log.NO_TABLE) == []


def test_commits_since_a_version_are_those_after_it(table: Path) -> None:
    assert [commit.version for commit in delta_log.commits_since(str(table), 1)] == [3, 2]
    assert delta_log.commits_since(str(table), 3) == []
