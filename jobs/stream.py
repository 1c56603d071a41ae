"""Follows a topic: every few minutes, or without an end, runs the steps of a day on the records that have come so far."""

from __future__ import annotations

from dataclasses import replace

from common.errors import UsageError
from common.orchestration.cli import NOW, parser, run_whole
from common.orchestration.job import ChainStep, Line
from common.orchestration.json_line import summary
from common.orchestration.open_periods import OpenPeriods
from common.runtime.run import Run
from common.sources.kafka.stream import Following, follow
from common.sources.kafka.topic import Kafka
from common.sources.opening import open_source
from common.sources.source import Period
from jobs.backfill import CHAIN
from jobs.compact import COMPACT
from jobs.publish import ONLINE, PUBLISH


def stream(runs: list[Run]) -> Line:
    run = replace(runs[0], options={})
    options, source = runs[0].options, run.contract.source
    if not (isinstance(source, Kafka) and source.can_be_followed):
        raise UsageError(
            f"the source of {run.contract.name} can't be followed; expected Kafka(...), not compacted. Use jobs/backfill.py."
        )
    chain = [ChainStep(ONLINE) if options["online"] and step.job is PUBLISH else step for step in CHAIN]
    periods = OpenPeriods([step for step in chain if step.job is not COMPACT], chain, is_over)
    checkpoint = f"{run.settings.lake}/streams/{run.contract.name}"
    seconds = None if options["available_now"] else options["every"]
    how = Following(Period(run.contract, run.ds).start, checkpoint, options["most_records"], seconds)
    follow(run.spark, source, how, lambda until, batch: periods.take(run, until, batch))
    periods.close(run)
    return {**summary(str(run.ds), periods.result(run)), "job": "stream"}


def is_over(run: Run) -> bool:
    return open_source(run).so_far() is not None


if __name__ == "__main__":
    arguments = parser("stream", example="--available-now", usual_day=NOW)
    arguments.add_argument("--available-now", action="store_true", help="end once all records that are there are taken")
    arguments.add_argument("--every", type=float, default=60, metavar="SECONDS", help="between two micro-batches (60)")
    arguments.add_argument("--most-records", type=int, default=100_000, help="of one micro-batch (100000)")
    arguments.add_argument("--online", action="store_true", help="load what is published into the online store, too")
    run_whole("stream", arguments, stream)
