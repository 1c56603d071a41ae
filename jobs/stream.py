"""Follows a source: every few minutes, or without an end, runs the steps of a day on the records that have come so far."""

from __future__ import annotations

from dataclasses import replace

from common.contracts.declared_source import ASKED_ONCE
from common.errors import UsageError
from common.orchestration.changed_periods import ChangedPeriods
from common.orchestration.cli import run_whole
from common.orchestration.job import ChainStep, Line
from common.orchestration.json_line import summary
from common.orchestration.open_periods import OpenPeriods
from common.runtime.run import Run
from common.sources.kafka.stream import Following, follow
from common.sources.kafka.topic import Kafka
from common.sources.opening import open_source
from common.sources.rows import is_over as has_ended
from common.sources.source import UNREAD, Period
from jobs.arguments import parser_of
from jobs.backfill import CHAIN
from jobs.compact import COMPACT
from jobs.publish import ONLINE, PUBLISH


def stream(runs: list[Run]) -> Line:
    run = replace(runs[0], options={})
    options, source = runs[0].options, run.contract.source
    if not source.can_be_followed:
        raise UsageError(
            f"the source of {run.contract.name} can't be followed; expected Files(...), Kafka(...) that is not compacted, or "
            "one of your own that says that it can be. Use jobs/backfill.py."
        )
    chain = [ChainStep(ONLINE) if options["online"] and step.job is PUBLISH else step for step in CHAIN]
    periods = OpenPeriods([step for step in chain if step.job is not COMPACT], chain, is_over)
    seconds = None if options["available_now"] else options["every"]
    if isinstance(source, Kafka):
        checkpoint = f"{run.settings.lake}/streams/{run.contract.name}"
        how = Following(Period(run.contract, run.ds).start, checkpoint, options["most_records"], seconds)
        follow(run.spark, source, how, lambda until, batch: periods.take(run, until, batch))
        periods.close(run)
    else:
        ChangedPeriods(periods, content).follow(run, seconds)
    return {**summary(str(run.ds), periods.result(run)), "job": "stream"}


def is_over(run: Run) -> bool:
    return has_ended(Period(run.contract, run.ds)) and open_source(run).so_far() is not None


def content(run: Run) -> str | None:
    source = open_source(run)
    if source.so_far() is None:
        return None
    fingerprint = source.fingerprint()
    if fingerprint == ASKED_ONCE:
        raise UsageError(
            f"the source of {run.contract.name} can't be followed, as it has no fingerprint: nothing says that more has come. "
            "Return one that changes with the period's content, or use jobs/backfill.py once a period is over."
        )
    return "" if fingerprint == UNREAD else fingerprint


if __name__ == "__main__":
    run_whole("stream", parser_of("stream"), stream)
