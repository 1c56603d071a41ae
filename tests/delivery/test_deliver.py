"""A published day in a warehouse and in a folder: equal, once, whole, and refused with a reason."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.delivery.deliver import open_warehouse
from common.delivery.type_mapping import column_types
from common.errors import ContractViolationError, LockedError, PipelineError, SourceMissingError, UsageError
from common.lake.content_hash import hash_rows
from common.runtime.settings import Delivery
from tests.support.deliveries import TABLE, deliver_day
from tests.support.published_tables import SCHEMA, commit, publish, rows_of

ONE = """
ds         | user_id | spend | mean | favourite
2026-01-01 |       1 | 10.00 |  2.5 | food
2026-01-01 |       2 | 20.00 |    ? | it's "=x", y
"""
TWO = """
ds         | user_id | spend | mean | favourite
2026-01-01 |       2 | 21.00 |    ? | it's "=x", y
2026-01-01 |       3 | 30.00 | -1.5 | travel
"""
DAY = "2026-01-01"


def held(sql: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return sql.execute("SELECT ds, user_id, spend, mean::text, favourite FROM marts.churn_v1 ORDER BY 1, 2").fetchall()


def as_text(text: str) -> list[tuple[Any, ...]]:
    rows = rows_of(text).to_pylist()
    return [(*{**row, "mean": str(row["mean"]).replace("nan", "NaN")}.values(),) for row in rows]


def test_a_day_is_made_equal_and_again_is_nothing(tmp_path: Path, sql: psycopg.Connection[Any]) -> None:
    publish(tmp_path, ONE, TABLE)
    assert deliver_day(tmp_path, DAY, "warehouse").counts == {"rows": 2, "upserted": 2, "deleted": 0}
    assert held(sql) == as_text(ONE)
    before = sql.execute("SELECT xmin::text, * FROM marts.delivered_days").fetchall()
    assert deliver_day(tmp_path, DAY, "warehouse").outcome == "nothing"
    assert sql.execute("SELECT xmin::text, * FROM marts.delivered_days").fetchall() == before
    publish(tmp_path, TWO, TABLE)
    assert deliver_day(tmp_path, DAY, "warehouse").counts == {"rows": 2, "upserted": 2, "deleted": 1}
    assert held(sql) == as_text(TWO)
    assert sql.execute("SELECT source, version, rows FROM marts.delivered_days").fetchall() == [("churn@v1", 1, 2)]


def test_other_days_and_equal_rows_are_left_alone(tmp_path: Path, sql: psycopg.Connection[Any]) -> None:
    publish(tmp_path, ONE, TABLE)
    publish(tmp_path, ONE.replace(DAY, "2026-01-02"), TABLE)
    deliver_day(tmp_path, DAY, "warehouse")
    deliver_day(tmp_path, "2026-01-02", "warehouse")
    before = sql.execute("SELECT xmin::text, ctid::text FROM marts.churn_v1").fetchall()
    assert deliver_day(tmp_path, DAY, "warehouse", full_refresh=True).counts["upserted"] == 0
    assert sql.execute("SELECT xmin::text, ctid::text FROM marts.churn_v1").fetchall() == before
    sql.execute("DELETE FROM marts.churn_v1 WHERE user_id = 1")
    deliver_day(tmp_path, DAY, "warehouse", full_refresh=True)
    assert [row[1] for row in held(sql)] == [1, 2, 2]


def test_the_rows_of_one_entity_are_counted_and_removed(tmp_path: Path, sql: psycopg.Connection[Any]) -> None:
    publish(tmp_path, ONE, TABLE)
    deliver_day(tmp_path, DAY, "warehouse")
    target = Delivery(kind="postgresql", schema="marts", seconds=5)
    with closing(open_warehouse("warehouse", target)) as warehouse:
        found = [warehouse.of_entity("churn_v1", "user_id", 2, remove) for remove in (False, True, True)]
        assert warehouse.of_entity("churn_v9", "user_id", 2, remove=True) == 0
    assert found == [1, 1, 0]
    assert [row[1] for row in held(sql)] == [1]


def test_a_day_without_rows_empties_its_slice(tmp_path: Path, sql: psycopg.Connection[Any]) -> None:
    publish(tmp_path, ONE, TABLE)
    deliver_day(tmp_path, DAY, "warehouse")
    publish(tmp_path, ONE.replace(DAY, "2026-01-02"), TABLE, empty="2026-01-03")
    assert deliver_day(tmp_path, "2026-01-03", "warehouse").counts["rows"] == 0
    assert held(sql) == as_text(ONE)


def test_an_hour_is_one_slice_too(tmp_path: Path, sql: psycopg.Connection[Any]) -> None:
    rows = rows_of(ONE)
    for hour in ("2026-01-01T05", "2026-01-01T06"):
        mine = rows.set_column(0, "ds", pa.array([hour] * 2))
        facts = {hour: {"rows": 2, "hash": hash_rows(mine)}}
        books = {"job": "publish", "ds": hour, "entity": "user_id", "days": facts}
        commit(f"{tmp_path}/published/mentions/v1", mine, [hour], books)
        for outcome in ("done", "nothing"):
            assert deliver_day(tmp_path, hour, "warehouse", dataset="mentions").outcome == outcome
    count = "SELECT ds, count(*) FROM marts.mentions_v1 GROUP BY ds ORDER BY ds"
    assert sql.execute(count).fetchall() == [("2026-01-01T05", 2), ("2026-01-01T06", 2)]
    assert sql.execute("SELECT ds FROM marts.delivered_hours ORDER BY ds").fetchall() == [
        ("2026-01-01T05",),
        ("2026-01-01T06",),
    ]


def test_null_and_empty_text_stay_apart(tmp_path: Path, sql: psycopg.Connection[Any]) -> None:
    rows = rows_of(ONE)  # the text form has no empty text
    rows = rows.set_column(4, SCHEMA.field("favourite"), [["", None]])
    publish(tmp_path, ONE, TABLE)
    commit(f"{tmp_path}/published/{TABLE}", rows, [DAY], None)
    deliver_day(tmp_path, DAY, "warehouse")
    assert [row[4] for row in held(sql)] == ["", None]


@pytest.mark.slow  # a process for each moment
def test_killed_at_any_moment_leaves_old_or_new(tmp_path: Path, sql: psycopg.Connection[Any], address: str) -> None:
    for nth in range(8, 40):  # the first statements only set up the connection and look
        sql.execute("DROP TABLE IF EXISTS marts.churn_v1, marts.delivered_days")
        lake = tmp_path / str(nth)
        publish(lake, ONE, TABLE)
        deliver_day(lake, DAY, "warehouse")
        publish(lake, TWO, TABLE)
        words = [sys.executable, "-m", "tests.support.deliveries", str(nth), str(lake), DAY, "warehouse"]
        killed = subprocess.run(words, check=False, capture_output=True, text=True).returncode
        version = sql.execute("SELECT version FROM marts.delivered_days").fetchall()[0][0]
        assert held(sql) == as_text([ONE, TWO][version]), nth
        deliver_day(lake, DAY, "warehouse")
        assert held(sql) == as_text(TWO), nth
        if not killed:
            assert (version, nth > 12) == (1, True)
            return
        assert killed == -9
    pytest.fail("the delivery never ended")


def refusal(tmp_path: Path, sql: psycopg.Connection[Any], statement: str, error: type[PipelineError]) -> str:
    """What delivering a second version says, once the statement has changed the warehouse that holds the first."""
    publish(tmp_path, ONE, TABLE)
    deliver_day(tmp_path, DAY, "warehouse")
    sql.execute(statement)  # type: ignore[call-overload]
    publish(tmp_path, TWO, TABLE)
    with pytest.raises(error) as refused:
        deliver_day(tmp_path, DAY, "warehouse")
    return str(refused.value)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER TABLE marts.churn_v1 DROP COLUMN mean", "mean is missing (expected double precision)"),
        ("ALTER TABLE marts.churn_v1 ALTER spend TYPE numeric(5,2)", "spend is numeric(5,2), expected numeric(22,2)"),
        ("ALTER TABLE marts.churn_v1 ADD extra text", "extra (text) is unknown here"),
        ("ALTER TABLE marts.churn_v1 DROP CONSTRAINT churn_v1_pkey", "no unique index on exactly (ds, user_id)"),
        ("DROP SCHEMA marts CASCADE", "has no schema marts"),
    ],
)
def test_another_target_is_refused(tmp_path: Path, sql: psycopg.Connection[Any], statement: str, said: str) -> None:
    assert said in refusal(tmp_path, sql, statement, UsageError)


@pytest.mark.parametrize(
    ("statement", "error", "said"),
    [
        ("ALTER TABLE marts.churn_v1 ADD CHECK (spend < 25)", ContractViolationError, "refuses the rows"),
        (
            "CREATE FUNCTION marts.skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; "
            "CREATE TRIGGER t BEFORE INSERT ON marts.churn_v1 FOR EACH ROW EXECUTE FUNCTION marts.skip()",
            PipelineError,
            "would hold 1 rows",
        ),
        (
            "CREATE FUNCTION marts.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END'; "
            "CREATE TRIGGER t BEFORE INSERT ON marts.churn_v1 FOR EACH ROW EXECUTE FUNCTION marts.slow()",
            PipelineError,
            "took longer",
        ),
        (
            "CREATE FUNCTION marts.full() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN RAISE EXCEPTION ''no space left'' USING ERRCODE = ''53100''; END'; "
            "CREATE TRIGGER t BEFORE INSERT ON marts.churn_v1 FOR EACH ROW EXECUTE FUNCTION marts.full()",
            PipelineError,
            "is full",
        ),
    ],
    ids=["constraint", "skipped rows", "slow", "full"],
)
def test_a_warehouse_that_refuses_keeps_the_old_day(
    tmp_path: Path,
    sql: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
    error: type[PipelineError],
    said: str,
) -> None:
    patience = {"kind": "postgresql", "schema": "marts", "seconds": 2}
    monkeypatch.setenv("DELIVERIES", json.dumps({"warehouse": patience}))
    assert said in refusal(tmp_path, sql, statement, error)
    assert held(sql) == as_text(ONE)
    assert sql.execute("SELECT version FROM marts.delivered_days").fetchall() == [(0,)]


def test_an_older_version_never_replaces_a_newer_one(tmp_path: Path, sql: psycopg.Connection[Any]) -> None:
    publish(tmp_path, ONE, TABLE)
    deliver_day(tmp_path, DAY, "warehouse")
    sql.execute("UPDATE marts.delivered_days SET version = 5")
    with pytest.raises(LockedError):
        deliver_day(tmp_path, DAY, "warehouse")


def test_a_wrong_password_is_told_without_it(
    tmp_path: Path, sql: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    publish(tmp_path, ONE, TABLE)
    [[rules]] = sql.execute("SHOW hba_file").fetchall()
    text = Path(rules).read_text()
    sql.execute("CREATE ROLE visitor LOGIN PASSWORD 'right'")
    try:
        Path(rules).write_text("host all visitor 127.0.0.1/32 scram-sha-256\n" + text)
        sql.execute("SELECT pg_reload_conf()")
        monkeypatch.setenv("WAREHOUSE_DATABASE", address.replace("ours:hush", "visitor:hidden"))
        with pytest.raises(UsageError) as refused:
            deliver_day(tmp_path, DAY, "warehouse")
    finally:
        Path(rules).write_text(text)
        sql.execute("SELECT pg_reload_conf()")
        sql.execute("DROP ROLE visitor")
    assert "refuses the login" in str(refused.value)
    assert "WAREHOUSE_DATABASE" in str(refused.value)
    assert "hidden" not in str(refused.value)


def test_a_warehouse_that_is_down_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path, ONE, TABLE)
    monkeypatch.setenv("DELIVERIES", '{"warehouse": {"kind": "postgresql"}}')
    monkeypatch.setenv("WAREHOUSE_DATABASE", "postgresql://ours:hush@127.0.0.1:1/postgres")
    with pytest.raises(PipelineError) as refused:
        deliver_day(tmp_path, DAY, "warehouse")
    assert refused.value.exit_code == 1
    assert "hush" not in str(refused.value)


def test_what_is_asked_wrongly_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path, ONE, TABLE)
    monkeypatch.setenv("DELIVERIES", json.dumps({"files": {"kind": "csv", "path": str(tmp_path / "out")}}))
    with pytest.raises(UsageError, match="--to file is not declared.*did you mean files"):
        deliver_day(tmp_path, DAY, "file")
    with pytest.raises(SourceMissingError, match="no publication of 2026-01-02"):
        deliver_day(tmp_path, "2026-01-02", "files")
    monkeypatch.setenv("DELIVERIES", '{"files": {"kind": "csv"}}')
    with pytest.raises(UsageError, match="path is needed"):
        deliver_day(tmp_path, DAY, "files")


def test_types_that_have_no_equal_are_all_named() -> None:
    with pytest.raises(UsageError, match=r"a is list<.*, b is binary"):
        column_types(pa.schema({"a": pa.list_(pa.int64()), "b": pa.binary(), "c": pa.int64()}))
    with pytest.raises(UsageError, match="63 bytes"):
        column_types(pa.schema({"ä" * 32: pa.int64()}))


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_folder_says_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setenv("DELIVERIES", json.dumps({"files": {"kind": kind, "path": str(tmp_path / "out")}}))
    publish(tmp_path, ONE.replace("food", "=1+1"), TABLE)
    assert deliver_day(tmp_path, DAY, "files").outcome == "done"
    folder = tmp_path / "out/churn_v1" / f"ds={DAY}"
    assert {path.name for path in folder.iterdir()} == {"_SUCCESS", "manifest.json", f"rows.{kind}"}
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["rows"], manifest["version"], manifest["columns"]["mean"]) == (2, 0, "double")
    assert deliver_day(tmp_path, DAY, "files").outcome == "nothing"
    (folder / "_SUCCESS").unlink()
    assert deliver_day(tmp_path, DAY, "files").outcome == "done"
    if kind == "csv":
        assert '"\'=1+1"' in (folder / "rows.csv").read_text()
    else:
        assert pq.ParquetFile(folder / "rows.parquet").read()["user_id"].to_pylist() == [1, 2]


def test_a_csv_keeps_formulas_only_if_conf_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path, ONE.replace("food", "=1+1"), TABLE)
    rows = tmp_path / "out/churn_v1" / f"ds={DAY}" / "rows.csv"
    for keep, shown, outcome in [(False, '"\'=1+1"', "done"), (True, '"=1+1"', "done"), (True, '"=1+1"', "nothing")]:
        target = {"kind": "csv", "path": str(tmp_path / "out"), "keep_formulas": keep}
        monkeypatch.setenv("DELIVERIES", json.dumps({"files": target}))
        assert deliver_day(tmp_path, DAY, "files").outcome == outcome
        assert shown in rows.read_text()
