"""Checks that no later data changes a day's features, and that only the train split decides what is fitted."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from common.features import leak_check
from common.orchestration.cli import run_job
from common.orchestration.job import Job, run_day
from common.runtime.run import Outcome, Run
from common.training import build
from common.training.training_set import declared_training_set
from jobs.arguments import parser_of
from jobs.clean import CLEAN
from jobs.features import FEATURES
from jobs.ingest import INGEST


def main(run: Run) -> Outcome:
    return check([run])


def check(days: list[Run]) -> Outcome:
    name = days[0].options.get("training_set")
    if name:
        return Outcome(
            "done", build.check_leaks(days, declared_training_set(days[0].dataset, name), days[0].options["labels"])
        )
    found = [
        leak_check.check_features(run, [partial(_day_of, INGEST), partial(_day_of, CLEAN)], partial(_day_of, FEATURES))
        for run in days
    ]
    return Outcome("done", {name: sum(each[name] for each in found) for name in found[0]})


def _day_of(job: Job, run: Run) -> None:
    run_day(job, replace(run, job=job.name, options={}), quiet=True)


LEAKCHECK = Job("leakcheck", main, together=check)

if __name__ == "__main__":
    run_job(LEAKCHECK, parser_of("leakcheck"))
