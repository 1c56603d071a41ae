"""A DAG for each dataset whose source can be followed: every few minutes it takes the new records."""

from __future__ import annotations

from functools import partial

from airflow.sdk import DAG, CronDataIntervalTimetable

from common.contracts import datasets
from dags import docs, telling
from dags.assets import published
from dags.pools import pool
from dags.run_day import DAY, asked, day
from dags.schedule import Daily, schedule
from dags.submit import JobOperator


def stream(name: str, how: Daily) -> None:
    every = datasets.load(name).contract.every
    with DAG(
        f"{name}_stream",
        schedule=CronDataIntervalTimetable(how.stream, timezone="UTC"),
        start_date=how.start_date,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=how.paused,
        params={
            "ds": asked(
                f"First {every}", "Where the first run begins, UTC. Left empty: that of the interval.", every=every
            )
        },
        user_defined_macros={"day": partial(day, every=every)},
        default_args=how.tasks | telling.TASKS,
        description=f"{name}: new records",
        doc_md=docs.of_stream(name, how),
        tags={"stream", name},
    ):
        JobOperator(
            task_id="stream", job="stream", dataset=name, ds=DAY, options=("--available-now",), **how.submit,
            pool=pool(name, "raw"), outlets=[published(name)], doc_md=docs.of_job("stream"),
        )  # fmt: skip


for _name, _how in schedule().datasets.items():
    if datasets.load(_name).contract.source.comes_as_stream:
        stream(_name, _how)
