"""Runs jobs in the tests' Spark session."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import Any, Self

from common.contracts import datasets
from common.contracts.contract import Column, Contract
from common.days import from_text
from common.orchestration.admission import left_out
from common.orchestration.changes import Logs
from common.orchestration.job import Job, Line, run_day
from common.runtime.code_version import day_fingerprint
from common.runtime.run import Run
from common.runtime.settings import load_settings
from jobs.clean import CLEAN
from jobs.compact import COMPACT
from jobs.features import FEATURES
from jobs.ingest import INGEST
from jobs.publish import PUBLISH
from jobs.validate import VALIDATE
from tests.support.folders import Folders
from tests.support.verdicts import keep_verdict


@dataclass
class JobRunner(Folders):
    contract_changes: dict[str, Any] = field(default_factory=dict)

    def with_contract(self, **changes: Any) -> Self:
        """The same lake, read and written under a changed contract."""
        return replace(self, contract_changes=changes)

    @property
    def contract(self) -> Contract:
        return replace(datasets.load(self.dataset).contract, **self.contract_changes)

    def columns(self, name: str, **changes: Any) -> tuple[Column, ...]:
        """The contract's columns, with changes to one of them."""
        return tuple(replace(column, **changes) if column.name == name else column for column in self.contract.columns)

    def plan(self, job: str, ds: str, **options: Any) -> Run:
        settings = load_settings("local", lake=str(self.lake_folder), landing=str(self.landing))
        settings = settings.model_copy(update={"lock_wait_seconds": 0.2, "online": self.online})
        full_refresh = options.pop("full_refresh", False)
        dataset = replace(datasets.load(self.dataset), contract=self.contract)
        code = options.pop("code", f"{day_fingerprint(dataset)} {self.contract_changes or ''}".strip())
        return Run(job, dataset, from_text(ds), settings, f"run of {job} {ds}", code, full_refresh, options)

    def run(self, job: Job, ds: str, **options: Any) -> Line:
        run = self.plan(job.name, ds, **options)
        return run_day(job, replace(run, run_id=f"{run.run_id} {uuid.uuid4().hex[:8]}"))

    def ingest(self, ds: str, **options: Any) -> Line:
        return self.run(INGEST, ds, **options)

    def clean(self, ds: str, **options: Any) -> Line:
        """Cleans the day, and takes it for validated: the tests of the gate run CLEAN and validate themselves."""
        line = self.run(CLEAN, ds, **options)
        if line["outcome"] != "closed" and left_out([from_text(ds)], Logs(self.plan("look", ds))):
            keep_verdict(self, ds)
        return line

    def features(self, ds: str, **options: Any) -> Line:
        return self.run(FEATURES, ds, **options)

    def compact(self, ds: str, **options: Any) -> Line:
        return self.run(COMPACT, ds, **options)

    def validate(self, ds: str, table: str = "processed") -> Line:
        return self.run(VALIDATE, ds, table=table)

    def publish(self, ds: str) -> Line:
        """Validates the day's features and publishes them."""
        self.validate(ds, "features")
        return self.run(PUBLISH, ds)

    def day(self, ds: str) -> dict[str, Line]:
        """Runs a day from landing to features."""
        return {"ingest": self.ingest(ds), "clean": self.clean(ds), "features": self.features(ds)}
