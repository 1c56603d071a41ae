"""A linked copy shares the files of the lake, and what is written there stays there."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from common.errors import UsageError
from common.lake import linked_copy


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and ".trials" not in path.relative_to(folder).parts
    }


def append(spark: Any, place: Path, number: int) -> None:
    properties = {"delta.checkpointInterval": 2}
    rows = spark.range(number, number + 1)
    rows.write.format("delta").mode("append").options(**properties).save(str(place))


def test_checkpoints_of_spark_stay_in_the_copy(spark: Any, tmp_path: Path) -> None:
    table = tmp_path / "raw/sales"
    for number in range(3):
        append(spark, table, number)
    before = contents(tmp_path)
    assert "raw/sales/_delta_log/_last_checkpoint" in before
    copy = Path(linked_copy.link(str(tmp_path), "idea", ["sales"])) / "raw/sales"
    for number in range(2):
        append(spark, copy, number)
    assert contents(copy)["_delta_log/_last_checkpoint"] != before["raw/sales/_delta_log/_last_checkpoint"]
    assert spark.read.format("delta").load(str(copy)).count() == 5
    assert contents(tmp_path) == before


def test_only_tables_of_the_dataset_are_linked(tmp_path: Path) -> None:
    for path in (
        "raw/sales/_delta_log/0.json",
        "features/sales/v1/_delta_log/0.json",
        "features/sales/v2/_delta_log/0.json",
        "raw/visits/_delta_log/0.json",
        "training_sets/sales/v1/_delta_log/0.json",
        "runs/sales/clean.json",
        "erased/sales/salt",
    ):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(path)
    copy = Path(linked_copy.link(str(tmp_path), "idea", ["sales"], {"features/sales/v2"}))
    found = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    assert found == {"raw/sales/_delta_log/0.json", "features/sales/v1/_delta_log/0.json", "erased/sales/salt"}


def test_another_file_system_is_refused_in_words(tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system")
    log = tmp_path / "raw/sales/_delta_log"
    log.mkdir(parents=True)
    (log / "0.json").write_text("{}")
    with TemporaryDirectory(dir=elsewhere) as trials:
        (tmp_path / ".trials").symlink_to(trials)
        with pytest.raises(UsageError, match="can't be linked .*expected a file system with hard links"):
            linked_copy.link(str(tmp_path), "idea", ["sales"])
