"""A source's password or token is in no argument, log, plan, event log or commit of the job that reads with it."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pymongo import MongoClient
from pyspark.sql import SparkSession

from tests.support.datasets import write_dataset
from tests.support.kafka import broker
from tests.support.mongo import mongo
from tests.support.servers import database
from tests.support.web_api import Answer, web_api

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


def contract_of(module: str, source: str) -> str:
    jdbc = 'Jdbc(database="shop", table="sale", watermark="sold_at", parallel=2, parallel_by="id")'
    name = source.partition("(")[0]
    return CONTRACT.replace("databases.jdbc import Jdbc", f"{module} import {name}").replace(jdbc, source)


def read_by_submit(folder: Path, contract: str, **secret: str) -> tuple[str, list[Path]]:
    """What ingest says, and every file of the lake and of Spark's event log."""
    written = write_dataset(folder / "datasets", "sales", contract, TRANSFORMS)
    (written / "__init__.py").touch()
    (folder / "events").mkdir()
    options = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.compress": "false",
        "spark.eventLog.dir": f"file:{folder}/events",
        "spark.sql.debug.maxToStringFields": "1000",
    }
    command = [str(ROOT / ".venv/bin/spark-submit")]
    command += [word for name, value in options.items() for word in ("--conf", f"{name}={value}")]
    command += [str(ROOT / "jobs/ingest.py"), "--dataset", "sales", "--ds", DAY, "--lake", str(folder / "lake")]
    told = {**os.environ, **secret, "DATASETS": str(folder / "datasets")}
    done = subprocess.run(command, env=told, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    files = [path for part in ("lake", "events") for path in (folder / part).rglob("*") if path.is_file()]
    return done.stdout + done.stderr, files


def require_hidden(said: str, files: list[Path], mark: bytes, secret: str = PASSWORD) -> None:
    assert any("events" in str(path) and mark in path.read_bytes() for path in files)
    assert secret not in said
    assert [path for path in files if secret.encode() in path.read_bytes()] == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_password_is_in_no_log_plan_or_commit(tmp_path: Path, kind: str) -> None:
    with database(kind) as shop:
        user = "USER ours@'%' IDENTIFIED BY" if kind == "mariadb" else "USER ours PASSWORD"
        shop.run(f"ALTER {user} '{PASSWORD}'")
        shop.run("CREATE TABLE sale (id BIGINT, sold_at TIMESTAMP)")
        shop.run(f"INSERT INTO sale VALUES (1, '{DAY} 10:00:00'), (2, '{DAY} 11:00:00')")
        told = read_by_submit(tmp_path, CONTRACT, SHOP_DATABASE=shop.address.replace(":hush@", f":{PASSWORD}@"))
    require_hidden(*told, b"JDBCRelation")


@pytest.mark.slow
def test_a_password_of_mongo_is_in_no_log_plan_or_commit(tmp_path: Path) -> None:
    with mongo() as server:
        login = f"{server.replace('//', f'//ours:{PASSWORD}@')}shop?authMechanism=PLAIN"
        with MongoClient(login) as client:
            rows = [{"id": number, "sold_at": datetime(2026, 1, 5, 10, number, tzinfo=UTC)} for number in (1, 2)]
            client.shop.sale.insert_many(rows)
        source = 'Mongo(database="shop", collection="sale", watermark="sold_at", parallel=2)'
        told = read_by_submit(tmp_path, contract_of("mongo.collection", source), SHOP_DATABASE=login)
    require_hidden(*told, b"MapInArrow")


@pytest.mark.slow
def test_a_token_of_an_api_is_in_no_log_plan_or_commit(tmp_path: Path) -> None:
    with web_api() as api:
        api.says("1", Answer([{"id": number, "sold_at": f"{DAY}T10:00:00Z"} for number in (1, 2)]))
        source = f'Http(base="{api.base}", path="/sale", auth="shop")'
        told = read_by_submit(tmp_path, contract_of("http.api", source), SHOP_TOKEN=PASSWORD)
        assert api.headers[0]["Authorization"] == f"Bearer {PASSWORD}"
    require_hidden(*told, b"SQLExecutionStart")


@pytest.mark.slow
def test_a_login_of_kafka_is_in_no_log_plan_or_commit(tmp_path: Path, spark: SparkSession) -> None:
    with broker(spark) as shop:
        shop.topic("sale")
        for number in (1, 2):
            shop.send("sale", json.dumps({"id": number, "sold_at": f"{DAY}T10:00:00Z"}), f"{DAY}T10:00:00Z")
        login = f"kafka://ours:hu%3Bsh@{shop.login_address}?security.protocol=SASL_PLAINTEXT"
        source = 'Kafka(cluster="shop", topic="sale")'
        told = read_by_submit(tmp_path, contract_of("kafka.topic", source), SHOP_KAFKA=login)
    require_hidden(*told, b"kafka", "hu;sh")
