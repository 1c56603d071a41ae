"""source -> raw: reads what arrived on ds, and keeps each field as text."""

from __future__ import annotations

from contextlib import closing

from common.clean import transforms
from common.clean.erased_rows import without_erased
from common.lake.log.commit_metadata import beside, recounted
from common.lake.merging.merge import converge
from common.orchestration import stages
from common.orchestration.cli import run_job
from common.orchestration.job import Job, is_closed
from common.quality import broken_rules, measured
from common.quality.measured import Measured
from common.runtime.run import Outcome, Run
from common.sources import arrivals
from common.sources.opening import open_source
from common.sources.source import Source


def main(run: Run) -> Outcome:
    if arrivals.is_kept(run):
        return Outcome("nothing")
    with closing(open_source(run)) as source:
        return ingest(run, source)


def ingest(run: Run, source: Source) -> Outcome:
    listing = source.holds()
    if not arrivals.came(run, listing) and is_closed(run):
        return Outcome("closed")
    transforms.require_declared(run)
    arrivals.require_came(run, listing)
    told = broken_rules.conditions(run.contract, "raw")
    day = arrivals.read_day(run, source, listing, without_erased, told)
    run = day.run  # its source is known now
    if not arrivals.came(run, day.listing) and is_closed(run):
        return Outcome("closed")
    arrivals.require_rows(run, day.listing)
    books, refused, arrived = day.books(), day.refused(), day.arrived()
    rows = Measured.of(day.different["accepted"], day.different)
    says = {**books, measured.BOOKS: rows.books, **recounted(run, arrived.table, {"counts": books["counts"]})}
    changes = [(refused.table, converge(run, refused, {}))]
    changes.append((arrived.table, converge(run, arrived, {**says, **beside(run, [refused.table])})))
    return arrivals.outcome(day.listing, books, changes)


INGEST = Job(
    "ingest",
    main,
    on_spark=True,
    reads_source=True,
    stage=lambda run: stages.INGEST,
    source=lambda run: open_source(run).fingerprint(),
)

if __name__ == "__main__":
    run_job(INGEST)
