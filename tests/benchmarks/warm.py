"""A day as eight submits, each with a Spark of its own, and on a warm Spark.

`python -m tests.benchmarks.warm [--rows N] [--days N] [--lean]`. The ways take turns, day by day; the first days warm the
server. With `--lean`, the least PySpark makes the same figures in three submits, both ways.
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


def submit_lean(scratch: Path, name: str, ds: str, environment: dict[str, str]) -> float:
    """On a warm Spark by Python alone, as jobs are."""
    started_by = [PYTHON] if name == "warm" else [ROOT / "conf/spark/spark-submit"]
    command = [*map(str, started_by), str(ROOT / "tests/benchmarks/lean_submit.py")]
    places = [str(scratch / "landing"), str(scratch / f"lean {name}")]
    return sum(timed([*command, step, ds, *places], environment) for step in LEAN)


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
    least: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(WARMING + days):
        ds = str(FIRST + timedelta(days=number))
        if number == WARMING:
            for lake in ("", "lean ") if lean else ("",):
                shutil.copytree(scratch / f"{lake}warm", scratch / f"{lake}cold")
        for name, environment in ways.items() if number >= WARMING else [("warm", ways["warm"])]:
            figures[name].append([submit(scratch, name, ds, step, environment) for step in STEPS])
            if lean:
                least[name].append(submit_lean(scratch, name, ds, environment))
    figures["warm"], least["warm"] = figures["warm"][WARMING:], least["warm"][WARMING:]
    for place, step in enumerate(STEPS):
        seconds = {name: statistics.median(day[place] for day in found) for name, found in figures.items()}
        show(" ".join(step), seconds)
    whole = {name: statistics.median(map(sum, found)) for name, found in figures.items()}
    show("eight submits", whole)
    if lean:
        leanest = {name: statistics.median(found) for name, found in least.items()}
        show("the least, three submits", leanest)
        print("eight / the least", {name: round(whole[name] / seconds, 2) for name, seconds in leanest.items()})


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
