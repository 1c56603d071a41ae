"""Runs `airflow dags test` for every DAG on generated landing data, in one process without a scheduler."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.airflow_here import Airflow
from tests.support.play_lake import PlayLake

ROOT = Path(__file__).resolve().parents[2]
FIRST, SECOND = "2026-01-05", "2026-01-06"
# The run that `dags test` makes is told of no deadline: Airflow 3.3 breaks at the end of one that has a deadline.
NEVER_LATE = {"late_after_minutes": None}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> PlayLake:
    found = PlayLake(tmp_path_factory.mktemp("each-dag"))
    for dataset in ("transactions", "churn"):
        sample = ["-m", f"jobs.datasets.{dataset}.sample", "--start", FIRST, "--days", "2", "--rows", "200"]
        subprocess.run([".venv/bin/python", *sample, "--out", found.landing], cwd=ROOT, check=True, timeout=60)
    return found


@pytest.fixture(scope="module")
def airflow(lake: PlayLake) -> Airflow:
    training = {"churn_baseline": {"dataset": "churn", "days": 2}}
    places = {"LAKE": str(lake.root / "lake"), "LANDING": str(lake.landing)}
    found = Airflow(lake.root / "airflow", places, {"all": NEVER_LATE, "training_sets": training})
    for command in (("db", "migrate"), ("dags", "reserialize")):
        done = found.command(*command)
        assert done.returncode == 0, done.stdout + done.stderr
    return found


def test_every_dag_runs_by_itself(airflow: Airflow, lake: PlayLake) -> None:
    listed = airflow.command("dags", "list", "--output", "json")
    left = {each["dag_id"] for each in json.loads(listed.stdout[listed.stdout.index("[{") :])}
    for dag, conf in (
        ("transactions", {"ds": FIRST}),
        ("churn", {"ds": FIRST}),
        ("transactions_range", {"from": FIRST, "to": SECOND}),
        ("churn_range", {"from": FIRST, "to": SECOND}),
        ("training_set_churn_baseline", {"ds": SECOND}),
        ("maintenance", {"ds": SECOND}),
    ):
        done = airflow.command("dags", "test", dag, "-c", json.dumps(conf))
        assert done.returncode == 0, f"{dag}\n{done.stdout[-20_000:]}{done.stderr[-5_000:]}"
        left.remove(dag)
    for dag in ("transactions_landed", "churn_landed"):
        done = airflow.command("dags", "test", dag)
        assert "the event names no day; send it with the extra" in done.stdout + done.stderr
        left.remove(dag)
    assert left == set(), "a DAG that nobody has tried"
    for dataset in ("transactions", "churn"):
        days = {str(row["ds"]) for row in lake.rows("published", path=f"published/{dataset}/v1")}
        assert days == {FIRST, SECOND}, dataset
    manifest = json.loads(next((lake.root / "lake/training_sets/churn_baseline").glob("v*/manifest.json")).read_text())
    assert manifest["inputs"]["days"] == [FIRST, SECOND]
