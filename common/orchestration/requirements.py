"""What a step needs from the steps before: that they ran, and that the gate did not refuse their rows."""

from __future__ import annotations

from common.contracts.changes import event_dates
from common.contracts.layout import STAGES, Table
from common.errors import ContractViolationError, SourceMissingError
from common.lake.log import data_files
from common.lake.log.delta_log import TableLog
from common.orchestration import admission, stages, staleness, verdicts
from common.orchestration.changes import Logs
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
    """Whether the table may hold rows of the day, though its log has no commit of ours that says so."""
    table = STAGES[name][1](run.contract)
    log = TableLog(run.path(table))
    if log.whole and all(commit.ours for commit in log):
        return False
    if name == "processed":
        dates = [str(day) for day in event_dates(run.contract, run.ds)]
        return any(file.covers("arrived", str(run.ds)) for file in data_files.files(run.path(table), event_date=dates))
    return bool(data_files.files(run.path(table), ds=[str(run.ds)]))


def require_usable(run: Run, name: str) -> Verdict | None:
    """Raises unless the day was made, has every column of the contract, and did not fail its validation, if it had any."""
    require_made(run, name)
    job, layout = STAGES[name]
    _require_columns(run, job, layout(run.contract))
    verdict = _standing_verdict(run, name)
    if verdict and not verdict.success:
        raise _refused(run, name, verdict)
    return verdict


def require_passed(run: Run, name: str) -> Verdict:
    """The gate's verdict on the day's rows as they are; raises unless it has passed them."""
    verdict = require_usable(run, name)
    if verdict is None:
        raise SourceMissingError(
            f"{name} of {run.contract.name} {run.ds}: the rows have not been validated since they were last written; "
            f"run: {_validate(run, name)}"
        )
    return verdict


def _require_columns(run: Run, job: str, table: Table) -> None:
    stored = data_files.columns(run.path(table))
    lacking = [column for column in table.names if column not in stored] if stored else []
    if lacking:
        raise ContractViolationError(
            f"{table.path} lacks {', '.join(lacking)}, which the contract has; run: "
            f"{spark_submit(job, run.contract.name, run.ds)}"
        )


def _standing_verdict(run: Run, name: str) -> Verdict | None:
    verdict = verdicts.read(run, name, [run.ds]).get(run.ds)
    return verdict if verdict and admission.stands(name, verdict, Logs(run)) else None


def _refused(run: Run, name: str, verdict: Verdict) -> ContractViolationError:
    return ContractViolationError(
        f"{name} of {run.contract.name} {run.ds} failed its validation ({', '.join(verdict.failed[:3])}), so later steps "
        "do not read it, and readers keep the last published version. Fix the source and run the day again; if only the "
        f"contract changed, run first: {_validate(run, name)}"
    )


def _validate(run: Run, name: str) -> str:
    return spark_submit("validate", run.contract.name, run.ds, table=name)
