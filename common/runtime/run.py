"""One job on one day of one dataset: what it was asked to do, and its outcome."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

from common.contracts.layout import Table
from common.days import as_stored
from common.runtime.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import Column, SparkSession

    from common.contracts.contract import Contract
    from common.contracts.datasets import Dataset


@dataclass
class Change:
    """What converging a slice did: nothing, or one new version."""

    version: int = -1
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    partitions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.inserted + self.updated + self.deleted


@dataclass
class Outcome:
    """`outcome` is done, nothing (all was up to date), empty (the source had no rows) or closed (none were expected)."""

    outcome: str = "done"
    counts: dict[str, int] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, counts: dict[str, int], changes: Iterable[tuple[Table, Change]], **facts: Any) -> Outcome:
        """Done if any change wrote a version, else nothing."""
        written = {table.path: change.version for table, change in changes if change.version >= 0}
        return cls("done" if written else "nothing", dict(counts), written, facts)


@dataclass(frozen=True)
class Run:
    job: str
    dataset: Dataset
    ds: date
    settings: Settings
    run_id: str
    code: str
    full_refresh: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    at: dict[str, int] = field(default_factory=dict)  # versions of source tables to read, by path
    ids: dict[str, str] = field(default_factory=dict)  # the ids of those tables
    left_out: tuple[
        date, ...
    ] = ()  # days whose arrivals the gate has not passed: the run reads as if they had not come
    source: str = ""  # a fingerprint of what the job reads besides tables
    rows_code: str = ""  # the fingerprint of the code without the feature columns; empty if it is not known
    renews: bool = False  # the day is not up to date, so its books are committed even if no row changes

    @classmethod
    def asking(cls, dataset: Dataset, ds: date, settings: Settings, code: str = "", rows_code: str = "") -> Run:
        """A run that only reads tables and commits nothing."""
        return cls("ask", dataset, ds, settings, run_id="", code=code, rows_code=rows_code)

    @property
    def versions_read(self) -> dict[str, int]:
        """The fixed version of each source table that there is."""
        return {path: version for path, version in self.at.items() if version >= 0}

    @property
    def contract(self) -> Contract:
        return self.dataset.contract

    @cached_property
    def spark(self) -> SparkSession:
        """Starts on first use: a run with nothing to do never pays for Spark. Its data counts as small until it reads more."""
        from common.runtime.plan_size import begin_small
        from common.runtime.session import open_session

        session = open_session(self.settings, self._app)
        begin_small(session)
        return session

    def begin_spark(self) -> None:
        from common.runtime.session import begin_session

        begin_session(self.settings, self._app)

    @property
    def _app(self) -> str:
        return f"{self.job} {self.contract.name}"

    def path(self, table: Table) -> str:
        return f"{self.settings.lake}/{table.path}"

    @property
    def refusals(self) -> dict[str, list[date | str]]:
        """The slice of quarantine that belongs to this run."""
        return {"ds": [self.ds], "job": [self.job]}

    @property
    def refused_by(self) -> dict[str, Column]:
        """The columns of a quarantined row that name the run that refused it."""
        from pyspark.sql import functions as F

        return {"ds": F.lit(as_stored(self.ds)), "job": F.lit(self.job), "run_id": F.lit(self.run_id)}

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        return logging.LoggerAdapter(
            logging.getLogger("pipeline"), {"job": self.job, "dataset": self.contract.name, "ds": str(self.ds)}
        )
