"""processed -> partials: one small aggregate row per entity and event date that the arrival of ds touched."""

from __future__ import annotations

from dataclasses import replace

from common.contracts import layout
from common.days import day_range
from common.features import earlier_partials
from common.features.partials import build_partials, take_over
from common.lake.log import data_files
from common.lake.merging.merge import DesiredSlice, converge
from common.orchestration import requirements, stages, staleness
from common.orchestration.cli import run_job
from common.orchestration.job import Job, run_day
from common.runtime.run import Outcome, Run


def main(run: Run) -> Outcome:
    table = layout.partials(run.contract)
    requirements.require_passed(run, "processed")
    earlier = earlier_partials.current_before(run)
    rows, count = take_over(earlier) if earlier else build_partials(run)
    desired = DesiredSlice(table=table, where={"ds": [run.ds]}, desired=rows, size=count)
    counts = {"partials": count}
    taken = {"taken_from": earlier_partials.table_before(run.contract).path} if earlier else {}
    return Outcome.of(counts, [(table, converge(earlier or run, desired, {"counts": counts, **taken}))])


PARTIALS = Job("partials", main, stage=lambda run: stages.PARTIALS)


def bring_up_to_date(run: Run) -> None:
    """Updates the partials of every day in the window that was cleaned since they were made."""
    if not run.contract.features.window_days:
        return
    days = day_range(run.ds, run.contract.features.days_back)
    # The table too, for days whose commits are no longer in the log.
    landed = data_files.periods(run.path(layout.raw(run.contract)), days[0])
    made = staleness.days_made(stages.CLEAN, run, days[0]) | landed
    for day in sorted(made & {*days} - {*run.left_out}):
        run_day(PARTIALS, replace(run, ds=day, full_refresh=run.full_refresh and day == run.ds), quiet=True)


if __name__ == "__main__":
    run_job(PARTIALS)
