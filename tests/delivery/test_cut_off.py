"""A warehouse whose connection ends, whose disk fills, or that is silent, at any moment: it holds the old day or the new one."""

from __future__ import annotations

import gc
import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from common.delivery.postgres import GRACE_SECONDS
from common.errors import PipelineError, UsageError
from tests.support.cutting_proxy import CuttingProxy, cutting
from tests.support.deliveries import TABLE, deliver_day
from tests.support.published_tables import publish
from tests.support.tiny_disk import tiny_disk

DAY, NEXT = "2026-01-01", "2026-01-02"
ROWS = 300
SLEEPY = (
    "CREATE FUNCTION marts.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN NEW; END'; "
    "CREATE TRIGGER slow BEFORE INSERT ON marts.churn_v1 FOR EACH ROW EXECUTE FUNCTION marts.slow()"
)
COPYING = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'deliver' AND state = 'active' AND query LIKE 'COPY%'"
)


def day(spend: int, ds: str = DAY, rows: int = ROWS) -> str:
    lines = [f"{ds} | {number} | {spend}.00 | 1.5 | food{number}" for number in range(rows)]
    return "\n".join(["ds | user_id | spend | mean | favourite", *lines])


def held(sql: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """How many rows of each day have which spend, and the version that the ledger names for the day."""
    rows = "SELECT ds::text, spend::int, count(*) FROM marts.churn_v1 GROUP BY 1, 2 ORDER BY 1, 2"
    ledger = dict(sql.execute("SELECT ds::text, version FROM marts.delivered_days").fetchall())
    return [(*row, ledger.get(row[0])) for row in sql.execute(rows).fetchall()]


def ask(seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    target = {"kind": "postgresql", "schema": "marts", "seconds": seconds}
    monkeypatch.setenv("DELIVERIES", json.dumps({"warehouse": target}))


def refused(tmp_path: Path, kind: type[PipelineError] = PipelineError, ds: str = DAY) -> str:
    with pytest.raises(kind) as told:
        deliver_day(tmp_path, ds, "warehouse")
    assert told.value.exit_code == (2 if kind is UsageError else 1)
    return str(told.value)


@pytest.fixture
def proxy(address: str, sql: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[CuttingProxy]:
    [port] = re.findall(r":(\d+)/", address)
    with cutting(int(port)) as found:
        monkeypatch.setenv("WAREHOUSE_DATABASE", address.replace(port, str(found.port)))
        yield found


def test_a_connection_cut_anywhere_leaves_old_or_new(
    tmp_path: Path, sql: psycopg.Connection[Any], proxy: CuttingProxy
) -> None:
    publish(tmp_path, day(10), TABLE)
    deliver_day(tmp_path, DAY, "warehouse")
    publish(tmp_path, day(20), TABLE)
    old, new = [(DAY, 10, ROWS, 0)], [(DAY, 20, ROWS, 1)]
    whole, cuts = proxy.passed, 0
    # All of them are before the commit, the last bytes that a delivery sends; the answer to it may be lost as well.
    for proxy.after in range(500, whole, whole // 12):
        told = refused(tmp_path)
        assert "the old rows or the new ones" in told
        assert "hush" not in told
        assert held(sql) in (old, new), proxy.after
        cuts += held(sql) == old
    assert cuts > 9
    proxy.after = None
    deliver_day(tmp_path, DAY, "warehouse")
    assert held(sql) == new
    assert deliver_day(tmp_path, DAY, "warehouse").outcome == "nothing"


def test_a_session_ended_in_mid_copy_leaves_nothing(tmp_path: Path, sql: psycopg.Connection[Any]) -> None:
    publish(tmp_path, day(10), TABLE)
    deliver_day(tmp_path, DAY, "warehouse")
    publish(tmp_path, day(20, NEXT), TABLE)
    sql.execute(SLEEPY)
    with ThreadPoolExecutor(1) as threads:
        told = threads.submit(refused, tmp_path, ds=NEXT)
        deadline = time.monotonic() + 60
        while not (copying := sql.execute(COPYING).fetchall()):
            assert not told.done() and time.monotonic() < deadline
            time.sleep(0.02)
        sql.execute("SELECT pg_terminate_backend(%s)", copying[0])
        assert "terminating connection" in told.result()
    assert held(sql) == [(DAY, 10, ROWS, 0)]
    sql.execute("DROP TRIGGER slow ON marts.churn_v1")
    deliver_day(tmp_path, NEXT, "warehouse")
    assert held(sql) == [(DAY, 10, ROWS, 0), (NEXT, 20, ROWS, 1)]


@pytest.mark.slow  # six seconds of silence
def test_a_silent_server_costs_no_more_than_its_limit(
    tmp_path: Path, sql: psycopg.Connection[Any], proxy: CuttingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path, day(10), TABLE)
    deliver_day(tmp_path, DAY, "warehouse")
    publish(tmp_path, day(20), TABLE)
    ask(1, monkeypatch)
    proxy.after, proxy.silent = proxy.passed // 2, True
    began = time.monotonic()
    assert f"it said nothing for {1 + GRACE_SECONDS} s" in refused(tmp_path)
    assert time.monotonic() - began < 1 + GRACE_SECONDS + 5
    assert held(sql) == [(DAY, 10, ROWS, 0)]
    ask(30, monkeypatch)
    proxy.after = None
    deliver_day(tmp_path, DAY, "warehouse")
    assert held(sql) == [(DAY, 20, ROWS, 1)]


@pytest.mark.parametrize(
    "right", ["INSERT, UPDATE, DELETE ON marts.churn_v1", "INSERT, UPDATE ON marts.delivered_days"]
)
def test_a_role_without_rights_changes_nothing(
    tmp_path: Path, sql: psycopg.Connection[Any], address: str, right: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path, day(10), TABLE)
    deliver_day(tmp_path, DAY, "warehouse")
    publish(tmp_path, day(20), TABLE)
    sql.execute("DROP ROLE IF EXISTS guest")
    sql.execute(
        "CREATE ROLE guest LOGIN; GRANT ALL ON SCHEMA marts TO guest; GRANT ALL ON ALL TABLES IN SCHEMA marts TO guest"
    )
    sql.execute(f"REVOKE {right} FROM guest")  # type: ignore[arg-type]
    monkeypatch.setenv("WAREHOUSE_DATABASE", address.replace("ours:hush", "guest:hidden"))
    try:
        told = refused(tmp_path, UsageError)
        assert "forbids it" in told and "Give the user the right" in told
        assert "hidden" not in told
        assert held(sql) == [(DAY, 10, ROWS, 0)]
        sql.execute(f"GRANT {right} TO guest")  # type: ignore[arg-type]
        deliver_day(tmp_path, DAY, "warehouse")
        assert held(sql) == [(DAY, 20, ROWS, 1)]
    finally:
        sql.execute("DROP OWNED BY guest")
        sql.execute("DROP ROLE guest")


def test_a_full_disk_keeps_the_old_day(tmp_path: Path, sql: psycopg.Connection[Any]) -> None:
    publish(tmp_path, day(10), TABLE)
    deliver_day(tmp_path, DAY, "warehouse")
    publish(tmp_path, day(20, rows=20_000), TABLE)
    reachable = Path(tempfile.mkdtemp(prefix="postgres-"))  # for the server's own user
    [[server]] = sql.execute("SHOW data_directory").fetchall()
    try:
        reachable.chmod(0o755)
        with tiny_disk(reachable / "tiny", "1m") as place:
            shutil.chown(place, Path(server).owner(), Path(server).group())
            sql.execute(f"CREATE TABLESPACE tiny LOCATION '{place}'")  # type: ignore[arg-type]
            sql.execute("ALTER TABLE marts.churn_v1 SET TABLESPACE tiny")
            told = refused(tmp_path)
            assert "is full" in told and "No space left on device" in told and "make room" in told
            assert held(sql) == [(DAY, 10, ROWS, 0)]
            sql.execute("ALTER TABLE marts.churn_v1 SET TABLESPACE pg_default")
            sql.execute("CHECKPOINT")
            sql.execute("DROP TABLESPACE tiny")
    finally:
        shutil.rmtree(reachable)
    deliver_day(tmp_path, DAY, "warehouse")
    assert held(sql) == [(DAY, 20, 20_000, 1)]


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_folder_on_a_full_disk_is_never_taken_for_whole(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = tmp_path / "lake"
    publish(lake, day(10), TABLE)
    with tiny_disk(tmp_path / "disk", "256k") as disk:
        monkeypatch.setenv("DELIVERIES", json.dumps({"warehouse": {"kind": kind, "path": str(disk / "out")}}))
        deliver_day(lake, DAY, "warehouse")
        publish(lake, day(20, rows=60_000), TABLE)
        folder = disk / "out" / "churn_v1" / f"ds={DAY}"
        told = refused(lake)
        assert f"{folder} can't be written" in told and "No space left" in told and "make room" in told
        assert not (folder / "_SUCCESS").exists()
        assert [path.name for path in folder.iterdir() if path.name.endswith(".tmp")] == []
        gc.collect()  # closes the file that could not be written, as the end of a run does
        publish(lake, day(30), TABLE)
        assert deliver_day(lake, DAY, "warehouse").outcome == "done"
        assert json.loads((folder / "manifest.json").read_text())["rows"] == ROWS
        assert (folder / "_SUCCESS").exists()
