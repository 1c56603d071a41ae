"""Our reading of a Delta log, compared with deltalake's."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyarrow.fs import SubTreeFileSystem

from common.lake.log import delta_log
from common.lake.log.delta_log import TableLog

ROOT = Path(__file__).resolve().parents[2]


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
    assert list(TableLog(str(tmp_path / "table"))) == []


def test_commits_between_two_versions(table: Path) -> None:
    def between(since: int, until: int) -> list[int] | None:
        commits = TableLog(str(table)).between(since, until)
        return None if commits is None else [commit.version for commit in commits]

    assert (between(1, 3), between(1, 2), between(3, 3)) == ([3, 2], [2], [])
    (table / "_delta_log" / f"{2:020}.json").unlink()
    assert between(2, 3) == [3]
    assert between(1, 3) is None, "the log does not reach back that far"


def test_rows_are_read_by_arrow_alone(table: Path) -> None:
    """A thread of deltalake's own file system, which is written in Python, could abort the process as it ends."""
    rows = delta_log.dataset(DeltaTable(table))
    assert rows.to_table().num_rows == 4
    assert isinstance(rows.filesystem, SubTreeFileSystem)
    elsewhere = {
        str(path.relative_to(ROOT)) for path in (ROOT / "common").rglob("*.py") if "to_pyarrow_" in path.read_text()
    }
    assert elsewhere == {"common/lake/log/delta_log.py"}
