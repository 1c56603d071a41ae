"""What a step needs of the steps before: that they ran, and that the gate did not refuse what they made."""

from __future__ import annotations

from common.contracts.layout import STAGES, Table
from common.errors import ContractViolationError, SourceMissingError
from common.lake import delta_log
from common.lake.delta_log import TableLog
from common.orchestration import stages, staleness, verdicts
from common.orchestration.verdicts import Verdict
from common.runtime.run import Run
from common.runtime.submit_command import spark_submit

MADE_BY = {"raw": stages.INGEST, "processed": stages.CLEAN, "features": stages.FEATURES}


def require_made(run: Run, name: str) -> None:
    """Raises unless the step before has run: a day that it never saw looks like an empty one."""
    job, _ = STAGES[name]
    if staleness.state_of(MADE_BY[name], run) is None and not _has_rows(run, name):
        dataset = run.contract.name
        raise SourceMissingError(
            f"{job} has not run for {dataset} of {run.ds}; run: {spark_submit(job, dataset, run.ds)}"
        )


def _has_rows(run: Run, name: str) -> bool:
    """Whether the table may hold rows of the day, for one whose commit is no longer in the log."""
    table = STAGES[name][1](run.contract)
    if name == "processed":
        return any(
            file.covers("arrived", str(run.ds)) for file in delta_log.files(run.path(table), event_date=[str(run.ds)])
        )
    return bool(delta_log.files(run.path(table), ds=[str(run.ds)]))


def require_usable(run: Run, name: str) -> None:
    """Raises unless the day was made, has every column of the contract, and did not fail its validation."""
    require_made(run, name)
    job, layout = STAGES[name]
    table = layout(run.contract)
    _require_columns(run, job, table)
    _require_not_refused(run, name)


def _require_columns(run: Run, job: str, table: Table) -> None:
    stored = delta_log.columns(run.path(table))
    lacking = [column for column in table.names if column not in stored] if stored else []
    if lacking:
        raise ContractViolationError(
            f"{table.path} lacks {', '.join(lacking)}, which the contract has; run: "
            f"{spark_submit(job, run.contract.name, run.ds)}"
        )


def _require_not_refused(run: Run, name: str) -> None:
    verdict = verdicts.read(run, name, [run.ds]).get(run.ds)
    if verdict is None or verdict.success or not stands(run, name, verdict):
        return
    dataset = run.contract.name
    raise ContractViolationError(
        f"{name} of {dataset} {run.ds} failed its validation ({', '.join(verdict.failed[:3])}), so nothing may be made of it. "
        f"Fix the source and run the day again; if only the contract was fixed, run first: "
        f"{spark_submit('validate', dataset, run.ds, table=name)}"
    )


def stands(run: Run, name: str, verdict: Verdict) -> bool:
    """Whether the day's rows in the table are still those that the verdict is about."""
    table = STAGES[name][1](run.contract)
    uri = run.path(table)
    newest = delta_log.version(uri)
    if verdict.table_id != delta_log.table_id(uri, newest):
        return False
    commits = TableLog(uri).between(verdict.version, newest)
    return commits is not None and not any(staleness.changes(commit, run.ds) for commit in commits)
