"""A log on an object store is listed from its end: the same answers as a whole listing gives, for one request."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.lake.log import delta_log, log_files
from common.lake.log.delta_log import TableLog
from common.lake.log.log_files import CommitFiles
from common.runtime.object_store import NOWHERE
from tests.support.long_logs import write_log
from tests.support.s3_server import S3Server, lake_server

URI = "s3://lake/here/raw/shop"
MANY = 1_500


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with lake_server(tmp_path, monkeypatch) as started:
        yield started


def write(server: S3Server, versions: range, checkpoint: int | None = None, said: str = "") -> Path:
    return write_log(server.folder / "lake/here/raw/shop", versions, checkpoint, said)


def lists(server: S3Server, since: int) -> list[str]:
    """Without the one that asks who answers."""
    return [about for kind, about in server.requests()[since:] if kind == "LIST" and NOWHERE not in about]


def test_a_long_log_is_listed_from_its_last_checkpoint(server: S3Server) -> None:
    write(server, range(MANY), checkpoint=MANY - 5)
    assert delta_log.version(URI) == MANY - 1
    (asked,) = lists(server, 0)
    assert f"start-after=here%2Fraw%2Fshop%2F_delta_log%2F{MANY - 5 - log_files.END:020}" in asked
    before = len(server.requests())
    write(server, range(MANY, MANY + 2))
    assert delta_log.version(URI) == MANY + 1
    assert len(server.requests()) == before + 1, "the end is known from the last time"


def test_the_newest_commits_cost_one_listing(server: S3Server) -> None:
    write(server, range(MANY), checkpoint=MANY - 5)
    newest = [commit.version for commit, _ in zip(TableLog(URI), range(50), strict=False)]
    assert newest == [*range(MANY - 1, MANY - 51, -1)]
    assert len(lists(server, 0)) == 1


def test_whoever_asks_for_all_commits_gets_them(server: S3Server) -> None:
    write(server, range(MANY), checkpoint=MANY - 5)
    found = CommitFiles(URI)
    assert [file.version for file in found] == [*range(MANY - 1, -1, -1)]
    assert [file.version for file in found] == [*range(MANY - 1, -1, -1)], "and again"
    assert found.whole


def test_a_log_that_was_cleaned_up_is_not_whole(server: S3Server) -> None:
    write(server, range(100, MANY), checkpoint=MANY - 5)
    found = CommitFiles(URI)
    assert not found.whole
    assert [*found][-1].version == 100
    assert not found.whole


def test_a_short_log_is_whole(server: S3Server) -> None:
    assert delta_log.version(URI) == delta_log.NO_TABLE
    assert [*CommitFiles(URI)] == []
    write(server, range(3))
    assert delta_log.version(URI) == 2
    assert [file.version for file in CommitFiles(URI)] == [2, 1, 0]


@pytest.mark.parametrize("commits", [0, 3, MANY + 1])
def test_a_table_made_anew_at_its_place_is_seen(server: S3Server, commits: int) -> None:
    log = write(server, range(MANY), checkpoint=MANY - 5)
    assert delta_log.version(URI) == MANY - 1
    shutil.rmtree(log)
    write(server, range(commits), said="another table")
    assert delta_log.version(URI) == commits - 1
    assert [commit.version for commit in TableLog(URI)] == [*range(commits - 1, -1, -1)]
    assert all(commit.books["said"] == "another table" for commit in TableLog(URI))


def test_a_checkpoint_that_is_not_there_is_not_believed(server: S3Server) -> None:
    log = write(server, range(20), checkpoint=10)
    (log / "_last_checkpoint").write_text(json.dumps({"version": 900}))
    assert delta_log.version(URI) == 19
