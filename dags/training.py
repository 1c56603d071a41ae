"""A DAG for each training set in the schedule, which rebuilds it when its dataset is published."""

from __future__ import annotations

from functools import partial

from airflow.sdk import DAG

from dags import docs, telling
from dags.assets import published
from dags.run_day import asked, day, days_before, every_of
from dags.schedule import Training, schedule
from dags.submit import JobOperator


def training_set(name: str, how: Training) -> None:
    every = every_of(how.dataset)
    with DAG(
        f"training_set_{name}",
        schedule=[published(how.dataset)],
        start_date=how.start_date,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=how.paused,
        params={
            "ds": asked(
                every.title(), f"The newest {every} to learn from. Left empty: the one that was published.", every=every
            )
        },
        user_defined_macros={"day": partial(day, every=every), "days_before": days_before},
        default_args=how.tasks | telling.TASKS,
        description=f"{name}, from {how.days} {every}s of {how.dataset}",
        doc_md=docs.of_training_set(name, how),
        tags={"training set", how.dataset},
    ):
        JobOperator(
            task_id="build", job="training_set", dataset=how.dataset, options=("--name", name), **how.submit,
            ds=f"{{{{ days_before(day(params, dag_run, triggering_asset_events), {how.days}) }}}}",
            doc_md=docs.of_job("training_set"),
        )  # fmt: skip


for _name, _how in schedule().training_sets.items():
    training_set(_name, _how)
