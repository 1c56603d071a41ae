"""Runs recover by themselves when a process is killed, and write the same tables."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from common.lake.storage.locks import hold
from tests.support.airflow_here import Airflow
from tests.support.play_lake import PlayLake
from tests.support.processes import parent

ROOT = Path(__file__).resolve().parents[2]
DAY = "2026-01-05"

pytestmark = pytest.mark.slow

# How soon a worker that says nothing any more is given up; Airflow's own default is five minutes.
IMPATIENT = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
}


def test_a_day_ends_as_usual_whatever_process_is_killed(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lake, quiet = PlayLake(tmp_path), PlayLake(tmp_path_factory.mktemp("quiet"))
    for each in (lake, quiet):
        sample = ["-m", "jobs.datasets.transactions.sample", "--start", DAY, "--days", "1", "--rows", "200"]
        subprocess.run([".venv/bin/python", *sample, "--out", each.landing], cwd=ROOT, check=True, timeout=60)
    places = {"LAKE": str(lake.root / "lake"), "LANDING": str(lake.landing)}
    airflow = Airflow(tmp_path / "airflow", {**places, **IMPATIENT}, {"all": {"retries": 6, "spark": {}}})
    try:
        airflow.start()
        airflow.until(lambda: "transactions" in airflow.dags(), "the DAGs", 120)
        run = airflow.trigger("transactions", ds=DAY)
        kill(airflow, lake, "ingest", "raw/transactions", lambda driver: driver)
        before = airflow.part("scheduler")
        kill(airflow, lake, "validate", "", lambda driver: before)
        airflow.until(lambda: airflow.part("scheduler") not in (0, before), "another scheduler", 60)
        kill(airflow, lake, "clean", "quarantine/transactions", parent)
        kill(airflow, lake, "features", "features/transactions/v1", lambda driver: parent(parent(driver)))
        at_work(airflow, lake, "publish")
        airflow.kill()
        airflow.start()
        stopped(airflow, lake, "compact")
        assert airflow.over("transactions", run, 400) == "success"
        for task in ("raw.ingest", "processed.clean", "features.build", "upkeep.compact"):
            assert airflow.tries("transactions", run, task) > 1, task
        airflow.until(
            lambda: not any(driver(lake, job) for job in ("clean", "features", "publish")), "drivers to end", 60
        )
    finally:
        airflow.stop()
    command = [".venv/bin/spark-submit", "jobs/backfill.py", "--dataset", "transactions", "--ds", DAY]
    places_ = ["--lake", str(quiet.root / "lake"), "--landing", str(quiet.landing)]
    subprocess.run([*command, *places_], cwd=ROOT, check=True, timeout=300, stdout=subprocess.DEVNULL)
    assert lake.content() == quiet.content()


def kill(airflow: Airflow, lake: PlayLake, job: str, table: str, victim: Callable[[int], int]) -> None:
    os.kill(victim(at_work(airflow, lake, job, table)), signal.SIGKILL)


def stopped(airflow: Airflow, lake: PlayLake, job: str) -> None:
    """Asks a task to end, as Airflow does, and waits until its driver has ended too."""
    with hold(str(lake.root / "lake"), f"transactions/{job}/{DAY}", 0):
        task = parent(at_work(airflow, lake, job))
        os.kill(task, signal.SIGTERM)
        airflow.until(lambda: parent(driver(lake, job) or 0) != task, f"the driver of {job} to end", 10)


def at_work(airflow: Airflow, lake: PlayLake, job: str, table: str = "") -> int:
    """Waits for the job's driver to run and to write to the table, and returns its process id."""
    log = lake.root / "lake" / table / "_delta_log" / "00000000000000000000.json"
    airflow.until(lambda: bool(driver(lake, job)) and (not table or log.exists()), f"{job} to be at work", 180)
    found = driver(lake, job)
    assert found, f"{job} was over before it could be killed"
    return found


def driver(lake: PlayLake, job: str) -> int | None:
    """The id of the process that runs the job on this lake; Java, where it needs one, is its child."""
    ours = f"LAKE={lake.root}/lake".encode()
    for place in Path("/proc").glob("[0-9]*"):
        try:
            program, _, arguments = (place / "cmdline").read_bytes().partition(b"\0")
            found = b"python" in program and f"jobs/{job}.py".encode() in arguments
            if found and ours in (place / "environ").read_bytes():
                return int(place.name)
        except OSError:
            continue  # the process has just ended
    return None
