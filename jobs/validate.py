"""The gate: checks a day's rows against its contract before anything downstream reads them."""

from __future__ import annotations

from common.orchestration import stages
from common.orchestration.cli import run_job
from common.orchestration.job import Job
from common.quality import gate
from common.runtime.run import Outcome, Run
from jobs.arguments import parser_of


def main(run: Run) -> Outcome:
    return gate.decide(run, gate.check_day(run))


VALIDATE = Job("validate", main, stage=lambda run: stages.validation(run.options["table"]))

if __name__ == "__main__":
    run_job(VALIDATE, parser_of("validate"))
