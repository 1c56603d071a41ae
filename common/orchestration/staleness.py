"""What a day needs before it can be computed, and which computed days a change reaches."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from common.contracts.layout import STAGES
from common.errors import ContractBroken, NothingThere
from common.lake import delta_log
from common.lake.files import read_json
from common.lake.merge import Change
from common.orchestration import run_log
from common.orchestration.job import Watch, moved
from common.runtime.run import Run


def insist_made(run: Run, name: str) -> None:
    """A day that the step before has never seen can't be told from an empty one."""
    job, layout = STAGES[name]
    table = layout(run.contract)
    # A run that made another feature version of the day says nothing of this one.
    if table.path in run_log.load_of(run, job, run.ds).depends:
        return
    if delta_log.files(run.path(table), **{table.partition[0]: [str(run.ds)]}):
        return
    raise NothingThere(
        f"{job} has not run for {run.contract.name} of {run.ds}; run: "
        f"spark-submit jobs/{job}.py --dataset {run.contract.name} --ds {run.ds}"
    )


def insist_fit(run: Run, name: str) -> None:
    """What a job reads was made, has the columns that the contract has by now, and was not refused as it is."""
    insist_made(run, name)
    job, layout = STAGES[name]
    table, dataset = layout(run.contract), run.contract.name
    stored = delta_log.columns(run.path(table))
    lacking = [column for column in table.names if column not in stored] if stored else []
    if lacking:
        raise ContractBroken(
            f"{table.path} lacks {', '.join(lacking)}, which the contract has; run: "
            f"spark-submit jobs/{job}.py --dataset {dataset} --ds {run.ds}"
        )
    verdict = read_json(run_log.results_place(run.settings.lake, dataset, name, run.ds)) or {}
    # Verdicts say of which version they are; without that, nothing is known of these rows.
    if verdict.get("success", True) or "version" not in verdict:
        return
    judged = run_log.Record(line={"run_id": verdict["run_id"]}, depends={table.path: verdict["version"]})
    if not moved(run, Watch(table, lambda day: day == run.ds), judged):
        failed = [each["expectation"] for each in verdict["results"] if not each["success"]]
        raise ContractBroken(
            f"{name} of {dataset} {run.ds} failed its validation ({', '.join(failed[:3])}), and nothing may be made of it. "
            f"Mend the source and run the day again; where only the contract was mended, run first: "
            f"spark-submit jobs/validate.py --dataset {dataset} --ds {run.ds} --table {name}"
        )


def features_after(run: Run, changes: Iterable[Change]) -> list[date]:
    """The computed feature days from ds on whose window holds an event date that has changed."""
    changed = [each["event_date"] for change in changes for each in change.partitions]
    if not changed:
        return []
    last = max(changed) + timedelta(days=max(0, run.contract.features.window_days - 1))
    computed = run_log.days(run.settings.lake, run.contract.name, "features")
    return [day for day in computed if run.ds <= day <= max(last, run.ds)]
