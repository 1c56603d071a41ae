"""A day of a million purchases as five spark-submits: ours, ours again, and the straightforward way, side by side.

`python tests/benchmarks/day.py [--rows N] [--history DAYS]`. A day is timed after three days of history, and the next one
after thirty. The first days are laid down by both ways' own steps, the rest by copying one of them in bulk.
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

import duckdb
import pyarrow.compute as pc
from deltalake import DeltaTable

ROOT = Path(__file__).resolve().parents[2]
SUBMIT = str(ROOT / ".venv" / "bin" / "spark-submit")
STEPS = ["ingest", "clean", "validate", "features", "compact"]
FIRST = date(2026, 1, 1)
RUN = 3  # days of history that are really run
# Features that do not depend on which of two records of one key and one time is taken.
SAME = "user_id, purchases_7d, purchases_30d, categories_30d, active_days_30d, days_since_last, favourite_category_30d, age"


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
        # Spark ends with a page of its own messages.
        said = [line for line in done.stderr.decode().splitlines() if " INFO " not in line]
        raise SystemExit("\n".join([f"{' '.join(command)} failed:", *said[-20:]]))
    return time.monotonic() - started


def ours(scratch: Path, step: str, days: str, *more: str) -> float:
    places = ["--lake", str(scratch / "ours"), "--landing", str(scratch / "landing")]
    return timed([SUBMIT, f"jobs/{step}.py", "--dataset", "transactions", "--ds", days, *places, *more])


def plain(script: str, *arguments: str) -> float:
    """Spark's own spark-submit with its own defaults, but for the memory, which is the same for both."""
    home = next((ROOT / ".venv").glob("lib/python3*/site-packages/pyspark"))
    command = [str(home / "bin" / "spark-submit"), "--driver-memory", "4g", str(ROOT / "tests/benchmarks" / script)]
    return timed([*command, *arguments], SPARK_HOME=str(home), PYSPARK_PYTHON=str(ROOT / ".venv/bin/python"))


def theirs(scratch: Path, step: str, ds: str) -> float:
    return plain("straightforward.py", str(scratch / "landing"), str(scratch / "theirs"), ds, step)


def require_same(scratch: Path, ds: str) -> None:
    """Both ways did the same work: DuckDB finds the same features in both."""
    with duckdb.connect() as connection:
        for way, path in (("ours", "ours/features/transactions/v1"), ("theirs", "theirs/features")):
            table = DeltaTable(str(scratch / path)).to_pyarrow_dataset()
            connection.register(way, table.to_table(filter=pc.field("ds") == date.fromisoformat(ds)))
        for one, other in (("ours", "theirs"), ("theirs", "ours")):
            rows = connection.sql(f"SELECT {SAME} FROM {one} EXCEPT ALL SELECT {SAME} FROM {other}")
            if len(rows):
                raise SystemExit(f"{ds}: {len(rows)} feature rows of {one} are not those of {other}:\n{rows}")


def compare(scratch: Path, history: int, ds: str) -> None:
    ways = (("straightforward", theirs), ("ours", ours), ("ours again", ours))
    figures = {name: {step: round(run(scratch, step, ds), 1) for step in STEPS} for name, run in ways}
    totals = {name: sum(seconds.values()) for name, seconds in figures.items()}
    print(f"{ds}, after {history} days of history:")
    for name, seconds in figures.items():
        print(f"  {name:16} {totals[name]:6.1f} s  {json.dumps(seconds)}")
    print(f"  ours / straightforward: {totals['ours'] / totals['straightforward']:.2f}")
    print(f"  ours again / ours: {totals['ours again'] / totals['ours']:.2f}", flush=True)
    require_same(scratch, ds)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--history", type=int, default=30)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        sample = [str(ROOT / ".venv/bin/python"), "-m", "jobs.datasets.transactions.sample", "--formats", "csv,csv"]
        timed([*sample, "--days", str(RUN + 2), "--rows", str(given.rows), "--out", str(scratch / "landing")])
        days = [str(FIRST + timedelta(days=n)) for n in range(RUN + 2)]
        ours(scratch, "backfill", f"{days[0]}..{days[RUN - 1]}")
        for day in days[:RUN]:
            theirs(scratch, "ingest,clean,features", day)
        compare(scratch, RUN, days[RUN])
        if given.history > RUN + 1:
            plain("history.py", str(scratch), days[1], str(given.history - RUN - 1))
            ours(scratch, "features", days[RUN], "--full-refresh")
            compare(scratch, given.history, days[RUN + 1])


if __name__ == "__main__":
    main()
