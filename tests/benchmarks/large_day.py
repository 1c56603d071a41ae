"""A day of a million rows in a warm session, whole, beside the least PySpark that makes its feature rows.

`.venv/bin/spark-submit [--driver-java-options -XX:TieredStopAtLevel=4] tests/benchmarks/large_day.py [--rows N] [--days N]`.
Both sides take turns in one session; its first days warm it.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from common.contracts import datasets  # noqa: E402
from common.orchestration.job import run_day  # noqa: E402
from common.runtime.run import Run  # noqa: E402
from common.runtime.session import open_session  # noqa: E402
from common.runtime.settings import load_settings  # noqa: E402
from jobs.backfill import CHAIN  # noqa: E402
from tests.benchmarks.day import require_same  # noqa: E402
from tests.benchmarks.lean import LeanDay  # noqa: E402

FIRST = date(2026, 1, 1)
WARM = 2


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--days", type=int, default=3)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        landing = f"{folder}/landing"
        sample = [sys.executable, "-m", "jobs.datasets.transactions.sample", "--out", landing, "--formats", "csv,csv"]
        size = ["--days", str(WARM + given.days), "--rows", str(given.rows)]
        subprocess.run([*sample, *size], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        settings = load_settings("local", lake=f"{folder}/ours", landing=landing)
        dataset = datasets.load("transactions")
        # In a session of its own: ours says how to plan, by size.
        lean = LeanDay(open_session(settings, "bench").newSession(), landing, f"{folder}/theirs")
        seconds: dict[str, list[float]] = defaultdict(list)
        for number in range(WARM + given.days):
            day = FIRST + timedelta(days=number)
            started = time.monotonic()
            lean.run(day)
            seconds["lean"].append(time.monotonic() - started)
            for step in CHAIN:
                run = Run(step.job.name, dataset, day, settings, f"bench {day}", "bench", options=dict(step.options))
                started = time.monotonic()
                run_day(step.job, run, quiet=True)
                seconds[" ".join([step.job.name, *step.options.values()])].append(time.monotonic() - started)
            require_same(Path(folder), str(day))
    report(seconds)


def report(seconds: dict[str, list[float]]) -> None:
    lean = seconds.pop("lean")[WARM:]
    ours = [sum(day) for day in zip(*seconds.values(), strict=True)][WARM:]
    for name, figures in seconds.items():
        print(f"{name:22} {statistics.median(figures[WARM:]):6.2f} s")
    print(f"{'day':22} {statistics.median(ours):6.2f} s")
    print(f"{'lean':22} {statistics.median(lean):6.2f} s")
    ratios = [one / other for one, other in zip(ours, lean, strict=True)]
    print(f"day / lean: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})", flush=True)


if __name__ == "__main__":
    main()
