"""Alerts for a task that failed for good, a late day, and a rule that warned. Never fails a run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Literal

from airflow.sdk import AsyncCallback, DeadlineAlert

from dags.alerts import Alert, tell
from dags.lateness import PossibleStart
from dags.schedule import Timed, schedule

Kind = Literal["failed", "late", "warning"]
# How many rules a message names at most.
MOST = 20


def failed(context: Mapping[str, Any]) -> None:
    message = str(context.get("exception") or "the task failed; its log says why")
    result = _result(context)
    rules = [in_words(rule) for rule in errors(result)]
    _tell("failed", context, message, {**result.get("counts", {}), **({"failed": rules} if rules else {})})


def _result(context: Mapping[str, Any]) -> dict[str, Any]:
    """The job's JSON line, or nothing if it never wrote one: the alert is sent either way."""
    with suppress(Exception):
        return dict(context["ti"].xcom_pull())
    return {}


def errors(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rules that stopped the day, and the refused files; no more than a person reads."""
    return [rule for rule in result.get("failures", []) if rule.get("severity") != "warn"][:MOST]


def in_words(rule: Mapping[str, Any]) -> str:
    """The failed rule, its column, and how many rows."""
    column = f" on {rule['column']}" if rule.get("column") else ""
    counted = f": {rule['failed']:,} of {rule['checked']:,} rows" if rule.get("checked") else ""
    return f"{rule.get('expectation') or rule.get('file')}{column}{counted}"


def warned(context: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    rules = [_rule(rule) for rule in result["warnings"]]
    more = f" and {len(rules) - MOST} more" if len(rules) > MOST else ""
    message = f"{len(rules)} rules warned: {', '.join(rules[:MOST])}{more}"
    _tell("warning", context, message, dict(result.get("counts") or {}))


def _rule(rule: Mapping[str, Any]) -> str:
    day = f" on {rule['ds']}" if "ds" in rule else ""
    return f"{rule['expectation']} on {rule.get('column') or 'the table'}{day}"


def late(context: Mapping[str, Any], message: str) -> None:
    _tell("late", context, message)


async def overdue(dag: str, minutes: float, **context: Any) -> None:
    """Called by the triggerer."""
    run = (context.get("context") or {}).get("dag_run") or {}
    run_id = str(run.get("dag_run_id") or run.get("run_id") if isinstance(run, Mapping) else run)
    message = (
        f"{run_id} of {dag} has not succeeded {minutes:g} minutes after it could start; it waits, runs or has failed"
    )
    alert = Alert(kind="late", dag=dag, task="", ds="", message=message)
    # In a thread: other triggers share the triggerer's event loop.
    await asyncio.to_thread(tell, alert, schedule().alerts)


def deadline(dag: str, how: Timed) -> DeadlineAlert | None:
    if how.late_after_minutes is None:
        return None
    return DeadlineAlert(
        reference=PossibleStart(),
        interval=timedelta(minutes=how.late_after_minutes),
        callback=AsyncCallback("dags.telling.overdue", kwargs={"dag": dag, "minutes": how.late_after_minutes}),
    )


def _tell(kind: Kind, context: Mapping[str, Any], message: str, facts: dict[str, Any] | None = None) -> None:
    instance = context["ti"]
    alert = Alert(
        kind=kind,
        message=message,
        ds=_day(context),
        dag=instance.dag_id,
        dataset=getattr(context["task"], "dataset", ""),
        task=instance.task_id,
        facts=facts or {},
        link=getattr(instance, "log_url", None),
    )
    tell(alert, schedule().alerts)


def _day(context: Mapping[str, Any]) -> str:
    """Renders `ds` here if the task died before Airflow did."""
    task = context["task"]
    ds = str(getattr(task, "ds", ""))
    if "{{" not in ds:
        return ds
    with suppress(Exception):
        return str(task.render_template(ds, context))
    return ""


TASKS = {"on_failure_callback": failed}
