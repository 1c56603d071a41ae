"""Compares the online store with what is published; every entity must agree."""

from __future__ import annotations

from common.online import serving
from common.orchestration.cli import run_job
from common.orchestration.job import Job

ONLINE_CHECK = Job("online_check", serving.check_agreement)

if __name__ == "__main__":
    run_job(ONLINE_CHECK)
