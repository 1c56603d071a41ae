"""A database's password is in no argument, log, plan, event log or commit of the job that reads with it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.datasets import datasets_in
from tests.support.servers import database

ROOT = Path(__file__).resolve().parents[2]
DAY = "2026-01-05"
PASSWORD = "hush-5f0c1e"
CONTRACT = """
from common.contracts.aggregates import Count
from common.contracts.contract import Column, Contract, Feature, Features
from common.sources.databases.jdbc import Jdbc

CONTRACT = Contract(
    name="sales",
    description="Sales of a shop.",
    source=Jdbc(database="shop", table="sale", watermark="sold_at", parallel=2, parallel_by="id"),
    columns=(
        Column(name="id", type="long", required=True, description="The sale"),
        Column(name="sold_at", type="timestamp", required=True, description="When it was"),
    ),
    key=("id",),
    event_time="sold_at",
    features=Features(version=1, entity="id", columns=(Feature("sales_7d", Count(7)),)),
)
"""
TRANSFORMS = "def derive(rows):\n    return rows\n\n\ndef measure(rows):\n    return rows\n"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_password_is_in_no_log_plan_or_commit(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "datasets" / "sales"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "contract.py").write_text(CONTRACT)
    (folder / "transforms.py").write_text(TRANSFORMS)
    (tmp_path / "events").mkdir()
    with datasets_in(tmp_path / "datasets"), database(kind) as shop:
        user = "USER ours@'%' IDENTIFIED BY" if kind == "mariadb" else "USER ours PASSWORD"
        shop.run(f"ALTER {user} '{PASSWORD}'")
        shop.run("CREATE TABLE sale (id BIGINT, sold_at TIMESTAMP)")
        shop.run(f"INSERT INTO sale VALUES (1, '{DAY} 10:00:00'), (2, '{DAY} 11:00:00')")
        command = [ROOT / ".venv/bin/spark-submit", "--conf", "spark.eventLog.enabled=true"]
        command += ["--conf", "spark.eventLog.compress=false"]
        command += [
            "--conf",
            f"spark.eventLog.dir=file:{tmp_path}/events",
            "--conf",
            "spark.sql.debug.maxToStringFields=1000",
        ]
        command += [ROOT / "jobs/ingest.py", "--dataset", "sales", "--ds", DAY, "--lake", tmp_path / "lake"]
        told = {
            "SHOP_DATABASE": shop.address.replace(":hush@", f":{PASSWORD}@"),
            "DATASETS": str(tmp_path / "datasets"),
        }
        done = subprocess.run(
            command, env={**os.environ, **told}, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
        )
    assert done.returncode == 0, done.stderr[-2000:]
    written = [path for part in ("lake", "events") for path in (tmp_path / part).rglob("*") if path.is_file()]
    assert any("events" in str(path) and b"JDBCRelation" in path.read_bytes() for path in written)
    assert PASSWORD not in done.stdout + done.stderr
    assert [path for path in written if PASSWORD.encode() in path.read_bytes()] == []
