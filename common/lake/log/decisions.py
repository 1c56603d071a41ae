"""Delta refuses our commit if another writer has committed since we read the rows that it depends on.

Each commit of a decision raises the number of a Delta transaction. Spark skips a transaction whose number is not higher than
the last one, and Delta refuses one that meets another in the same moment, wherever the other writer runs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from deltalake import CommitProperties, DeltaTable, Transaction

from common.contracts.layout import Table
from common.errors import PipelineError
from common.lake.log import delta_log, open_tables
from common.lake.log.commit_metadata import arrow_commit, commit_without_rows
from common.lake.log.delta_log import Commit, TableLog

if TYPE_CHECKING:
    from common.runtime.run import Run

APP = "spark.databricks.delta.write.txnAppId"
NUMBER = "spark.databricks.delta.write.txnVersion"


class DecidedMeanwhileError(PipelineError):
    """Another writer committed rows that the decision had read."""


@dataclass
class Decision:
    """Take it before reading the rows that the decision depends on."""

    uri: str
    app: str
    version: int
    table_id: str
    number: int
    committed: bool = False  # whether the run has raised the number

    @property
    def books(self) -> dict[str, str]:
        return {"decision": f"{self.app} {self.number + 1}"}

    @contextmanager
    def commit(self, run: Run) -> Iterator[None]:
        """For one commit that this run's Spark session makes; raises if it was skipped."""
        run.spark.conf.set(APP, self.app)
        run.spark.conf.set(NUMBER, str(self.number + 1))
        try:
            yield
        finally:
            run.spark.conf.unset(APP)
            run.spark.conf.unset(NUMBER)
        self.require_committed(run)

    def opened(self) -> DeltaTable:
        """The table, for a commit that `deltalake` makes; raises if somebody has decided since, or changed it from outside.

        deltalake refuses a transaction that meets another, but not one whose number is too low.
        """
        table = delta_log.open_table(self.uri)
        if table is None or number_of(table, self.app) != self.number:
            raise self._overtaken()
        another = self.table_id not in ("", str(table.metadata().id))  # without an id, there was no table yet
        if another or not all(commit.ours for commit in self._since()):
            raise self._overtaken()
        return table

    def in_properties(self, commit: CommitProperties) -> CommitProperties:
        """The same for one commit of `deltalake` to the table that was `opened`."""
        number = Transaction(self.app, self.number + 1, int(time.time() * 1000))
        return CommitProperties(commit.custom_metadata, app_transactions=[number])

    def claim(self, run: Run) -> None:
        """Raise the number in a commit without rows, unless the run has raised it: who decided before can't commit any more."""
        if self.committed:
            return
        table = self.opened()
        commit = self.in_properties(arrow_commit(run, {**self.books, "touched": []}))
        commit_without_rows(table, commit)
        open_tables.give_back(self.uri, table)
        self.require_committed(run)

    def require_committed(self, run: Run) -> int:
        """Return the version that the commit made; raise if it made none, or if another run was quicker."""
        for commit in self._since():
            if commit.books.get("run_id") == run.run_id and commit.books.get("decision") == self.books["decision"]:
                self.number += 1
                self.committed = True
                return commit.version
        raise self._overtaken()

    def _since(self) -> Iterator[Commit]:
        return takewhile(lambda commit: commit.version > self.version, TableLog(self.uri))

    def _overtaken(self) -> DecidedMeanwhileError:
        return DecidedMeanwhileError(
            f"{self.uri}: another run has changed rows that this one had read, so this one committed nothing; expected no other "
            "writer of these days. Run it again."
        )


def decide(run: Run, table: Table, scope: str) -> Decision:
    """`scope` names the part of the table that the decision reads: decisions about other parts never conflict with it."""
    uri, app = run.path(table), f"decisions on {scope}"
    with delta_log.reading(uri) as stored:
        if stored is None:
            return Decision(uri, app, delta_log.NO_TABLE, "", 0)
        return Decision(uri, app, stored.version(), str(stored.metadata().id), number_of(stored, app))


def number_of(table: DeltaTable, app: str) -> int:
    """The number of the last transaction of an application on the table; 0 if there is none."""
    return table.transaction_version(app) or 0
