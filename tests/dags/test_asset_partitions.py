"""Why days travel in the extras of events, not as Airflow's partition keys: if this fails, look at `dags/assets.py` again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
from datetime import UTC, datetime
from airflow.assets.manager import asset_manager
from airflow.dag_processing.collection import update_dag_parsing_results_in_db
from airflow.models.asset import AssetDagRunQueue, AssetPartitionDagRun, PartitionedAssetKeyLog
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.sdk import DAG, Asset, PartitionedAssetTimetable, task
from airflow.serialization.definitions.assets import SerializedAsset
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.utils.db import initdb
from airflow.utils.session import create_session

published = Asset("published/churn")


@task
def work():
    pass


def waiting(name, schedule):
    with DAG(name, schedule=schedule, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        work()
    return LazyDeserializedDAG.from_dag(dag)


def woken_by(key):
    asset = SerializedAsset(name=published.name, uri=published.uri, group="asset", extra={}, watchers=[])
    with create_session() as session:
        for queue in (AssetDagRunQueue, PartitionedAssetKeyLog, AssetPartitionDagRun):
            session.query(queue).delete()
    with create_session() as session:
        asset_manager.register_asset_change(asset=asset, extra={}, partition_key=key, session=session)
    with create_session() as session:
        plain = [queued.target_dag_id for queued in session.query(AssetDagRunQueue)]
        return plain + [f"{run.target_dag_id} {run.partition_key}" for run in session.query(AssetPartitionDagRun)]


initdb()
with create_session() as session:
    session.add(DagBundleModel(name="tests"))
    session.flush()
    dags = [waiting("plain", [published]), waiting("keyed", PartitionedAssetTimetable(assets=published))]
    update_dag_parsing_results_in_db("tests", None, dags, {}, None, set(), session)
    for dag in session.query(DagModel):
        dag.is_paused = False
for key in (None, "2026-01-05", "2026-01-05..2026-01-06"):
    print(f"{key}: {woken_by(key)}")
"""


def test_an_event_wakes_plain_dags_or_keyed_ones_never_both(tmp_path: Path) -> None:
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-3:] == [
        "None: ['plain']",
        "2026-01-05: ['keyed 2026-01-05']",
        # One run for the range's text: it is not split into days.
        "2026-01-05..2026-01-06: ['keyed 2026-01-05..2026-01-06']",
    ]
