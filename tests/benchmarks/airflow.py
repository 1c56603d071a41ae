"""What Airflow adds to a day: the day's eight commands by hand, then the same day through a real Airflow.

`.venv/bin/python -m tests.benchmarks.airflow`, about four minutes on two cores.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from tests.support.airflow_here import ROOT, Airflow

DAY = "2026-01-05"
COMMANDS = (
    "ingest", "validate --table raw", "clean", "validate --table processed", "features", "validate --table features",
    "publish", "compact",
)  # fmt: skip


def by_hand(places: dict[str, str]) -> float:
    started = time.monotonic()
    for command in COMMANDS:
        job, *options = command.split()
        submit = [".venv/bin/spark-submit", f"jobs/{job}.py", "--dataset", "transactions", "--ds", DAY, *options]
        subprocess.run(submit, cwd=ROOT, env={**os.environ, **places}, check=True, capture_output=True)
    return time.monotonic() - started


def through(airflow: Airflow) -> tuple[float, float, int]:
    """The whole run's seconds, those between one task's end and the next one's start, and how many of those there are."""
    airflow.start()
    airflow.until(lambda: "transactions" in airflow.dags(), "the DAGs", 120)
    run = airflow.trigger("transactions", ds=DAY)
    assert airflow.over("transactions", run, 600) == "success"
    said = airflow.api("GET", f"/dags/transactions/dagRuns/{run}")
    tasks = airflow.api("GET", f"/dags/transactions/dagRuns/{run}/taskInstances?limit=100")["task_instances"]
    times = sorted((_time(each["start_date"]), _time(each["end_date"])) for each in tasks if each["start_date"])
    waits = [max(0.0, later[0] - earlier[1]) for earlier, later in pairwise(times)]
    return _time(said["end_date"]) - _time(said["start_date"]), sum(waits), len(waits)


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        sample = ["-m", "jobs.datasets.transactions.sample", "--start", DAY, "--days", "1", "--rows", "2000"]
        subprocess.run([".venv/bin/python", *sample, "--out", root / "landing"], cwd=ROOT, check=True)
        landing = {"LANDING": str(root / "landing")}
        hand = by_hand({"LAKE": str(root / "by-hand"), **landing})
        airflow = Airflow(root / "airflow", {"LAKE": str(root / "lake"), **landing})
        try:
            whole, between, hops = through(airflow)
        finally:
            airflow.stop()
    print(f"by hand {hand:.1f} s; through Airflow {whole:.1f} s, {whole / hand:.2f} times")
    print(
        f"between two tasks {between / hops:.1f} s; in all {(whole - hand) / len(COMMANDS):.1f} s more for each command"
    )


if __name__ == "__main__":
    main()
