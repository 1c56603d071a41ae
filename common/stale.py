"""Which computed days a change reaches."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from common import history, runs
from common.converge import Change
from common.errors import NothingThere
from common.layout import STAGES
from common.run import Run


def insist_made(run: Run, name: str) -> None:
    """A day that the step before has never seen can't be told from an empty one."""
    job, layout = STAGES[name]
    table = layout(run.contract)
    # A run that made another feature version of the day says nothing of this one.
    if table.path in runs.load_of(run, job, run.ds).depends:
        return
    if history.files(run.path(table), **{table.partition[0]: [str(run.ds)]}):
        return
    raise NothingThere(
        f"{job} has not run for {run.contract.name} of {run.ds}; run: "
        f"spark-submit jobs/{job}.py --dataset {run.contract.name} --ds {run.ds}"
    )


def features_after(run: Run, changes: Iterable[Change]) -> list[date]:
    """The computed feature days from ds on whose window holds an event date that has changed."""
    changed = [each["event_date"] for change in changes for each in change.partitions]
    if not changed:
        return []
    last = max(changed) + timedelta(days=max(0, run.contract.features.window_days - 1))
    computed = runs.days(run.settings.lake, run.contract.name, "features")
    return [day for day in computed if run.ds <= day <= max(last, run.ds)]
