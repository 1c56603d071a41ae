"""A day of 2,000 rows in a warm session, without and with late rows: seconds, SQL executions and Spark jobs of each step.

`.venv/bin/spark-submit tests/benchmarks/small_day.py [--rows N] [--days N] [--clean]`. The first days warm the session.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from common.contracts import datasets  # noqa: E402
from common.orchestration.job import run_day  # noqa: E402
from common.runtime.run import Run  # noqa: E402
from common.runtime.settings import load_settings  # noqa: E402
from jobs.backfill import CHAIN  # noqa: E402

FIRST = date(2026, 1, 1)
WARM = 4


def plans(run: Run) -> tuple[int, int]:
    """How many SQL executions and Spark jobs the session has started."""
    context = run.spark.sparkContext._jsc.sc()
    store = run.spark._jsparkSession.sharedState().statusStore()
    return store.executionsCount(), context.dagScheduler().numTotalJobs()


def measure(run: Run) -> dict[str, tuple[float, int, int]]:
    found = {}
    for step in CHAIN:
        one = replace(run, job=step.job.name, options=dict(step.options))
        before, started = plans(run), time.monotonic()
        run_day(step.job, one, quiet=True)
        seconds, after = time.monotonic() - started, plans(run)
        found[" ".join([step.job.name, *step.options.values()])] = (seconds, after[0] - before[0], after[1] - before[1])
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=2_000)
    arguments.add_argument("--days", type=int, default=5)
    arguments.add_argument("--clean", action="store_true", help="without late rows, corrections and refusals")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        landing, lake = f"{folder}/landing", f"{folder}/lake"
        sample = [sys.executable, "-m", "jobs.datasets.transactions.sample", "--out", landing]
        size = ["--days", str(WARM + given.days), "--rows", str(given.rows), *(["--clean"] if given.clean else [])]
        subprocess.run([*sample, *size], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        settings = load_settings("local", lake=lake, landing=landing)
        dataset = datasets.load("transactions")
        steps: dict[str, list[Any]] = defaultdict(list)
        for number in range(WARM + given.days):
            run = Run("bench", dataset, FIRST + timedelta(days=number), settings, f"bench {number}", "bench")
            for name, figures in measure(run).items():
                steps[name].append(figures)
    days = [[sum(column) for column in zip(*day, strict=True)] for day in zip(*steps.values(), strict=True)]
    for name, figures in [*steps.items(), ("day", days)]:
        seconds, executions, jobs = (statistics.median(column) for column in zip(*figures[WARM:], strict=True))
        print(f"{name:22} {seconds:6.2f} s  {executions:4.0f} executions  {jobs:4.0f} jobs", flush=True)


if __name__ == "__main__":
    main()
