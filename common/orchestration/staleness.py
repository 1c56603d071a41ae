"""What a day needs before it can be computed, and which computed days a change makes stale."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from common.contracts.layout import STAGES, Table
from common.errors import ContractViolationError, SourceMissingError
from common.lake import delta_log
from common.lake.files import read_json
from common.orchestration import run_log
from common.orchestration.job import rewritten_since
from common.runtime.run import Change, Run
from common.runtime.submit_command import spark_submit


def require_made(run: Run, name: str) -> None:
    """Raises unless the step before has run: a day that it never saw looks like an empty one."""
    job, layout = STAGES[name]
    table = layout(run.contract)
    # The record of a run that made another feature version does not name this table.
    if table.path in run_log.load_other(run, job, run.ds).depends:
        return
    if delta_log.files(run.path(table), **{table.partition[0]: [str(run.ds)]}):
        return
    dataset = run.contract.name
    raise SourceMissingError(f"{job} has not run for {dataset} of {run.ds}; run: {spark_submit(job, dataset, run.ds)}")


def require_usable(run: Run, name: str) -> None:
    """Raises unless the day was made, has every column of the contract, and did not fail its validation."""
    require_made(run, name)
    job, layout = STAGES[name]
    table = layout(run.contract)
    _require_columns(run, job, table)
    _require_not_refused(run, name, table)


def _require_columns(run: Run, job: str, table: Table) -> None:
    stored = delta_log.columns(run.path(table))
    lacking = [column for column in table.names if column not in stored] if stored else []
    if lacking:
        raise ContractViolationError(
            f"{table.path} lacks {', '.join(lacking)}, which the contract has; run: "
            f"{spark_submit(job, run.contract.name, run.ds)}"
        )


def _require_not_refused(run: Run, name: str, table: Table) -> None:
    dataset = run.contract.name
    verdict = read_json(run_log.results_place(run.settings.lake, dataset, name, run.ds)) or {}
    # A verdict without a version says nothing about the rows that are there now.
    if verdict.get("success", True) or "version" not in verdict:
        return
    if rewritten_since(run, table, verdict["version"], verdict["run_id"]):
        return
    failed = [result["expectation"] for result in verdict["results"] if not result["success"]]
    raise ContractViolationError(
        f"{name} of {dataset} {run.ds} failed its validation ({', '.join(failed[:3])}), so nothing may be made of it. "
        f"Fix the source and run the day again; if only the contract was fixed, run first: "
        f"{spark_submit('validate', dataset, run.ds, table=name)}"
    )


def features_after(run: Run, changes: Iterable[Change]) -> list[date]:
    """The computed feature days, from ds on, whose window holds an event date that changed."""
    changed = [partition["event_date"] for change in changes for partition in change.partitions]
    if not changed:
        return []
    last = max(changed) + timedelta(days=max(0, run.contract.features.window_days - 1))
    computed = run_log.days_run(run.settings.lake, run.contract.name, "features")
    return [day for day in computed if run.ds <= day <= max(last, run.ds)]
