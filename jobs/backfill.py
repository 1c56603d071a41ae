"""Runs the whole chain over a range of days in one session, resumes where it stopped, and reruns days it made stale."""

from __future__ import annotations

from common.orchestration.cli import run_chain_job
from common.orchestration.job import ChainStep
from jobs.clean import CLEAN
from jobs.compact import COMPACT
from jobs.features import FEATURES
from jobs.ingest import INGEST
from jobs.publish import PUBLISH
from jobs.validate import VALIDATE

CHAIN = [
    ChainStep(INGEST, ahead=True),
    ChainStep(VALIDATE, {"table": "raw"}, ahead=True),
    ChainStep(CLEAN),
    ChainStep(VALIDATE, {"table": "processed"}),
    ChainStep(FEATURES),
    ChainStep(VALIDATE, {"table": "features"}),
    ChainStep(PUBLISH),
    ChainStep(COMPACT),
]

if __name__ == "__main__":
    run_chain_job(CHAIN)
