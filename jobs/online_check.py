"""Compares what is served online with what is published: the share of entities that agree, 100 % expected."""

from __future__ import annotations

from common.online import serving
from common.orchestration.cli import run_job
from common.orchestration.job import Job

# Asked for, it always looks.
ONLINE_CHECK = Job("online_check", serving.check_agreement, watches=lambda run: [], source=lambda run: run.run_id)

if __name__ == "__main__":
    run_job(ONLINE_CHECK)
