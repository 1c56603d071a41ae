"""A large day on the standalone cluster with one executor of one core, and with two: what the second one saves.

`make cluster && python -m tests.benchmarks.executors [--rows N]`. Each is a backfill of the day into a lake of its own, with the
start of its session.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import date

from tests.benchmarks.day import ROOT, SUBMIT, timed

DAY = date(2026, 1, 5)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=10_000_000)
    given = arguments.parse_args()
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        sample = [
            sys.executable,
            "-m",
            "jobs.datasets.transactions.sample",
            "--out",
            f"{folder}/landing",
            "--formats",
            "csv,csv",
        ]
        size = ["--start", str(DAY), "--days", "1", "--rows", str(given.rows)]
        subprocess.run([*sample, *size], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        for executors in (1, 2):
            places = ["--lake", f"{folder}/lake-{executors}", "--landing", f"{folder}/landing", "--env", "cluster"]
            command = [SUBMIT, "jobs/backfill.py", "--dataset", "transactions", "--ds", str(DAY), *places]
            seconds[executors] = timed(command, SPARK=json.dumps({"spark.cores.max": executors}))
            print(f"{given.rows:,} rows with {executors} executors: {seconds[executors]:.1f} s", flush=True)
    print(f"one executor / two: {seconds[1] / seconds[2]:.2f}", flush=True)


if __name__ == "__main__":
    main()
