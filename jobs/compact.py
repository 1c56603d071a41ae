"""Fewer, larger files: one partition at a time, and only where it pays."""

from __future__ import annotations

from common import compaction
from common.cli import parser, run_job
from common.job import Job
from common.run import Outcome, Run


def main(run: Run) -> Outcome:
    packed = [compaction.pack(run, crowd) for crowd in compaction.crowded(run)]
    removed = compaction.vacuum(run) if run.options.get("vacuum") else {}
    return compaction.outcome(packed, removed)


# Always looks: whether there is anything to do is read from the log, without Spark.
COMPACT = Job("compact", main, watches=lambda run: [], source=lambda run: run.run_id)

if __name__ == "__main__":
    arguments = parser("compact")
    arguments.add_argument("--vacuum", action="store_true", help="also remove files that no retained version needs")
    run_job(COMPACT, arguments)
