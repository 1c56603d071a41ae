"""A decision and its commit are one: Delta refuses the commit if somebody else has decided since.

Each commit of a decision raises the number of a Delta transaction. Delta skips a transaction whose number is not higher than
the last one, and fails one that meets another in the same moment, wherever the other writer runs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deltalake import CommitProperties, DeltaTable, Transaction

from common.contracts.layout import Table
from common.errors import PipelineError
from common.lake import delta_log
from common.lake.delta_log import TableLog

if TYPE_CHECKING:
    from common.runtime.run import Run

APP = "spark.databricks.delta.write.txnAppId"
NUMBER = "spark.databricks.delta.write.txnVersion"


class DecidedMeanwhileError(PipelineError):
    """Another writer committed what the decision had looked at."""


@dataclass
class Decision:
    """Take it before the rows are read that the decision looks at."""

    uri: str
    app: str
    version: int
    number: int

    @property
    def books(self) -> dict[str, str]:
        return {"decision": f"{self.app} {self.number + 1}"}

    @contextmanager
    def commit(self, run: Run) -> Iterator[None]:
        """For one commit of this run; raises if Delta skipped it."""
        run.spark.conf.set(APP, self.app)
        run.spark.conf.set(NUMBER, str(self.number + 1))
        try:
            yield
        finally:
            run.spark.conf.unset(APP)
            run.spark.conf.unset(NUMBER)
        self._require_committed(run)
        self.number += 1

    def opened(self) -> DeltaTable:
        """The table, for a commit that `deltalake` makes; raises if somebody has decided since.

        deltalake refuses a transaction that meets another, but not one whose number is too low.
        """
        table = delta_log.open_table(self.uri)
        if table is None or (table.transaction_version(self.app) or 0) != self.number:
            raise self._overtaken()
        return table

    def in_properties(self, commit: CommitProperties) -> CommitProperties:
        """The same for one commit of `deltalake` to the table that was `opened`."""
        number = Transaction(self.app, self.number + 1, int(time.time() * 1000))
        return CommitProperties(commit.custom_metadata, app_transactions=[number])

    def _require_committed(self, run: Run) -> None:
        for commit in TableLog(self.uri):
            if commit.version <= self.version:
                break
            if commit.books.get("run_id") == run.run_id and commit.books.get("decision") == self.books["decision"]:
                return
        raise self._overtaken()

    def _overtaken(self) -> DecidedMeanwhileError:
        return DecidedMeanwhileError(
            f"{self.uri}: another run has changed what this one had looked at, so it committed nothing; expected no other "
            "writer of these days. Run it again."
        )


def decide(run: Run, table: Table, scope: str) -> Decision:
    """`scope` names what the decision looks at within the table: decisions of other scopes never meet it."""
    uri = run.path(table)
    return Decision(
        uri, f"decisions on {scope}", delta_log.version(uri), delta_log.transaction(uri, f"decisions on {scope}")
    )
