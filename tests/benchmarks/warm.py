"""A small day as eight submits, and one submit alone: each with a Spark of its own, and on a warm Spark.

`python -m tests.benchmarks.warm [--rows N] [--days N]`. Both ways take turns, day by day; the first days warm the server.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from tests.support.warm_spark import PYTHON, ROOT, WarmSpark, warm_spark

FIRST = date(2026, 1, 1)
WARMING = 3
STEPS = (
    ("ingest",), ("validate", "--table", "raw"), ("clean",), ("validate", "--table", "processed"), ("features",),
    ("validate", "--table", "features"), ("publish",), ("compact",),
)  # fmt: skip


def submit(scratch: Path, name: str, ds: str, step: tuple[str, ...], environment: dict[str, str]) -> float:
    places = ["--lake", str(scratch / name), "--landing", str(scratch / "landing")]
    job, *options = step
    command = [str(ROOT / "conf/spark/spark-submit"), str(ROOT / f"jobs/{job}.py"), "--dataset", "transactions"]
    started = time.monotonic()
    done = subprocess.run([*command, "--ds", ds, *options, *places], env=environment, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{job} of {ds}, {name}, failed: {done.stderr.decode()[-2000:]}")
    return time.monotonic() - started


def measure(scratch: Path, server: WarmSpark, days: int) -> None:
    ways = {
        "warm": {**server.environment, "SPARK_REMOTE": server.address},
        "cold": {**os.environ, "PYTHONPATH": str(ROOT)},
    }
    figures: dict[str, list[list[float]]] = {name: [] for name in ways}
    for number in range(WARMING + days):
        ds = str(FIRST + timedelta(days=number))
        if number < WARMING:
            for step in STEPS:
                submit(scratch, "warm", ds, step, ways["warm"])
            continue
        for name, environment in ways.items():
            figures[name].append([submit(scratch, name, ds, step, environment) for step in STEPS])
    for place, step in enumerate(STEPS):
        seconds = {name: statistics.median(day[place] for day in found) for name, found in figures.items()}
        show(" ".join(step), seconds)
    show("eight submits", {name: statistics.median(map(sum, found)) for name, found in figures.items()})


def show(what: str, seconds: dict[str, float]) -> None:
    ratio = seconds["warm"] / seconds["cold"]
    print(
        f"{what:28} cold {seconds['cold']:6.2f} s  warm {seconds['warm']:6.2f} s  warm / cold {ratio:.2f}", flush=True
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=2_000)
    arguments.add_argument("--days", type=int, default=3)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        size = ["--days", str(WARMING + given.days), "--rows", str(given.rows), "--out", str(scratch / "landing")]
        sample = [PYTHON, "-m", "jobs.datasets.transactions.sample", *size]
        subprocess.run(sample, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        with warm_spark(scratch / "server") as server:
            measure(scratch, server, given.days)


if __name__ == "__main__":
    main()
