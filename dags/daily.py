"""Builds a DAG for each contract: one day from landing to published. Nothing here names a dataset."""

from __future__ import annotations

from functools import partial

from airflow.sdk import DAG, CronDataIntervalTimetable, TaskGroup, chain, task

from common.contracts import datasets
from common.days import HOUR, from_text
from dags import docs, telling
from dags.assets import published
from dags.pools import pool
from dags.run_day import DAY, asked, day, in_ranges
from dags.schedule import Daily, schedule, settings
from dags.submit import JobOperator
from dags.waiting import Wait

_ASKED = "The {0} to run, UTC. Left empty: the last whole {0} before the run."


@task(doc_md="Days from this one on that are no longer up to date, as ranges; on most days there are none.")
def out_of_date(dataset: str, period: str) -> list[str]:
    from common.orchestration import staleness

    return in_ranges(map(str, staleness.stale_after(dataset, from_text(period), settings())))


def daily(name: str, how: Daily) -> None:
    """wait, ingest, validate, clean, validate, features, validate, publish, compact; then rerun the days that became stale."""
    contract = datasets.load(name).contract
    job = partial(JobOperator, dataset=name, **how.submit, missing=how.missing)
    validate = partial(job, task_id="validate", job="validate", doc_md=docs.of_job("validate"))
    with DAG(
        name,
        schedule=CronDataIntervalTimetable(how.cron(contract.every), timezone="UTC"),
        start_date=how.start_date,
        catchup=how.catchup,
        max_active_runs=how.max_active_runs,
        is_paused_upon_creation=how.paused,
        params={"ds": asked(contract.every.title(), _ASKED.format(contract.every), every=contract.every)},
        user_defined_macros={"day": partial(day, every=contract.every)},
        default_args=how.tasks | telling.TASKS,
        deadline=telling.deadline(name, how),
        description=contract.description,
        doc_md=docs.of_day(contract, how),
        tags={"hourly" if contract.every == HOUR else "daily", name},
    ):
        with TaskGroup("raw", tooltip="What arrived, as text") as raw:
            chain(
                Wait(task_id="wait", dataset=name, landing=settings().landing, how=how, doc_md=docs.WAIT),
                job(task_id="ingest", job="ingest", pool=pool(name, "raw"), doc_md=docs.of_job("ingest")),
                validate(options=("--table", "raw"), pool=pool(name, "raw")),
            )
        with TaskGroup("processed", tooltip="Typed rows, one per key, by event date") as processed:
            chain(
                job(task_id="clean", job="clean", pool=pool(name, "processed"), doc_md=docs.of_job("clean")),
                validate(options=("--table", "processed"), pool=pool(name, "processed")),
            )
        with TaskGroup("features", tooltip="One row per entity, as known at the end of the day") as features:
            chain(
                job(task_id="build", job="features", pool=pool(name, "features"), doc_md=docs.of_job("features")),
                validate(options=("--table", "features"), pool=pool(name, "features")),
            )
        with TaskGroup("published", tooltip="What readers see") as visible:
            job(
                task_id="publish", job="publish", pool=pool(name, "published"), outlets=[published(name)],
                doc_md=docs.of_job("publish"),
            )  # fmt: skip
        with TaskGroup("upkeep", tooltip="Days that this one made out of date; fewer, larger files") as upkeep:
            job(task_id="compact", job="compact", pool=pool(name, "published"), doc_md=docs.of_job("compact"))
            JobOperator.partial(
                task_id="again", job="backfill", dataset=name, **how.submit, missing=how.missing,
                pool=pool(name, "features"), outlets=[published(name)], doc_md=docs.of_job("backfill"),
            ).expand(ds=out_of_date(name, DAY))  # fmt: skip
        chain(raw, processed, features, visible, upkeep)


for _name, _how in schedule().datasets.items():
    daily(_name, _how)
