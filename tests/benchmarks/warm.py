"""A day as eight submits, each with a Spark of its own, and on a warm Spark.

`python -m tests.benchmarks.warm [--rows N] [--days N] [--lean]`. The ways take turns, day by day; the first days warm the
server. With `--lean`, the least PySpark makes the same figures in three submits with a Spark of their own.
"""

from __future__ import annotations

import argparse
import os
import shutil
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

LEAN = "ingest", "clean", "features"


def submit(scratch: Path, name: str, ds: str, step: tuple[str, ...], environment: dict[str, str]) -> float:
    places = ["--lake", str(scratch / name), "--landing", str(scratch / "landing")]
    job, *options = step
    command = [str(ROOT / "conf/spark/spark-submit"), str(ROOT / f"jobs/{job}.py"), "--dataset", "transactions"]
    return timed([*command, "--ds", ds, *options, *places], environment)


def submit_lean(scratch: Path, ds: str, step: str, environment: dict[str, str]) -> float:
    command = [str(ROOT / "conf/spark/spark-submit"), str(ROOT / "tests/benchmarks/lean_submit.py")]
    return timed([*command, step, ds, str(scratch / "landing"), str(scratch / "lean")], environment)


def timed(command: list[str], environment: dict[str, str]) -> float:
    started = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr.decode()[-2000:]}")
    return time.monotonic() - started


def measure(scratch: Path, server: WarmSpark, days: int, *, lean: bool) -> None:
    ways = {
        "warm": {**server.environment, "SPARK_REMOTE": server.address},
        "cold": {**os.environ, "PYTHONPATH": str(ROOT)},
    }
    figures: dict[str, list[list[float]]] = {name: [] for name in ways}
    leanest: list[float] = []
    for number in range(WARMING + days):
        ds = str(FIRST + timedelta(days=number))
        if number == WARMING:
            shutil.copytree(scratch / "warm", scratch / "cold")
        for name, environment in ways.items() if number >= WARMING else [("warm", ways["warm"])]:
            figures[name].append([submit(scratch, name, ds, step, environment) for step in STEPS])
        if lean:
            leanest.append(sum(submit_lean(scratch, ds, step, ways["cold"]) for step in LEAN))
    figures["warm"], leanest = figures["warm"][WARMING:], leanest[WARMING:]
    for place, step in enumerate(STEPS):
        seconds = {name: statistics.median(day[place] for day in found) for name, found in figures.items()}
        show(" ".join(step), seconds)
    whole = {name: statistics.median(map(sum, found)) for name, found in figures.items()}
    show("eight submits", whole)
    if lean:
        least = statistics.median(leanest)
        print(
            f"three submits of the least PySpark {least:.2f} s; eight cold ones take {whole['cold'] / least:.2f} times as long"
        )


def show(what: str, seconds: dict[str, float]) -> None:
    ratio = seconds["warm"] / seconds["cold"]
    print(
        f"{what:28} cold {seconds['cold']:6.2f} s  warm {seconds['warm']:6.2f} s  warm / cold {ratio:.2f}", flush=True
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=2_000)
    arguments.add_argument("--days", type=int, default=3)
    arguments.add_argument("--lean", action="store_true", help="also the least PySpark, which reads CSV only")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        size = ["--days", str(WARMING + given.days), "--rows", str(given.rows), "--out", str(scratch / "landing")]
        size += ["--formats", "csv,csv"] if given.lean else []
        sample = [PYTHON, "-m", "jobs.datasets.transactions.sample", *size]
        subprocess.run(sample, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        with warm_spark(scratch / "server", quick=False) as server:
            measure(scratch, server, given.days, lean=given.lean)


if __name__ == "__main__":
    main()
