"""Two checkouts take turns on the same small days in one session: seconds, CPU and calls to the JVM of each step.

`git worktree add ../before REVISION`, then `.venv/bin/spark-submit tests/benchmarks/two_revisions.py ../before [--days N]`.
The ratio is the median of those of each day, so that a busy machine slows both. The tables of both must hold the same rows.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from deltalake import DeltaTable
from py4j.java_gateway import GatewayClient
from pyspark import SparkContext

HERE = Path(__file__).resolve().parents[2]
FIRST = date(2026, 1, 1)
WARM = 3
OURS = ("common", "jobs")
# Names the run, not the row.
RUN_COLUMNS = {"run_id"}
calls = Counter[str]()


class Figures(NamedTuple):
    seconds: float
    cpu: float
    calls: int

    @classmethod
    def so_far(cls) -> Figures:
        """The CPU is that of this process and of the JVM that started it."""
        fields = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()
        jvm = sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
        return cls(time.monotonic(), time.process_time() + jvm, calls["jvm"])

    def since(self, before: Figures) -> Figures:
        return Figures(*(now - then for now, then in zip(self, before, strict=True)))


class Checkout:
    """One checkout: its own modules, which are there while it works, and its own lake."""

    def __init__(self, root: Path, lake: str) -> None:
        self.root, self.lake = root, lake
        self.figures: dict[str, list[Figures]] = defaultdict(list)
        self._modules: dict[str, ModuleType] = {}
        self._remembered: dict[str, Any] = {}  # of the JVM, which both share
        self._dataset: Any = None

    @contextmanager
    def at_work(self) -> Iterator[None]:
        sys.modules.update(self._modules)
        vars(SparkContext._jvm or self).update(self._remembered)
        sys.path.insert(0, str(self.root))
        try:
            yield
        finally:
            sys.path.remove(str(self.root))
            seen = vars(SparkContext._jvm)
            self._remembered = {name: seen.pop(name) for name in list(seen) if not name.startswith("_")}
            self._modules = {
                name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in OURS
            }

    def run_day(self, ds: date, landing: str) -> None:
        from common.contracts import datasets
        from common.orchestration.job import run_day
        from common.runtime.run import Run
        from common.runtime.settings import load_settings
        from jobs.backfill import CHAIN

        self._dataset = self._dataset or datasets.load("transactions")
        settings = load_settings("local", lake=self.lake, landing=landing)
        for step in CHAIN:
            run = Run(step.job.name, self._dataset, ds, settings, f"bench {ds}", "bench", options=dict(step.options))
            before = Figures.so_far()
            run_day(step.job, run, quiet=True)
            name = " ".join([step.job.name, *step.options.values()])
            self.figures[name].append(Figures.so_far().since(before))

    def days(self) -> list[Figures]:
        steps = zip(*self.figures.values(), strict=True)
        return [Figures(*map(sum, zip(*figures, strict=True))) for figures in steps][WARM:]

    def rows(self, table: str) -> list[str]:
        rows = DeltaTable(f"{self.lake}/{table}").to_pyarrow_table().to_pylist()
        return sorted(repr([(name, row[name]) for name in sorted(row.keys() - RUN_COLUMNS)]) for row in rows)


def count_calls() -> None:
    send = GatewayClient.send_command

    def counted(*arguments: Any, **options: Any) -> Any:
        calls["jvm"] += 1
        return send(*arguments, **options)

    GatewayClient.send_command = counted


def require_same(one: Checkout, other: Checkout) -> None:
    tables = sorted(str(log.parent.relative_to(one.lake)) for log in Path(one.lake).rglob("_delta_log"))
    differing = [
        table for table in tables if not table.startswith("verdicts/") and one.rows(table) != other.rows(table)
    ]
    if differing:
        raise SystemExit(f"the rows of {differing} are not the same")
    print(f"the same rows in {len(tables)} tables", flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("before", type=Path)
    arguments.add_argument("--rows", type=int, default=2_000)
    arguments.add_argument("--days", type=int, default=6)
    arguments.add_argument("--clean", action="store_true", help="without late rows, corrections and refusals")
    given = arguments.parse_args()
    count_calls()
    with tempfile.TemporaryDirectory() as folder:
        before, now = Checkout(given.before.resolve(), f"{folder}/before"), Checkout(HERE, f"{folder}/now")
        landing, number = f"{folder}/landing", WARM + given.days
        sample = [sys.executable, "-m", "jobs.datasets.transactions.sample", "--out", landing, "--days", str(number)]
        more = ["--rows", str(given.rows), *(["--clean"] if given.clean else [])]
        environment = {**os.environ, "PYTHONPATH": str(HERE)}
        subprocess.run([*sample, *more], cwd=HERE, env=environment, check=True, stdout=subprocess.DEVNULL)
        for place in range(number):
            for checkout in (before, now)[:: 1 if place % 2 else -1]:
                with checkout.at_work():
                    checkout.run_day(FIRST + timedelta(days=place), landing)
        report(before, now)
        require_same(before, now)


def report(before: Checkout, now: Checkout) -> None:
    for name in now.figures:
        old, new = (_medians(each.figures[name][WARM:]) for each in (before, now))
        print(f"{name:20} {old.seconds:6.2f} {new.seconds:6.2f} s   {old.cpu:6.2f} {new.cpu:6.2f} s of CPU", end="")
        print(f"   {old.calls:6.0f} {new.calls:6.0f} calls to the JVM")
    pairs = list(zip(before.days(), now.days(), strict=True))
    for what in ("seconds", "cpu"):
        ratios = [getattr(new, what) / getattr(old, what) for old, new in pairs]
        print(f"{what} of a day: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})", flush=True)


def _medians(figures: list[Figures]) -> Figures:
    return Figures(*map(statistics.median, zip(*figures, strict=True)))


if __name__ == "__main__":
    sys.path = [place for place in sys.path if Path(place).resolve() != HERE]
    main()
