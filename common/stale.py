"""Which computed days a change reaches."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from common import history, layout, runs
from common.errors import NothingThere
from common.run import Run
from common.tables import Change


def insist_ran(run: Run, job: str) -> None:
    """A day that the job before has never seen can't be told from an empty one."""
    if run.ds not in runs.days(run.settings.lake, run.contract.name, job) and not _has_raw(run):
        raise NothingThere(
            f"{run.contract.name} of {run.ds} has not been ingested; run: "
            f"spark-submit jobs/ingest.py --dataset {run.contract.name} --ds {run.ds}"
        )


def _has_raw(run: Run) -> bool:
    return bool(history.files(run.path(layout.raw(run.contract)), ds=[str(run.ds)]))


def features_after(run: Run, changes: Iterable[Change]) -> list[date]:
    """The computed feature days from ds on whose window holds an event date that has changed."""
    changed = [each["event_date"] for change in changes for each in change.partitions]
    if not changed:
        return []
    last = max(changed) + timedelta(days=max(0, run.contract.features.window_days - 1))
    computed = runs.days(run.settings.lake, run.contract.name, "features")
    return [day for day in computed if run.ds <= day <= max(last, run.ds)]
