"""raw -> processed: typed, deduplicated, at home on their event date; what is refused goes to quarantine."""

from __future__ import annotations

from common.clean import settlement
from common.contracts import layout
from common.days import around
from common.lake import spark_tables
from common.lake.locks import committing
from common.lake.merge import converge
from common.orchestration import staleness
from common.orchestration.cli import run_job
from common.orchestration.job import Job, Watch
from common.runtime.run import Outcome, Run


def main(run: Run) -> Outcome:
    staleness.insist_fit(run, "raw")
    spark_tables.follow(run, layout.processed(run.contract))
    day = settlement.day(run)
    with committing(run.settings.lake, layout.processed(run.contract).path):
        return spark_tables.retried(lambda: converge_day(run, day))


def converge_day(run: Run, day: settlement.Day) -> Outcome:
    raw, settled = layout.raw(run.contract), settlement.settle_day(day)
    sources = {"sources": {raw.path: run.version(raw)}}
    books = {"counts": settled.counts(day), **sources}
    *parts, whole = settled.current()
    # Each with what its commit says: the counts stand where the day is whole. A reader takes a row from the side table
    # where both have it, so that it sees a corrected key as it was until the last of these commits.
    wishes = [
        (day.refused, books),
        *[(wish, sources) for wish in (*settled.set_aside(), *parts)],
        (whole, books),
        *[(wish, sources) for wish in settled.taken_back()],
    ]
    changes = [(wish.table, converge(run, wish, said)) for wish, said in wishes]
    out_of_date = {*staleness.features_after(run, [change for _, change in changes[1:]]), *settled.later_arrivals()}
    return Outcome.of(books["counts"], changes, out_of_date)


CLEAN = Job(
    "clean",
    main,
    on_spark=True,
    watches=lambda run: [
        Watch(layout.raw(run.contract), lambda day: day == run.ds),
        # An earlier arrival that was run later may have made one of this day's records a duplicate.
        Watch(layout.processed(run.contract), lambda day: day in around(run.ds, run.contract.lateness_days)[:-1]),
        Watch(layout.quarantine(run.contract), lambda day: False),
    ],
)

if __name__ == "__main__":
    run_job(CLEAN)
