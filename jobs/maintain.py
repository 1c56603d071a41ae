"""Verifies pins, then removes files and results that nothing needs any more, as of ds."""

from __future__ import annotations

from common.maintenance import maintain
from common.orchestration.cli import run_job
from common.orchestration.job import Job
from common.runtime.run import Outcome, Run


def main(run: Run) -> Outcome:
    return maintain.maintain(run)


MAINTAIN = Job("maintain", main)

if __name__ == "__main__":
    run_job(MAINTAIN)
