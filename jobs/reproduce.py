"""Recomputes a published day from the source versions that made it, and compares both. Writes nothing."""

from __future__ import annotations

from common.orchestration.cli import run_job
from common.orchestration.job import Job
from common.published import reproduce
from common.runtime.run import Outcome, Run
from jobs.arguments import parser_of


def main(run: Run) -> Outcome:
    return reproduce.reproduce(run)


REPRODUCE = Job("reproduce", main)

if __name__ == "__main__":
    run_job(REPRODUCE, parser_of("reproduce"))
