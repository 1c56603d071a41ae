"""processed -> partials: one small aggregate row per entity and event date that the arrival of ds touched."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from pyspark.sql import Observation
from pyspark.sql import functions as F

from common.contracts import layout
from common.days import day_range
from common.errors import UnbalancedBooksError
from common.features import build
from common.features.partials import arrived_partials
from common.lake import delta_log, spark_tables
from common.lake.commit_metadata import source_versions
from common.lake.merge import DesiredSlice, converge
from common.orchestration import run_log
from common.orchestration.cli import run_job
from common.orchestration.job import Job, Watch, run_day
from common.runtime.run import Outcome, Run


def main(run: Run) -> Outcome:
    table, seen = layout.partials(run.contract), list[Observation]()
    rows, made = spark_tables.materialize(
        arrived_partials(run, seen), partials=F.count(F.lit(1)), events=spark_tables.sum_or_zero("events")
    )
    events = sum(each.get["events"] for each in seen)
    if made["events"] != events:
        raise UnbalancedBooksError(
            f"{events} events went into the partials of {run.ds}, {made['events']} came out; nothing was committed. "
            "This is a fault of the pipeline or of a measure: a measure must neither drop nor add rows."
        )
    desired = spark_tables.conform(rows.withColumn("ds", F.lit(run.ds)), table)
    wish = DesiredSlice(table=table, where={"ds": [run.ds]}, desired=desired, size=made["partials"])
    change = converge(run, wish, {"sources": source_versions(run, build.source_tables(run.contract))})
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
    """By the table: the log of runs may be lost."""
    return {date.fromisoformat(file.partition["ds"]) for file in delta_log.files(run.path(layout.raw(run.contract)))}


def bring_up_to_date(run: Run) -> None:
    """Makes the partials of the window whole, whichever of its days have been cleaned, or cleaned again, since."""
    window = run.contract.features.window_days
    if not window:
        return
    cleaned = set(run_log.days_run(run.settings.lake, run.contract.name, "clean")) | _arrived(run)
    for day in day_range(run.ds, window - 1):
        if day in cleaned:
            run_day(PARTIALS, replace(run, ds=day, full_refresh=run.full_refresh and day == run.ds), quiet=True)


if __name__ == "__main__":
    run_job(PARTIALS)
