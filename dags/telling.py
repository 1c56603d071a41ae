"""What a person is told of: a task that failed for good, a day that is late, a rule that warned. Never fails a run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Literal

from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference

from common.alerts import Alert, tell
from dags.schedule import Timed, schedule

Kind = Literal["failed", "late", "warning"]
# Of the rules that a message names.
MOST = 20


def failed(context: Mapping[str, Any]) -> None:
    _tell("failed", context, str(context.get("exception") or "the task failed; its log says why"))


def warned(context: Mapping[str, Any], said: Mapping[str, Any]) -> None:
    rules = [_rule(each) for each in said["warnings"]]
    more = f" and {len(rules) - MOST} more" if len(rules) > MOST else ""
    message = f"{len(rules)} rules warned: {', '.join(rules[:MOST])}{more}"
    _tell("warning", context, message, dict(said.get("counts") or {}))


def _rule(rule: Mapping[str, Any]) -> str:
    day = f" on {rule['ds']}" if "ds" in rule else ""
    return f"{rule['expectation']} on {rule.get('column') or 'the table'}{day}"


def late(context: Mapping[str, Any], message: str) -> None:
    _tell("late", context, message)


async def overdue(dag: str, minutes: float, **context: Any) -> None:
    """Called by the triggerer. A run that somebody asked for is of an old day, mostly, and not late."""
    run = (context.get("context") or {}).get("dag_run") or {}
    run_id = str(run.get("dag_run_id") or run.get("run_id") if isinstance(run, Mapping) else run)
    if not run_id.startswith("scheduled"):
        return
    message = f"{run_id} of {dag} has not ended {minutes:g} minutes after its day; look at what it waits for"
    alert = Alert(kind="late", dag=dag, task="", ds="", message=message)
    # Not within the triggerer's own loop, where others wait for theirs.
    await asyncio.to_thread(tell, alert, schedule().alerts)


def deadline(dag: str, how: Timed) -> DeadlineAlert | None:
    """By the logical date: a run that has a deadline by when it was queued can't be cleared (Airflow 3.3.2 fails)."""
    if how.deadline is None:
        return None
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_LOGICAL_DATE,
        interval=how.deadline,
        callback=AsyncCallback("dags.telling.overdue", kwargs={"dag": dag, "minutes": how.late_after_minutes}),
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
