"""A DAG for each dataset and target in the schedule, which delivers every day that has been published, healed days as well."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowFailException

from common.contracts import datasets
from dags import docs, telling
from dags.assets import published
from dags.run_day import asked, days_of, in_ranges
from dags.schedule import Daily, schedule
from dags.submit import JobOperator


@task(doc_md="The days that were published, as ranges.")
def days_published(**context: Any) -> list[str]:
    if by_hand := context["params"].get("ds"):
        return [by_hand]
    days = days_of(context["triggering_asset_events"])
    if not days:
        raise AirflowFailException("no event names a day; trigger the DAG with one in ds")
    return in_ranges(days)


def delivery(name: str, target: str, how: Daily) -> None:
    every = datasets.load(name).contract.every
    with DAG(
        f"{name}_to_{target}",
        schedule=[published(name)],
        start_date=how.start_date,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=how.paused,
        params={"ds": asked(every.title(), f"The {every} to deliver. Left empty: what was published.", every=every)},
        default_args=how.tasks | telling.TASKS,
        description=f"{name}: published days to {target}",
        doc_md=docs.of_delivery(name, target),
        tags={"delivery", name},
    ):
        JobOperator.partial(
            task_id="deliver", job="deliver", dataset=name, options=("--to", target), **how.submit, missing="skip",
            doc_md=docs.of_job("deliver"),
        ).expand(ds=days_published())  # fmt: skip


for _name, _how in schedule().datasets.items():
    for _target in _how.deliver:
        delivery(_name, _target, _how)
