"""A DAG for each dataset that declares scores: every few minutes it gets those that are pending."""

from __future__ import annotations

from airflow.sdk import DAG, CronDataIntervalTimetable

from common.contracts import datasets
from common.contracts.scoring import declared_scoring
from dags import docs, telling
from dags.schedule import Daily, schedule
from dags.submit import JobOperator


def scores(name: str, how: Daily) -> None:
    with DAG(
        f"{name}_scores",
        schedule=CronDataIntervalTimetable(how.stream, timezone="UTC"),
        start_date=how.start_date,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=how.paused,
        default_args=how.tasks | telling.TASKS,
        description=f"{name}: the scores that are pending",
        doc_md=docs.of_scores(name, how),
        tags={"scores", name},
    ):
        JobOperator(
            task_id="scores", job="scores", dataset=name, ds="now", **how.submit, doc_md=docs.of_job("scores")
        )  # fmt: skip


for _name, _how in schedule().datasets.items():
    if declared_scoring(datasets.load(_name)):
        scores(_name, _how)
