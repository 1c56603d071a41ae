"""raw -> processed: types rows, drops duplicates, and files each under its event date; refused rows go to quarantine."""

from __future__ import annotations

from common.clean.commits import commit_day
from common.clean.typed_day import type_day
from common.contracts import layout
from common.lake import spark_tables
from common.lake.storage.locks import committing
from common.orchestration import requirements, stages
from common.orchestration.cli import run_job
from common.orchestration.job import Job
from common.quality import measured
from common.runtime.run import Outcome, Run


def main(run: Run) -> Outcome:
    processed = layout.processed(run.contract)
    requirements.require_usable(run, "raw")
    spark_tables.add_new_columns(run, processed)
    day = type_day(run)
    with committing(run.settings.lake, processed.path):
        cleaned = spark_tables.retry_on_conflict(lambda: commit_day(run, day))
    measured.leave(run, "processed", cleaned.rows, cleaned.version)
    if without := cleaned.counts.get("without_entity"):
        run.log.warning("%d rows have no %s: no feature counts them", without, run.contract.features.entity)
    return Outcome.of(cleaned.counts, cleaned.changes)


CLEAN = Job("clean", main, stage=lambda run: stages.CLEAN, on_spark=True)

if __name__ == "__main__":
    run_job(CLEAN)
