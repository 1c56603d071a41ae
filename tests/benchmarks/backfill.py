"""What one session saves: a range of days in one backfill, beside the same days as eight spark-submits each.

`.venv/bin/python -m tests.benchmarks.backfill [--days N] [--rows N] [--by-hand N]`. Only the last days are run by hand, on a copy
of the lake as it was before them: each day costs the same.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from tests.benchmarks.airflow import COMMANDS
from tests.benchmarks.day import ROOT, SUBMIT, timed

FIRST = date(2026, 1, 1)


def submitted(job: str, days: str, places: list[str], *more: str) -> float:
    return timed([SUBMIT, f"jobs/{job}.py", "--dataset", "transactions", "--ds", days, *more, *places])


def by_hand(day: date, places: list[str]) -> float:
    started = time.monotonic()
    for command in COMMANDS:
        job, *options = command.split()
        submitted(job, str(day), places, *options)
    return time.monotonic() - started


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--days", type=int, default=30)
    arguments.add_argument("--rows", type=int, default=100_000)
    arguments.add_argument("--by-hand", type=int, default=2)
    given = arguments.parse_args()
    days = [FIRST + timedelta(days=number) for number in range(given.days)]
    with tempfile.TemporaryDirectory() as folder:
        landing, lakes = f"{folder}/landing", {name: Path(folder) / name for name in ("one", "hand")}
        sample = [sys.executable, "-m", "jobs.datasets.transactions.sample", "--out", landing, "--start", str(FIRST)]
        size = ["--days", str(given.days), "--rows", str(given.rows)]
        subprocess.run([*sample, *size], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        places = {name: ["--lake", str(lake), "--landing", landing] for name, lake in lakes.items()}
        before, last = days[: -given.by_hand], days[-given.by_hand :]
        seconds = submitted("backfill", f"{before[0]}..{before[-1]}", places["one"])
        shutil.copytree(lakes["one"], lakes["hand"])
        one = seconds / len(before)
        each = [by_hand(day, places["hand"]) for day in last]
        again = submitted("backfill", f"{last[0]}..{last[-1]}", places["one"])
        hand = statistics.median(each)
        print(f"{len(before)} days of {given.rows:,} rows in one backfill: {seconds:.1f} s, {one:.2f} s a day")
        print(f"the last {len(last)} in one backfill: {again:.1f} s; as eight commands each: {sum(each):.1f} s")
        print(f"a day in a backfill / by hand: {one / hand:.2f}", flush=True)


if __name__ == "__main__":
    main()
