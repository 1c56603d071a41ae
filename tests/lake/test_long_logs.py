"""A log of years in a folder: the same answers as a short one gives, for no more work."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from common.lake.log import delta_log
from common.lake.log.delta_log import TableLog
from common.lake.log.log_files import END_HERE, CommitFiles
from tests.support.long_logs import write_log

FEW, MANY = 300, 20_000


def write(table: Path, versions: range, checkpoint: int | None = None, said: str = "") -> str:
    write_log(table, versions, checkpoint, said)
    return str(table)


def quickest(ask: Callable[[], object]) -> float:
    def seconds() -> float:
        started = time.perf_counter()
        ask()
        return time.perf_counter() - started

    return min(seconds() for _ in range(5))


def test_the_end_of_a_log_costs_the_same_after_years(tmp_path: Path) -> None:
    short = write(tmp_path / "short", range(FEW), checkpoint=FEW - 5)
    long = write(tmp_path / "long", range(MANY), checkpoint=MANY - 5)

    def newest(uri: str) -> list[int]:
        return [commit.version for commit, _ in zip(TableLog(uri), range(50), strict=False)]

    assert newest(long) == [*range(MANY - 1, MANY - 51, -1)]
    assert quickest(lambda: delta_log.version(long)) < 5 * quickest(lambda: delta_log.version(short))
    assert quickest(lambda: newest(long)) < 5 * quickest(lambda: newest(short))


@pytest.mark.parametrize("oldest", [0, 1, 16, 100, 999, 1_000])
def test_whoever_asks_for_all_commits_gets_them(tmp_path: Path, oldest: int) -> None:
    uri = write(tmp_path, range(oldest, 1_001), checkpoint=990)
    found = CommitFiles(uri)
    assert found.whole is (oldest == 0)
    for _ in range(2):
        assert [file.version for file in found] == [*range(1_000, oldest - 1, -1)]
    assert found.whole is (oldest == 0)


@pytest.mark.parametrize("more", [1, END_HERE - 1, END_HERE, 3 * END_HERE, 7 * END_HERE + 1])
def test_what_others_have_committed_since_is_seen(tmp_path: Path, more: int) -> None:
    uri = write(tmp_path, range(500), checkpoint=490)
    assert delta_log.version(uri) == 499
    write(tmp_path, range(500, 500 + more))
    assert delta_log.version(uri) == 499 + more


@pytest.mark.parametrize("more", [END_HERE, 3 * END_HERE])
def test_what_came_since_is_seen_behind_a_clean_up(tmp_path: Path, more: int) -> None:
    """A process that knew the log before its oldest commits were removed."""
    uri = write(tmp_path, range(500), checkpoint=490)
    assert delta_log.version(uri) == 499
    write(tmp_path, range(500, 500 + more))
    for version in range(492):
        (tmp_path / "_delta_log" / f"{version:020}.json").unlink()
    assert delta_log.version(uri) == 499 + more


@pytest.mark.parametrize("commits", [0, 3, 400, 501])
def test_a_table_made_anew_at_its_place_is_seen(tmp_path: Path, commits: int) -> None:
    uri = write(tmp_path, range(500), checkpoint=490)
    assert delta_log.version(uri) == 499
    shutil.rmtree(tmp_path / "_delta_log")
    write(tmp_path, range(commits), said="another table")
    assert delta_log.version(uri) == commits - 1
    assert [commit.books["said"] for commit in TableLog(uri)] == ["another table"] * commits


def test_a_checkpoint_that_is_not_there_is_not_believed(tmp_path: Path) -> None:
    uri = write(tmp_path, range(20), checkpoint=10)
    (tmp_path / "_delta_log" / "_last_checkpoint").write_text(json.dumps({"version": 900}))
    assert delta_log.version(uri) == 19
