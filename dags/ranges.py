"""Two more DAGs for each dataset: one runs a range of days in one submit, one runs the days of landing events."""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowFailException

from common.contracts import datasets
from dags import docs, telling
from dags.assets import landing, published
from dags.pools import pool
from dags.run_day import asked, days_of
from dags.schedule import Daily, schedule
from dags.submit import JobOperator


def whole_range(name: str, how: Daily) -> None:
    every = datasets.load(name).contract.every
    with DAG(
        f"{name}_range",
        schedule=None,
        start_date=how.start_date,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=how.paused,
        params={
            "from": asked(f"First {every}", f"The first {every} of the range, UTC.", needed=True, every=every),
            "to": asked(f"Last {every}", f"The last {every} of the range, UTC, included.", needed=True, every=every),
        },
        default_args=how.tasks | telling.TASKS,
        description=f"{name}: a range of days in one submit",
        doc_md=docs.of_range(name),
        tags={"range", name},
    ):
        JobOperator(
            task_id="backfill", job="backfill", dataset=name, ds="{{ params['from'] }}..{{ params['to'] }}", **how.submit,
            missing=how.missing, pool=pool(name, "features"), outlets=[published(name)], doc_md=docs.of_job("backfill"),
        )  # fmt: skip


@task(doc_md="The days that the events name.")
def days_named(**context: Any) -> list[dict[str, str]]:
    days = days_of(context["triggering_asset_events"])
    if not days:
        raise AirflowFailException('the event names no day; send it with the extra {"ds": "YYYY-MM-DD"}')
    return [{"ds": day} for day in days]


def on_landing(name: str, how: Daily) -> None:
    with DAG(
        f"{name}_landed",
        schedule=[landing(name)],
        start_date=how.start_date,
        catchup=False,
        is_paused_upon_creation=how.paused,
        default_args=how.tasks | telling.TASKS,
        description=f"{name}: runs each day that its source says has landed",
        doc_md=docs.of_landed(name),
        tags={"landed", name},
    ):
        TriggerDagRunOperator.partial(task_id="run", trigger_dag_id=name, logical_date=None).expand(conf=days_named())


for _name, _how in schedule().datasets.items():
    whole_range(_name, _how)
    on_landing(_name, _how)
