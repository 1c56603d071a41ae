"""published -> a warehouse or a folder: makes the target's slice equal to the published day."""

from __future__ import annotations

from common.delivery.deliver import deliver
from common.orchestration.cli import parser, run_job
from common.orchestration.job import Job

DELIVER = Job("deliver", deliver)

if __name__ == "__main__":
    arguments = parser("deliver", example="--to NAME")
    arguments.add_argument("--to", required=True, metavar="NAME", help="a target under deliveries in conf/<env>.yml")
    run_job(DELIVER, arguments)
