"""published or predictions -> a warehouse or a folder: makes the target's slice equal to the day, or to the predictions."""

from __future__ import annotations

from common.delivery.deliver import deliver
from common.orchestration.cli import run_job
from common.orchestration.job import Job
from jobs.arguments import parser_of

DELIVER = Job("deliver", deliver)

if __name__ == "__main__":
    run_job(DELIVER, parser_of("deliver"))
