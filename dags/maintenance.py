"""A DAG that verifies pins, removes files that no version needs, and prunes old results."""

from __future__ import annotations

from airflow.sdk import DAG, CronDataIntervalTimetable

from dags import docs, telling
from dags.run_day import DAY, asked, day, every_of
from dags.schedule import schedule
from dags.submit import JobOperator

_how = schedule().maintenance
# A dataset of hours is maintained as of the first hour of the day.
_DS = DAY + "{{ 'T00' if every_of(task.dataset) == 'hour' }}"

with DAG(
    "maintenance",
    schedule=CronDataIntervalTimetable(_how.schedule, timezone="UTC"),
    start_date=_how.start_date,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=_how.paused,
    params={"ds": asked("Day", "As of which day, UTC. Left empty: the start of the interval.")},
    user_defined_macros={"day": day, "every_of": every_of},
    default_args=_how.tasks | telling.TASKS,
    deadline=telling.deadline("maintenance", _how),
    description="Vacuum, pins and pruning, dataset by dataset",
    doc_md=docs.MAINTENANCE,
    tags={"maintenance"},
):
    JobOperator.partial(
        task_id="maintain", job="maintain", ds=_DS, **_how.submit, max_active_tis_per_dagrun=1,
        map_index_template="{{ task.dataset }}", doc_md=docs.of_job("maintain"),
    ).expand(dataset=list(schedule().datasets))  # fmt: skip
