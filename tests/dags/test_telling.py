"""Failures, warnings and late days are each alerted once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from dags import telling
from dags.schedule import schedule


class Instance:
    task_id, dag_id, log_url = "raw.validate", "churn", "http://127.0.0.1:8080/x"

    def __init__(self, left: dict[str, Any] | None = None) -> None:
        self.left = left

    def xcom_pull(self) -> Any:
        return self.left


class Task:
    dataset, ds = "churn", "2026-01-05"

    def render_template(self, text: str, context: Any) -> str:
        return text.replace("{{ day }}", context["day"])


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    alerts = schedule().alerts.model_copy(update={"log": str(tmp_path / "alerts.log")})
    monkeypatch.setattr(telling, "schedule", lambda: schedule().model_copy(update={"alerts": alerts}))
    return lambda: [json.loads(line) for line in (tmp_path / "alerts.log").read_text().splitlines()]


def test_a_failure_a_warning_and_a_late_run_are_alerted(told: Any) -> None:
    context = {"ti": Instance(), "task": Task()}
    telling.failed({**context, "exception": ValueError("unique on customer_id failed")})
    telling.warned(context, {"warnings": [{"expectation": "drift", "column": "age"}], "counts": {"rules": 9}})
    asyncio.run(telling.overdue("churn", 30, context={"dag_run": {"dag_run_id": "scheduled__1"}}))
    failed, warned, late = told()
    assert (failed["kind"], failed["ds"], failed["task"]) == ("failed", "2026-01-05", "raw.validate")
    assert failed["message"] == "unique on customer_id failed"
    assert failed["link"] == Instance.log_url
    assert (warned["message"], warned["facts"]) == ("1 rules warned: drift on age", {"rules": 9})
    assert "scheduled__1 of churn has not succeeded 30 minutes after it could start" in late["message"]


RULE = {"expectation": "unique", "column": "customer_id", "failed": 2, "checked": 9}


def test_a_failure_alert_carries_the_jobs_counts_and_rules(told: Any) -> None:
    left = {
        "counts": {"landed": 9},
        "failures": [RULE, {"file": "part.csv"}, {**RULE, "severity": "warn"}],
        "seconds": 1,
    }
    telling.failed({"ti": Instance(left), "task": Task(), "exception": ValueError("2 of 9 rules failed")})
    telling.failed({"ti": Instance(), "task": Task()})
    with_facts, without = told()
    assert with_facts["facts"] == {"landed": 9, "failed": ["unique on customer_id: 2 of 9 rows", "part.csv"]}
    assert without["facts"] == {}
    assert without["message"] == "the task failed; its log says why"


def test_a_task_that_died_early_is_alerted_with_its_day(told: Any) -> None:
    """Airflow then runs the callback in another process, without rendered fields and possibly without XCom."""
    task, instance = Task(), Instance()
    task.ds = "{{ day }}"
    instance.xcom_pull = lambda: 1 / 0  # type: ignore[method-assign,assignment]
    telling.failed({"ti": instance, "task": task, "day": "2026-01-06"})
    telling.failed({"ti": instance, "task": task})
    assert [(each["ds"], each["facts"]) for each in told()] == [("2026-01-06", {}), ("", {})]


def test_a_ranges_warnings_are_brief_and_name_their_days(told: Any) -> None:
    rules = [{"expectation": "drift", "column": "age", "ds": f"2026-01-{day:02}"} for day in range(1, 31)]
    telling.warned({"ti": Instance(), "task": Task()}, {"warnings": rules})
    (warned,) = told()
    assert warned["message"].startswith("30 rules warned: drift on age on 2026-01-01, drift on age on 2026-01-02, ")
    assert warned["message"].endswith(" on 2026-01-20 and 10 more")
