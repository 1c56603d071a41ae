"""Expired commits leave a log now and then, so that no commit lists the whole of it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from common.lake.log import delta_log
from common.lake.log.commit_metadata import CLEAN_EVERY
from common.lake.slices import Replacement, replace_slice
from common.runtime.object_store import NOWHERE
from tests.support.s3_server import lake_server

MANY = 1_201
DAYS_AGO = time.time() - 40 * 86_400


def table_with_commits(path: Path, commits: int) -> Path:
    write_deltalake(str(path), rows(0), partition_by=["day"], configuration={"delta.logRetentionDuration": "30 days"})
    log = path / "_delta_log"
    for version in range(1, commits):
        info = {"commitInfo": {"timestamp": int(time.time() * 1000)}}
        (log / f"{version:020}.json").write_text(json.dumps(info) + "\n")
    DeltaTable(str(path)).create_checkpoint()
    return log


def rows(day: int) -> pa.Table:
    return pa.table({"day": [day], "value": [1]})


def commit(uri: str, day: int) -> None:
    replace_slice(uri, lambda _: Replacement({"day": (day,)}, rows(day), CommitProperties()), partition_by=["day"])


def test_a_commit_does_not_list_the_whole_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lake_server(tmp_path, monkeypatch) as server:
        table_with_commits(server.folder / "lake/shop", MANY)
        before = len(server.requests())
        commit("s3://lake/shop", 1)
        assert delta_log.version("s3://lake/shop") == MANY
        asked = [about for kind, about in server.requests()[before:] if kind == "LIST" and NOWHERE not in about]
    assert asked
    assert [about for about in asked if "start-after" not in about] == []


def test_expired_commits_go_at_every_tenth_commit(tmp_path: Path) -> None:
    log = table_with_commits(tmp_path / "shop", CLEAN_EVERY + 3)
    for file in log.glob("*.json"):
        os.utime(file, (DAYS_AGO, DAYS_AGO))
    for day in range(1, CLEAN_EVERY - 2):
        commit(str(tmp_path / "shop"), day)
    assert (log / f"{0:020}.json").exists()
    commit(str(tmp_path / "shop"), CLEAN_EVERY)
    commits = sorted(int(file.stem) for file in log.glob("*.json"))
    assert commits[0] > 0, "the expired ones"
    assert commits[-1] == 2 * CLEAN_EVERY
    assert DeltaTable(str(tmp_path / "shop")).to_pyarrow_table().num_rows == CLEAN_EVERY - 1
