"""A day of a million purchases as five spark-submits: ours, ours again, and the straightforward way, side by side.

`python tests/benchmarks/day.py [--rows N] [--history DAYS]`. The history is laid down first and not timed: ours by the
backfill job, the straightforward one by its own steps in one session.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUBMIT = str(ROOT / ".venv" / "bin" / "spark-submit")
STEPS = ["ingest", "clean", "validate", "features", "compact"]
FIRST = date(2026, 1, 1)


def timed(command: list[str], **environment: str) -> float:
    started = time.monotonic()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr.decode()[-2000:]}")
    return time.monotonic() - started


def ours(scratch: Path, step: str, ds: date) -> float:
    places = ["--lake", str(scratch / "ours"), "--landing", str(scratch / "landing")]
    return timed([SUBMIT, f"jobs/{step}.py", "--dataset", "transactions", "--ds", str(ds), *places])


def theirs(scratch: Path, step: str, ds: date) -> float:
    """Spark's own spark-submit with its own defaults, but for the memory, which is the same for both."""
    home = next((ROOT / ".venv").glob("lib/python3*/site-packages/pyspark"))
    script = [
        str(ROOT / "tests/benchmarks/straightforward.py"),
        str(scratch / "landing"),
        str(scratch / "theirs"),
        str(ds),
        step,
    ]
    command = [str(home / "bin" / "spark-submit"), "--driver-memory", "4g", *script]
    return timed(command, SPARK_HOME=str(home), PYSPARK_PYTHON=str(ROOT / ".venv/bin/python"))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--history", type=int, default=3)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        sample = [str(ROOT / ".venv/bin/python"), "-m", "jobs.datasets.transactions.sample", "--formats", "csv,csv"]
        timed([*sample, "--days", str(given.history + 1), "--rows", str(given.rows), "--out", str(scratch / "landing")])
        past = [FIRST + timedelta(days=n) for n in range(given.history)]
        for day in past:
            print(f"history {day}", flush=True)
            for step in STEPS[:4]:
                ours(scratch, step, day)
                theirs(scratch, step, day)
        ds = FIRST + timedelta(days=given.history)
        figures = {
            name: {step: round(run(scratch, step, ds), 1) for step in STEPS}
            for name, run in (("straightforward", theirs), ("ours", ours), ("ours again", ours))
        }
    totals = {name: sum(seconds.values()) for name, seconds in figures.items()}
    for name, seconds in figures.items():
        print(f"{name:16} {totals[name]:6.1f} s  {json.dumps(seconds)}")
    print(f"ours / straightforward: {totals['ours'] / totals['straightforward']:.2f}")
    print(f"ours again / ours: {totals['ours again'] / totals['ours']:.2f}")


if __name__ == "__main__":
    main()
