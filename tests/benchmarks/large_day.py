"""A day of a million rows in a warm session, whole, beside the least PySpark that makes its feature rows.

`.venv/bin/spark-submit [--driver-java-options -XX:TieredStopAtLevel=4] tests/benchmarks/large_day.py [--rows N] [--days N]
[--warm-rows N]`.
Both sides take turns in one session; its first days warm it.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from common.contracts import datasets  # noqa: E402
from common.orchestration.job import run_day  # noqa: E402
from common.runtime.run import Run  # noqa: E402
from common.runtime.session import open_session  # noqa: E402
from common.runtime.settings import Settings, load_settings  # noqa: E402
from jobs.backfill import CHAIN  # noqa: E402
from tests.benchmarks.day import require_same  # noqa: E402
from tests.benchmarks.lean import LeanDay  # noqa: E402
from tests.benchmarks.peaks import peaks  # noqa: E402

FIRST = date(2026, 1, 1)
WARM = 2


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--days", type=int, default=3)
    arguments.add_argument("--warm-rows", type=int, help="of each of the first days, if others")
    given = arguments.parse_args()
    sizes = [given.warm_rows or given.rows] * WARM + [given.rows] * given.days
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings("local", lake=f"{folder}/ours", landing=f"{folder}/landing")
        # In a session of its own: ours says how to plan, by size.
        lean = LeanDay(open_session(settings, "bench").newSession(), f"{folder}/landing", f"{folder}/theirs")
        days = []
        for number, rows in enumerate(sizes):
            day = FIRST + timedelta(days=number)
            land(day, rows, f"{folder}/landing")
            days.append(measured(lean, settings, day) | {"rows": rows})
            require_same(Path(folder), str(day))
            print(
                f"{day}, {rows:,} rows: {days[-1]['day']:.1f} s, {days[-1]['memory']}; lean {days[-1]['lean']:.1f} s",
                flush=True,
            )
    report(days)


def land(day: date, rows: int, landing: str) -> None:
    sample = [sys.executable, "-m", "jobs.datasets.transactions.sample", "--out", landing, "--formats", "csv,csv"]
    size = ["--start", str(day), "--days", "1", "--rows", str(rows)]
    subprocess.run([*sample, *size], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def measured(lean: LeanDay, settings: Settings, day: date) -> dict[str, Any]:
    dataset = datasets.load("transactions")
    seconds: dict[str, float] = {}
    with peaks() as memory:
        for step in CHAIN:
            run = Run(step.job.name, dataset, day, settings, f"bench {day}", "bench", options=dict(step.options))
            started = time.monotonic()
            run_day(step.job, run, quiet=True)
            seconds[" ".join([step.job.name, *step.options.values()])] = time.monotonic() - started
    started = time.monotonic()
    lean.run(day)
    return {"steps": seconds, "day": sum(seconds.values()), "lean": time.monotonic() - started, "memory": memory}


def report(days: list[dict[str, Any]]) -> None:
    counted = days[WARM:]
    for name in counted[0]["steps"]:
        print(f"{name:22} {statistics.median(day['steps'][name] for day in counted):6.2f} s")
    for name in ("day", "lean"):
        print(f"{name:22} {statistics.median(day[name] for day in counted):6.2f} s")
    ratios = [day["day"] / day["lean"] for day in counted]
    print(f"day / lean: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    a_row = [statistics.median(day["day"] / day["rows"] for day in some) for some in (counted, days[WARM - 1 : WARM])]
    print(f"a row / a row of the last warm day: {a_row[0] / a_row[1]:.2f}", flush=True)


if __name__ == "__main__":
    main()
