"""What metrics and lineage cost a run, and what a receiver that is dead or silent adds: `python -m tests.benchmarks.telemetry`.

A run of a chain's day commits to one to three tables; here it is three, each of which has a thousand commits already.
"""

from __future__ import annotations

import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from common.contracts import layout
from common.runtime.settings import Telemetry
from common.telemetry import receivers
from common.telemetry.report import Report
from tests.support.ports import free_port
from tests.support.receivers import listening, silent, web
from tests.support.told import Told, writing

TABLES = (layout.features, layout.partials, layout.quarantine)
COMMITS, RUNS, FIRST = 1_000, 15, date(2026, 1, 5)


def main(root: Path) -> None:
    told = Told(root)
    writing(*TABLES)(told.plan("features", str(FIRST)))
    for log in root.rglob("_delta_log"):
        _grow(log)
    print(f"after {COMMITS:,} commits to each of {len(TABLES)} tables, the median of {RUNS} runs:")
    with web() as alive, listening(silent) as port:
        for name, address in {
            "files alone": "",
            "and three receivers": f"http://127.0.0.1:{alive.port}",
            "receivers that are down": f"http://127.0.0.1:{free_port()}",
            "receivers that never answer": f"http://127.0.0.1:{port}",
        }.items():
            told.telemetry = (
                Telemetry(**dict.fromkeys(("pushgateway", "otlp", "openlineage"), address)) if address else Telemetry()
            )
            found = [_run(told, str(FIRST + timedelta(days=number))) for number in range(RUNS)]
            reports, waits = (statistics.median(times) for times in zip(*found, strict=True))
            print(f"  {name}: {reports:.3f} s in the run, {waits:.3f} s at the process's end")


def _grow(log: Path) -> None:
    said = {"job": "features", "dataset": "transactions", "ds": "2025-01-01", "run_id": "earlier"}
    for version in range(1, COMMITS):
        info = {"timestamp": version, "operation": "WRITE", "userMetadata": json.dumps(said)}
        (log / f"{version:020}.json").write_text(json.dumps({"commitInfo": info}) + "\n")
    DeltaTable(str(log.parent)).create_checkpoint()


def _run(told: Told, ds: str) -> tuple[float, float]:
    """Seconds of both reports, and of the wait for receivers."""
    run = told.plan("features", ds)
    begun, telling = _timed(lambda: Report(run).start())
    outcome = writing(*TABLES, features=300, rows_in=300)(run)
    line = {"job": "features", "dataset": told.dataset, "ds": ds, "outcome": "done", "stale": []}
    line |= {"counts": outcome.counts, "written": outcome.written, "read": {"processed/transactions": 4}}
    ended, _ = _timed(lambda: telling.finished(line, names_stale=True))
    waited, _ = _timed(receivers.flush)
    return begun + ended, waited


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    done = work()
    return time.perf_counter() - start, done


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))
