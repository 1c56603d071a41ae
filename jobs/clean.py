"""raw -> processed: types rows, drops duplicates, and files each under its event date; refused rows go to quarantine."""

from __future__ import annotations

from common.clean.commits import commit_day
from common.clean.typed_day import type_day
from common.contracts import layout
from common.days import day_range
from common.lake import spark_tables
from common.lake.locks import committing
from common.orchestration import staleness
from common.orchestration.cli import run_job
from common.orchestration.job import Job, Watch
from common.runtime.run import Outcome, Run


def main(run: Run) -> Outcome:
    processed = layout.processed(run.contract)
    staleness.require_usable(run, "raw")
    spark_tables.add_new_columns(run, processed)
    day = type_day(run)
    with committing(run.settings.lake, processed.path):
        cleaned = spark_tables.retry_on_conflict(lambda: commit_day(run, day))
    if without := cleaned.counts.get("without_entity"):
        run.log.warning("%d rows have no %s: no feature counts them", without, run.contract.features.entity)
    changed_features = staleness.features_after(run, [change for _, change in cleaned.settled])
    return Outcome.of(cleaned.counts, cleaned.changes, {*changed_features, *cleaned.later_arrivals})


CLEAN = Job(
    "clean",
    main,
    on_spark=True,
    watches=lambda run: [
        Watch(layout.raw(run.contract), lambda day: day == run.ds),
        # An earlier day that runs later may turn one of this day's records into a duplicate.
        Watch(layout.processed(run.contract), lambda day: day in day_range(run.ds, run.contract.lateness_days)[:-1]),
        Watch(layout.quarantine(run.contract), lambda day: False),
    ],
)

if __name__ == "__main__":
    run_job(CLEAN)
