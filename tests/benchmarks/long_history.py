"""The same small day after 31, 1,000 and 3,000 days, in one warm session: seconds, and the files of the lake that it opens.

`.venv/bin/spark-submit tests/benchmarks/long_history.py [--days 31,1000,3000] [--rounds N] [--opened N]`. Some days are really
run, then multiplied (`tests/support/many_days.py`); the lakes take turns on the days after them. A ratio is the median of those
of each day. Opened files are counted by `strace` on more days, which it slows down.

After 31 days, `validate` has no features of 28 days before to compare a day with: `--days 61,…` leaves that out of the ratio.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from common.contracts import datasets  # noqa: E402
from common.orchestration.job import run_day  # noqa: E402
from common.runtime.run import Run  # noqa: E402
from common.runtime.settings import load_settings  # noqa: E402
from jobs.backfill import CHAIN  # noqa: E402
from tests.support.many_days import GrownLake  # noqa: E402

TEMPLATE = 21
WARM = 3
OPENED = re.compile(r'open(?:at)?\(.*"(?P<path>[^"]+)".* = \d+$')
# By these a file's name ends that no other lake has.
ENDINGS = ("_last_checkpoint", ".checkpoint.parquet", ".json.crc", ".crc", ".json", ".jsonl", ".parquet")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--days", default="31,1000,3000")
    arguments.add_argument("--rounds", type=int, default=10)
    arguments.add_argument("--opened", type=int, default=0, help="days on which opened files are counted")
    arguments.add_argument("--rows", type=int, default=2_000)
    arguments.add_argument("--kinds", action="store_true", help="of which kind the opened files are")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        days = WARM + given.rounds + given.opened
        last = datetime.now(UTC).date() - timedelta(days=days + 1)
        lakes = make_lakes(Path(folder), [*map(int, given.days.split(","))], given.rows, last)
        land(Path(folder), last + timedelta(days=1), days, given.rows)
        seconds: dict[int, list[dict[str, float]]] = defaultdict(list)
        worked: dict[int, list[float]] = defaultdict(list)
        opened: dict[int, Counter[str]] = defaultdict(Counter)
        for number in range(days):
            for length in [*lakes][:: 1 if number % 2 else -1]:
                ds = last + timedelta(days=number + 1)
                if number < WARM + given.rounds:
                    before = cpu_seconds()
                    seconds[length].append(run_steps(lakes[length], ds))
                    worked[length].append(cpu_seconds() - before)
                else:
                    opened[length] += count_opened(lakes[length], ds)
        report(seconds, worked, opened, given.opened, given.kinds)


def land(folder: Path, start: date, days: int, rows: int) -> None:
    sample = [sys.executable, "-m", "jobs.datasets.transactions.sample", "--out", str(folder / "landing")]
    size = ["--start", str(start), "--days", str(days), "--rows", str(rows)]
    subprocess.run([*sample, *size], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def make_lakes(folder: Path, lengths: list[int], rows: int, last: date) -> dict[int, Path]:
    """Lakes of so many days up to the last one."""
    template, start = folder / "template", last - timedelta(days=TEMPLATE - 1)
    land(folder, start, TEMPLATE, rows)
    for number in range(TEMPLATE):
        run_steps(template, start + timedelta(days=number))
    lakes = {length: folder / f"after{length}" for length in lengths}
    for length, lake in lakes.items():
        started = time.monotonic()
        GrownLake(template, lake).days(length, last)
        print(f"{length:,} days of logs: {describe(lake)}, made in {time.monotonic() - started:.0f} s", flush=True)
    return lakes


def describe(lake: Path) -> str:
    logs = [*lake.rglob("_delta_log")]
    commits = sum(len([*log.glob("*.json")]) for log in logs)
    files = sum(1 for _ in lake.rglob("*.parquet"))
    return f"{commits:,} commits and {files:,} Parquet files in {len(logs)} tables"


def run_steps(lake: Path, ds: date) -> dict[str, float]:
    """The seconds of each step."""
    settings = load_settings("local", lake=str(lake), landing=str(lake.parent / "landing"))
    run, seconds = Run("bench", datasets.load("transactions"), ds, settings, f"bench {ds}", "bench"), {}
    for step in CHAIN:
        started = time.monotonic()
        run_day(step.job, replace(run, job=step.job.name, options=dict(step.options)), quiet=True)
        seconds[" ".join([step.job.name, *step.options.values()])] = time.monotonic() - started
    return seconds


def count_opened(lake: Path, ds: date) -> Counter[str]:
    with tempfile.NamedTemporaryFile("r") as trace:
        with traced(trace.name):
            run_steps(lake, ds)
        found = (OPENED.search(line) for line in trace)
        paths = [each["path"] for each in found if each]
    inside = [path.removeprefix(f"{lake}/") for path in paths if path.startswith(f"{lake}/")]
    return Counter(map(kind_of, inside))


def kind_of(path: str) -> str:
    """The table or folder, and of which kind the file is."""
    folder, _, name = path.partition("/")
    return f"{folder} {next((ending for ending in ENDINGS if name.endswith(ending)), name.rpartition('/')[2])}"


def java_process() -> int:
    from pyspark import SparkContext

    return int(SparkContext._jvm.java.lang.ProcessHandle.current().pid())


def cpu_seconds() -> float:
    """Of this process, and of the JVM beside it: other programs disturb them less than the clock."""
    fields = Path(f"/proc/{java_process()}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def traced(place: str) -> Iterator[None]:
    """Every file that this process, or the JVM beside it, opens."""
    command = ["strace", "-f", "-qq", "-s", "500", "-e", "trace=open,openat", "-o", place]
    tracer = subprocess.Popen([*command, "-p", str(java_process()), "-p", str(os.getpid())], stderr=subprocess.DEVNULL)
    try:
        wait_until_traced()
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()


def wait_until_traced() -> None:
    status = Path("/proc/self/status")
    while "TracerPid:\t0\n" in status.read_text():
        time.sleep(0.05)


def report(
    seconds: dict[int, list[dict[str, float]]],
    worked: dict[int, list[float]],
    opened: dict[int, Counter[str]],
    traced_days: int,
    kinds: bool,
) -> None:
    shortest = min(seconds)
    names = [*seconds[shortest][0]]
    for length, days in seconds.items():
        medians = {name: statistics.median(day[name] for day in days[WARM:]) for name in names}
        total = statistics.median(sum(day.values()) for day in days[WARM:])
        pairs = zip(days[WARM:], seconds[shortest][WARM:], strict=True)
        ratios = [sum(day.values()) / sum(first.values()) for day, first in pairs]
        middle = statistics.median(ratios)
        print(
            f"after {length:5,} days: {total:5.2f} s, {middle:.2f} ({min(ratios):.2f} to {max(ratios):.2f})  ", end=""
        )
        cpu, least = (statistics.median(worked[each][WARM:]) for each in (length, shortest))
        print(f"CPU {cpu:.2f} s, {cpu / least:.2f}  ", end="")
        print("  ".join(f"{name} {value:.2f}" for name, value in medians.items()), flush=True)
    for length, files in opened.items():
        times = files.total() / opened[shortest].total()
        print(f"after {length:5,} days: {files.total() / traced_days:,.1f} files opened a day, {times:.3f}", flush=True)
        for kind, count in files.most_common(30 if kinds else 0):
            print(
                f"    {count / traced_days:8.1f}  {kind}  (after {shortest} days: {opened[shortest][kind] / traced_days:.1f})"
            )


if __name__ == "__main__":
    main()
