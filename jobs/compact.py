"""Packs small files into larger ones, one partition at a time, where it pays."""

from __future__ import annotations

from common.maintenance import compaction
from common.orchestration.cli import run_job
from common.orchestration.job import Job
from common.runtime.run import Outcome, Run


def main(run: Run) -> Outcome:
    return compaction.outcome([compaction.pack(run, crowd) for crowd in compaction.crowded(run)])


COMPACT = Job("compact", main)

if __name__ == "__main__":
    run_job(COMPACT)
