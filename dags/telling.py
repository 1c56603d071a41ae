"""What a person is told of: a task that failed for good, a day that is late, a rule that warned. Never fails a run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference

from common.alerts import Alert, tell
from dags.schedule import schedule

Kind = Literal["failed", "late", "warning"]


def failed(context: Mapping[str, Any]) -> None:
    _tell("failed", context, str(context.get("exception") or "the task failed; its log says why"))


def warned(context: Mapping[str, Any], said: Mapping[str, Any]) -> None:
    rules = ", ".join(f"{rule['expectation']} on {rule.get('column', 'the table')}" for rule in said["warnings"])
    _tell("warning", context, f"{len(said['warnings'])} rules warned: {rules}", dict(said.get("counts") or {}))


def late(context: Mapping[str, Any], message: str) -> None:
    _tell("late", context, message)


async def overdue(dag: str, minutes: float, **context: Any) -> None:
    """Called by the triggerer when a run has not ended in time."""
    run = (context.get("context") or {}).get("dag_run") or {}
    run_id = run.get("dag_run_id") or run.get("run_id") or "a run" if isinstance(run, Mapping) else run
    message = f"{run_id} of {dag} has not ended within {minutes:g} minutes; look at what it waits for"
    alert = Alert(kind="late", dag=dag, task="", ds="", message=message)
    # Not within the triggerer's own loop, where others wait for theirs.
    await asyncio.to_thread(tell, alert, schedule().alerts)


def deadline(dag: str, minutes: float | None) -> DeadlineAlert | None:
    """None where nobody is told."""
    if minutes is None:
        return None
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=minutes),
        callback=AsyncCallback("dags.telling.overdue", kwargs={"dag": dag, "minutes": minutes}),
    )


def _tell(kind: Kind, context: Mapping[str, Any], message: str, facts: dict[str, Any] | None = None) -> None:
    instance = context["ti"]
    alert = Alert(
        kind=kind,
        message=message,
        ds=str(getattr(context["task"], "ds", "")),
        dag=instance.dag_id,
        dataset=getattr(context["task"], "dataset", ""),
        task=instance.task_id,
        facts=facts or {},
        link=getattr(instance, "log_url", None),
    )
    tell(alert, schedule().alerts)


TASKS = {"on_failure_callback": failed}
