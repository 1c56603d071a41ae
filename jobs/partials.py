"""processed -> partials: one small aggregate row per entity and event date that the arrival of ds touched."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from common.contracts import layout
from common.days import day_range
from common.features import build
from common.features.partials import build_partials
from common.lake import delta_log
from common.lake.commit_metadata import source_versions
from common.lake.merge import DesiredSlice, converge
from common.orchestration import run_log
from common.orchestration.cli import run_job
from common.orchestration.job import Job, Watch, run_day
from common.runtime.run import Outcome, Run


def main(run: Run) -> Outcome:
    table = layout.partials(run.contract)
    rows, count = build_partials(run)
    desired = DesiredSlice(table=table, where={"ds": [run.ds]}, desired=rows, size=count)
    change = converge(run, desired, {"sources": source_versions(run, build.source_tables(run.contract))})
    return Outcome.of({"partials_changed": change.rows}, [(table, change)])


PARTIALS = Job(
    "partials",
    main,
    watches=lambda run: (
        [
            Watch(table, lambda day: day in day_range(run.ds, run.contract.lateness_days))
            for table in build.source_tables(run.contract)
        ]
        + [Watch(layout.partials(run.contract), lambda day: False)]
    ),
)


def _arrived(run: Run) -> set[date]:
    """Read from the table, because the run log may be lost."""
    return {date.fromisoformat(file.partition["ds"]) for file in delta_log.files(run.path(layout.raw(run.contract)))}


def bring_up_to_date(run: Run) -> None:
    """Updates the partials of every day in the window that was cleaned since they were made."""
    window = run.contract.features.window_days
    if not window:
        return
    cleaned = set(run_log.days_run(run.settings.lake, run.contract.name, "clean")) | _arrived(run)
    for day in day_range(run.ds, window - 1):
        if day in cleaned:
            run_day(PARTIALS, replace(run, ds=day, full_refresh=run.full_refresh and day == run.ds), quiet=True)


if __name__ == "__main__":
    run_job(PARTIALS)
