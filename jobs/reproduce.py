"""Makes a published day again from the source versions that made it, and compares the two. Writes nothing."""

from __future__ import annotations

from common import reproduction
from common.cli import run_job
from common.job import Job
from common.run import Outcome, Run


def main(run: Run) -> Outcome:
    return reproduction.reproduce(run)


# Asked for, it always looks.
REPRODUCE = Job("reproduce", main, watches=lambda run: [], source=lambda run: run.run_id)

if __name__ == "__main__":
    run_job(REPRODUCE)
