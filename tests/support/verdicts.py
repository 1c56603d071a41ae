"""Verdicts of the gate, without running it."""

from __future__ import annotations

from datetime import date

from common.contracts import suite
from common.lake import delta_log
from common.orchestration import verdicts
from common.orchestration.verdicts import Verdict
from tests.support.running import JobRunner


def keep_verdict(lake: JobRunner, day: date | str, table: str = "processed", success: bool = True) -> None:
    run = lake.plan("validate", str(day))
    uri = run.path(suite.table_of(run.contract, table))
    version = delta_log.version(uri)
    verdict = Verdict(
        ds=run.ds,
        table=table,
        table_id=delta_log.table_id(uri, version),
        version=version,
        success=success,
        rules=1,
        passed=int(success),
        failed=[] if success else ["ARule()"],
        warned=[],
        run_id=run.run_id,
    )
    verdicts.keep(run, verdict)
