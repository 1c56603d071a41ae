"""Recomputes a published day from the source versions that made it, and compares both. Writes nothing."""

from __future__ import annotations

from common.names import whole_number
from common.orchestration.cli import parser, run_job
from common.orchestration.job import Job
from common.published import reproduce
from common.runtime.run import Outcome, Run


def main(run: Run) -> Outcome:
    return reproduce.reproduce(run)


REPRODUCE = Job("reproduce", main)

if __name__ == "__main__":
    arguments = parser("reproduce")
    arguments.add_argument(
        "--feature-version", type=whole_number, help="of the table vN (default: the one that is declared)"
    )
    arguments.add_argument(
        "--publication", type=whole_number, help="as this version of the table has the day (default: the newest)"
    )
    run_job(REPRODUCE, arguments)
