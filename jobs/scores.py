"""processed -> source: asks a service for the scores that are pending, and sends them as corrections of their records."""

from __future__ import annotations

from common.orchestration.cli import run_job
from common.orchestration.job import Job
from common.scoring.scores import send_scores
from jobs.arguments import parser_of

SCORES = Job("scores", send_scores)

if __name__ == "__main__":
    run_job(SCORES, parser_of("scores"))
