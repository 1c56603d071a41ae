"""Runs stub jobs without Spark, and reads what they tell: metrics and lineage events."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from common.contracts import datasets
from common.contracts.layout import Table
from common.lake.log import delta_log
from common.lake.log.commit_metadata import arrow_commit
from common.orchestration.job import Job, Line, run_day
from common.runtime.run import Outcome, Run
from common.runtime.settings import Telemetry, load_settings
from common.telemetry import metric_files
from common.telemetry.metrics import MetricSample
from common.telemetry.report import Report

Main = Callable[[Run], Outcome]


def done(**counts: int) -> Main:
    return lambda run: Outcome("done", counts)


def failing(error: Exception) -> Main:
    def main(run: Run) -> Outcome:
        raise error

    return main


def writing(*tables: Callable[[Any], Table], times: int = 1, **counts: int) -> Main:
    """Appends a row to each table, signed as a run of the job signs its commits."""

    def main(run: Run) -> Outcome:
        written = {}
        for table in (make(run.contract) for make in tables):
            for _ in range(times):
                rows = pa.table({"number": [1]})
                write_deltalake(run.path(table), rows, mode="append", commit_properties=arrow_commit(run))
            written[table.path] = delta_log.version(run.path(table))
        return Outcome("done", counts, written)

    return main


@dataclass
class Told:
    root: Path
    dataset: str = "transactions"
    telemetry: Telemetry = field(default_factory=Telemetry)

    def plan(self, step: str, ds: str) -> Run:
        settings = load_settings("local", lake=str(self.root / "lake"), landing=str(self.root / "landing"))
        settings = settings.model_copy(update={"telemetry": self.telemetry})
        job, _, table = step.partition("-")
        options = {"table": table} if table else {}
        dataset = datasets.load(self.dataset)
        return Run(job, dataset, date.fromisoformat(ds), settings, uuid.uuid4().hex, "code", options=options)

    def run(self, step: str, ds: str, main: Main) -> Line | None:
        """The job's line; None if it failed."""
        run = self.plan(step, ds)
        try:
            return run_day(Job(run.job, main), run)
        except Exception:
            return None

    def says_stale(self, ds: str, *days: str) -> None:
        """As if a run of features had found that these days are out of date."""
        run = replace(self.plan("features", ds), job="features")
        line = {"job": "features", "dataset": self.dataset, "ds": ds, "outcome": "done", "stale": list(days)}
        Report(run).finished(line, names_stale=True)

    def samples(self, name: str, step: str = "*") -> list[MetricSample]:
        found = (self.root / "lake" / "metrics").glob(f"{self.dataset}.{step}.prom")
        every = [sample for path in sorted(found) for sample in metric_files.parse(path.read_text())]
        return [sample for sample in every if sample.name == name]

    def value(self, name: str, step: str, **labels: str) -> float | None:
        wanted = labels.items()
        found = [each.value for each in self.samples(name, step) if wanted <= dict(each.labels).items()]
        return found[0] if found else None

    def events(self, step: str, ds: str) -> list[dict[str, Any]]:
        path = self.root / "lake" / "lineage" / self.dataset / step / f"{ds}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
