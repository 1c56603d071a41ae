"""Verdicts of the gate, without running it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from common.contracts import suite
from common.orchestration import verdicts
from common.orchestration.changes import Logs
from common.orchestration.verdicts import Verdict

if TYPE_CHECKING:
    from tests.support.running import JobRunner


def keep_verdict(lake: JobRunner, day: date | str, table: str = "processed", success: bool = True) -> None:
    run = replace(lake.plan("validate", str(day)), renews=True)
    table_id, version = Logs(run).now(suite.table_of(run.contract, table))
    verdict = Verdict(
        ds=run.ds,
        table=table,
        table_id=table_id,
        version=version,
        success=success,
        rules=1,
        passed=int(success),
        failed=[] if success else ["ARule()"],
        warned=[],
        run_id=run.run_id,
    )
    verdicts.keep(run, verdict)
