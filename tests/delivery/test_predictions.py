"""A model's predictions in a warehouse and in a folder, for one version of its training set at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest

from common.errors import ContractViolationError, SourceMissingError, UsageError
from tests.support.deliveries import MODEL, deliver_day, deliver_predictions, predict

ONE = """
customer_id | example_time         | churn | chance
c1          | 2026-01-01T00:00:00Z | true  | 0.75
c2          | 2026-01-01T00:00:00Z | false | 0.25
c1          | 2026-01-08T00:00:00Z | true  | 0.5
"""
TWO = """
customer_id | example_time         | churn | chance
c2          | 2026-01-01T00:00:00Z | false | 0.125
c1          | 2026-01-08T00:00:00Z | true  | 0.5
c3          | 2026-01-08T00:00:00Z | false | 0.0
"""
HELD = [("c1", 1, True, 0.75), ("c1", 8, True, 0.5), ("c2", 1, False, 0.25)]
HELD_AFTER = [("c1", 8, True, 0.5), ("c2", 1, False, 0.125), ("c3", 8, False, 0.0)]


def held(sql: psycopg.Connection[Any], version: int = 1) -> list[tuple[Any, ...]]:
    return sql.execute(
        "SELECT customer_id, extract(day FROM example_time)::int, churn, chance FROM marts.predictions_churn_baseline "
        "WHERE training_set_version = %s ORDER BY 1, 2",
        (version,),
    ).fetchall()


def test_predictions_are_made_equal_and_again_is_nothing(tmp_path: Path, sql: psycopg.Connection[Any]) -> None:
    predict(tmp_path, ONE, 1)
    assert deliver_predictions(tmp_path, "warehouse").counts == {"rows": 3, "upserted": 3, "deleted": 0}
    assert held(sql) == HELD
    before = sql.execute("SELECT xmin::text, * FROM marts.delivered_predictions").fetchall()
    assert deliver_predictions(tmp_path, "warehouse").outcome == "nothing"
    assert sql.execute("SELECT xmin::text, * FROM marts.delivered_predictions").fetchall() == before
    predict(tmp_path, TWO, 1)
    assert deliver_predictions(tmp_path, "warehouse").counts == {"rows": 3, "upserted": 2, "deleted": 1}
    assert held(sql) == HELD_AFTER


def test_each_version_of_the_training_set_is_one_slice(tmp_path: Path, sql: psycopg.Connection[Any]) -> None:
    predict(tmp_path, ONE, 1)
    predict(tmp_path, TWO, 2)
    deliver_predictions(tmp_path, "warehouse")
    assert (held(sql, 1), held(sql, 2)) == ([], HELD_AFTER)
    deliver_predictions(tmp_path, "warehouse", version=1)
    assert (held(sql, 1), held(sql, 2)) == (HELD, HELD_AFTER)
    ledger = "SELECT source, training_set_version, version, rows FROM marts.delivered_predictions ORDER BY 2"
    assert sql.execute(ledger).fetchall() == [  # type: ignore[call-overload]
        (f"predictions/{MODEL}", 1, 0, 3),
        (f"predictions/{MODEL}", 2, 1, 3),
    ]
    with pytest.raises(SourceMissingError, match="nothing for v3 of its training set; it has: v1, v2"):
        deliver_predictions(tmp_path, "warehouse", version=3)


@pytest.mark.slow  # a process for each moment
def test_killed_predictions_are_old_or_new(tmp_path: Path, sql: psycopg.Connection[Any]) -> None:
    for nth in range(8, 40):  # the first statements only set up the connection and look
        sql.execute("DROP TABLE IF EXISTS marts.predictions_churn_baseline, marts.delivered_predictions")
        lake = tmp_path / str(nth)
        predict(lake, ONE, 1)
        deliver_predictions(lake, "warehouse")
        predict(lake, TWO, 1)
        words = [sys.executable, "-m", "tests.support.deliveries", str(nth), str(lake), "predictions", "warehouse"]
        killed = subprocess.run(words, check=False, capture_output=True, text=True).returncode
        version = sql.execute("SELECT version FROM marts.delivered_predictions").fetchall()[0][0]
        assert held(sql) == [HELD, HELD_AFTER][version], nth
        if not killed:
            assert (version, nth > 12) == (1, True)
            return
        assert killed == -9
    pytest.fail("the delivery never ended")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER TABLE marts.predictions_churn_baseline ALTER chance TYPE real", "chance is real, expected double"),
        ("ALTER TABLE marts.predictions_churn_baseline DROP COLUMN churn", "churn is missing (expected boolean)"),
        (
            "ALTER TABLE marts.predictions_churn_baseline DROP CONSTRAINT predictions_churn_baseline_pkey",
            "no unique index on exactly (training_set_version, customer_id, example_time)",
        ),
    ],
)
def test_another_table_is_refused_before_a_write(
    tmp_path: Path, sql: psycopg.Connection[Any], statement: str, said: str
) -> None:
    predict(tmp_path, ONE, 1)
    deliver_predictions(tmp_path, "warehouse")
    sql.execute(statement)  # type: ignore[call-overload]
    before = sql.execute("SELECT xmin::text, * FROM marts.predictions_churn_baseline").fetchall()
    predict(tmp_path, TWO, 1)
    with pytest.raises(UsageError) as refused:
        deliver_predictions(tmp_path, "warehouse")
    assert said in str(refused.value)
    assert sql.execute("SELECT xmin::text, * FROM marts.predictions_churn_baseline").fetchall() == before


def test_rows_that_share_their_key_are_refused(tmp_path: Path, sql: psycopg.Connection[Any]) -> None:
    predict(tmp_path, ONE + ONE.strip().splitlines()[1], 1)
    with pytest.raises(ContractViolationError, match="share values of customer_id, example_time"):
        deliver_predictions(tmp_path, "warehouse")


def test_what_cannot_be_predictions_is_told(tmp_path: Path, sql: psycopg.Connection[Any]) -> None:
    with pytest.raises(SourceMissingError, match="predictions/churn_baseline is not in .*; there are: none"):
        deliver_predictions(tmp_path, "warehouse")
    predict(tmp_path, ONE, 1)
    with pytest.raises(UsageError, match="has no column user_id; expected the dataset's entity"):
        deliver_day(tmp_path, "now", "warehouse", dataset="transactions", predictions=MODEL)


def test_a_folder_of_predictions_says_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELIVERIES", json.dumps({"files": {"kind": "parquet", "path": str(tmp_path / "out")}}))
    predict(tmp_path, ONE, 1)
    assert deliver_predictions(tmp_path, "files").outcome == "done"
    folder = tmp_path / "out/predictions_churn_baseline/training_set_version=1"
    assert {path.name for path in folder.iterdir()} == {"_SUCCESS", "manifest.json", "rows.parquet"}
    assert pq.ParquetFile(folder / "rows.parquet").read()["chance"].to_pylist() == [0.75, 0.5, 0.25]
    assert deliver_predictions(tmp_path, "files").outcome == "nothing"
    predict(tmp_path, TWO, 1)
    assert deliver_predictions(tmp_path, "files").outcome == "done"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["source"], manifest["training_set_version"], manifest["rows"]) == (f"predictions/{MODEL}", 1, 3)
