"""How the operator turns a job's exit code and JSON line into a task state; a stub stands in for spark-submit."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from dags import submit, telling
from dags.assets import published
from dags.submit import JobOperator, facts, failure, in_short

SAID = {
    "job": "validate-raw",
    "dataset": "churn",
    "ds": "2026-01-05",
    "outcome": "failed",
    "error": "ContractViolationError",
    "message": "churn raw of 2026-01-05: 1 of 9 rules failed. First: unique on customer_id failed: 2 of 9 rows",
    "failures": [{"expectation": "unique", "column": "customer_id", "failed": 2, "checked": 9, "examples": ["c1"]}],
    "seconds": 1.5,
}


class Instance:
    id = UUID("01999999-0000-7000-8000-000000000001")
    task_id, dag_id, log_url = "raw.validate", "churn", "http://127.0.0.1:8080/x"

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def spark_submit(folder: Path, script: str) -> None:
    """Installs a stub spark-submit where the operator looks for the real one."""
    program = folder / ".venv/bin/spark-submit"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/bash\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JobOperator:
    monkeypatch.setattr(submit, "ROOT", tmp_path)
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", '{"conn_type": "spark", "host": "local[*]"}')
    return JobOperator(task_id="validate", job="validate", dataset="churn", ds="2026-01-05", options=("--table", "raw"))


def run(operator: JobOperator) -> tuple[Any, Instance]:
    instance = Instance()
    return operator.execute({"ti": instance, "task": operator}), instance


def test_the_operator_runs_the_documented_command(operator: JobOperator, tmp_path: Path) -> None:
    spark_submit(tmp_path, f"echo \"$@\" > {tmp_path}/typed; echo '{json.dumps({**SAID, 'outcome': 'done'})}'")
    run(operator)
    typed = (tmp_path / "typed").read_text()
    assert typed.endswith(f"{tmp_path}/jobs/validate.py --dataset churn --ds 2026-01-05 --env local --table raw\n")
    assert "--master local[*]" in typed


@pytest.mark.parametrize("remote", [None, "sc://localhost:15002"])
def test_a_job_is_told_which_server_it_runs_on(operator: JobOperator, tmp_path: Path, remote: str | None) -> None:
    done = json.dumps({**SAID, "outcome": "done"})
    spark_submit(tmp_path, f"echo ${{SPARK_REMOTE:-None}} > {tmp_path}/remote; echo '{done}'")
    operator.remote = remote
    run(operator)
    assert (tmp_path / "remote").read_text() == f"{remote}\n"


def test_a_job_is_told_which_task_submitted_it(operator: JobOperator, tmp_path: Path) -> None:
    spark_submit(
        tmp_path, f"echo $OPENLINEAGE_PARENT_ID > {tmp_path}/parent; echo '{json.dumps({**SAID, 'outcome': 'done'})}'"
    )
    run(operator)
    parent = "airflow/churn.raw.validate/01999999-0000-7000-8000-000000000001"
    assert (tmp_path / "parent").read_text().strip() == parent


def test_the_job_line_is_kept_without_message_examples_or_paths(operator: JobOperator, tmp_path: Path) -> None:
    said = {**SAID, "outcome": "done", "counts": {"rules": 9}, "written": {"raw/churn": 3}, "lake": "/secret/place"}
    spark_submit(tmp_path, f"echo chatter; echo '{json.dumps(said)}'")
    kept, _ = run(operator)
    assert kept["counts"] == {"rules": 9}
    assert kept["written"] == {"raw/churn": 3}
    assert kept["failures"] == [{"expectation": "unique", "column": "customer_id", "failed": 2, "checked": 9}]
    assert not {"message", "lake", "examples"} & set(json.dumps(kept).replace('"', " ").split())


@pytest.mark.parametrize(
    "line", ["10:00:00 validate churn 2026-01-05: done", "10:00:00 WARN Executor: slow", "  at java"]
)
def test_a_line_of_the_log_may_arrive_behind_the_jobs_line(operator: JobOperator, tmp_path: Path, line: str) -> None:
    spark_submit(tmp_path, f"echo '{json.dumps({**SAID, 'outcome': 'done'})}'; echo '{line}'")
    kept, _ = run(operator)
    assert kept["outcome"] == "done"


def test_a_job_does_not_inherit_the_secrets_of_airflow(
    operator: JobOperator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET",
        "AIRFLOW__API__SECRET_KEY", "AIRFLOW_ADMIN_PASSWORD", "ALERT_WEBHOOK", "ALERT_SMTP_PASSWORD", "_AIRFLOW_X",
    ):  # fmt: skip
        monkeypatch.setenv(name, "s3cret")
    monkeypatch.setenv("LAKE", "/a lake")
    spark_submit(tmp_path, f"env > {tmp_path}/environment; echo '{json.dumps({**SAID, 'outcome': 'done'})}'")
    run(operator)
    inherited = (tmp_path / "environment").read_text()
    assert "s3cret" not in inherited
    assert "\nLAKE=/a lake\n" in f"\n{inherited}"


@pytest.mark.parametrize(("started_with", "mode"), [("0022", 0o644), ("0027", 0o640), (None, 0o600)])
def test_a_job_writes_with_the_umask_of_whoever_started_airflow(
    operator: JobOperator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started_with: str | None, mode: int
) -> None:
    monkeypatch.delenv("JOBS_UMASK", raising=False)
    if started_with:
        monkeypatch.setenv("JOBS_UMASK", started_with)
    spark_submit(tmp_path, f"touch {tmp_path}/written; echo '{json.dumps({**SAID, 'outcome': 'done'})}'")
    before = os.umask(0o077)
    try:
        run(operator)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "written").stat().st_mode) == mode


@pytest.mark.parametrize(
    ("code", "missing", "means"),
    [
        (2, "wait", AirflowFailException),
        (3, "wait", AirflowFailException),
        (4, "skip", AirflowSkipException),
        (4, "wait", AirflowException),
        (5, "wait", AirflowException),
        (1, "wait", AirflowException),
        (137, "wait", AirflowException),
    ],
)
def test_only_passing_failures_are_retried(code: int, missing: str, means: type[Exception]) -> None:
    assert type(failure(code, SAID, missing)) is means
    assert "unique on customer_id failed: 2 of 9 rows" in str(failure(code, SAID, missing))


def test_a_failed_job_keeps_its_message_and_facts(operator: JobOperator, tmp_path: Path) -> None:
    spark_submit(tmp_path, f"echo '{json.dumps(SAID)}'; exit 3")
    instance = Instance()
    with pytest.raises(AirflowFailException, match="unique on customer_id failed: 2 of 9 rows"):
        operator.execute({"ti": instance, "task": operator})
    assert instance.pushed["return_value"]["failures"][0]["column"] == "customer_id"


WARNED = {**SAID, "outcome": "done", "failures": [], "warnings": [{"expectation": "drift", "column": "age"}]}


@pytest.mark.parametrize(("outcome", "times"), [("done", 1), ("nothing", 0)])
def test_a_warning_is_sent_once_while_nothing_changes(
    operator: JobOperator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: str, times: int
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(telling, "tell", lambda alert, receivers: told.append(alert))
    spark_submit(tmp_path, f"echo '{json.dumps({**WARNED, 'outcome': outcome})}'")
    kept, _ = run(operator)
    assert kept["warnings"] == WARNED["warnings"]
    assert [(each.kind, each.message, each.ds) for each in told] == [
        ("warning", "1 rules warned: drift on age", "2026-01-05")
    ] * times


WEEK = ("2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08", "2026-01-09")
RANGE = {
    **{**SAID, "failures": []},
    "ds": "2026-01-05..2026-01-06",
    "outcome": "done",
    "days": {"2026-01-05": "missing", "2026-01-06": "done"},
    "missing": ["2026-01-05"],
    "message": "1 of 2 days are missing: 2026-01-05; the others have run",
}


def test_a_range_with_a_missing_day_names_it_and_is_retried(operator: JobOperator, tmp_path: Path) -> None:
    spark_submit(tmp_path, f"echo '{json.dumps(RANGE)}'; exit 4")
    with pytest.raises(AirflowException, match="1 of 2 days are missing: 2026-01-05") as raised:
        run(operator)
    assert type(raised.value) is AirflowException


def test_skipping_missing_days_fails_only_if_all_are_missing(operator: JobOperator, tmp_path: Path) -> None:
    operator.missing = "skip"
    spark_submit(tmp_path, f"echo '{json.dumps(RANGE)}'; exit 4")
    assert run(operator)[0]["missing"] == ["2026-01-05"]
    none = {**RANGE, "days": {"2026-01-05": "missing"}, "message": "nothing at all"}
    (tmp_path / ".venv/bin/spark-submit").write_text(f"#!/bin/bash\necho '{json.dumps(none)}'; exit 4\n")
    with pytest.raises(AirflowSkipException, match="nothing at all"):
        run(operator)


@pytest.mark.parametrize(
    ("said", "announced"),
    [
        ({"ds": "2026-01-05"}, {"ds": "2026-01-05"}),
        ({"ds": "2026-01-05..2026-01-06"}, {"ds": "2026-01-06"}),
        ({"days": {"2026-01-05": "done", "2026-01-06": "missing"}}, {"ds": "2026-01-05"}),
        (
            {"days": dict(zip(WEEK, ("done", "nothing", "missing", "done", "closed"), strict=True))},
            {"ds": "2026-01-08", "days": ["2026-01-05..2026-01-06", "2026-01-08"]},
        ),
        (
            {"days": {"2026-01-05T23": "done", "2026-01-06T00": "done"}},
            {"ds": "2026-01-06T00", "days": ["2026-01-05T23..2026-01-06T00"]},
        ),
    ],
)
def test_a_publication_announces_all_days_and_the_newest(
    operator: JobOperator, tmp_path: Path, said: dict[str, Any], announced: dict[str, Any]
) -> None:
    asset = published("churn")
    operator.outlets = [asset]
    told = {asset: SimpleNamespace(extra={})}
    spark_submit(tmp_path, f"echo '{json.dumps({**SAID, 'outcome': 'done', **said})}'")
    operator.execute({"ti": Instance(), "task": operator, "outlet_events": told})
    assert told[asset].extra == announced


def test_a_driver_without_a_json_line_fails_and_is_retried(operator: JobOperator, tmp_path: Path) -> None:
    spark_submit(tmp_path, "kill -9 $$")
    with pytest.raises(AirflowException, match="exit code -9 without a JSON line"):
        run(operator)


@pytest.mark.parametrize(
    "after", ["killed", '{"job" and more', '"job"', "[1]"], ids=["a log line", "no JSON", "a text", "no object"]
)
def test_only_the_last_line_is_the_line_of_the_job(operator: JobOperator, tmp_path: Path, after: str) -> None:
    """A line in the middle may come from a file's name."""
    spark_submit(tmp_path, f"echo '{json.dumps(SAID)}'; echo '{after}'; exit 1")
    with pytest.raises(AirflowException, match="exit code 1 without a JSON line"):
        run(operator)


def test_spark_may_log_after_the_line_of_the_job(operator: JobOperator, tmp_path: Path) -> None:
    noise = "12:30:00 ERROR ShutdownHookManager: no such folder\\n\\tat java.io.File\\n"
    spark_submit(tmp_path, f"echo '{json.dumps({**SAID, 'outcome': 'done'})}'; printf '{noise}'")
    assert run(operator)[0]["outcome"] == "done"


def test_values_and_names_cannot_control_a_terminal() -> None:
    assert str(failure(1, {"message": "a\x1b[2Jb\nc"}, "wait")) == r"a\x1b[2Jb\nc"


def test_stopping_a_task_stops_its_driver_and_its_children(operator: JobOperator, tmp_path: Path) -> None:
    spark_submit(
        tmp_path, f"sleep 300 & echo $! $$ > {tmp_path}/pids.tmp; mv {tmp_path}/pids.tmp {tmp_path}/pids; wait"
    )

    def until_stopped() -> None:
        with pytest.raises(AirflowException):
            run(operator)

    working = threading.Thread(target=until_stopped)
    working.start()
    deadline = time.monotonic() + 30
    while not (tmp_path / "pids").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    operator.on_kill()
    working.join(30)
    assert not working.is_alive()
    for pid in (tmp_path / "pids").read_text().split():
        state = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True, check=False).stdout
        assert state.strip()[:1] in ("", "Z"), f"{pid} goes on"


def test_facts_are_limited_in_number() -> None:
    many = {**SAID, "failures": SAID["failures"] * 500}
    assert len(json.dumps(facts(many))) < 4000


def test_a_failed_rule_is_logged_in_short_lines() -> None:
    refused = {"file": "part.csv", "problem": "its header lacks user_id"}
    warned = {"expectation": "drift", "severity": "warn"}
    assert in_short({**SAID, "failures": [*SAID["failures"], warned, refused]}) == [
        "FAILED unique on customer_id: 2 of 9 rows",
        "       c1",
        "FAILED part.csv",
        "       its header lacks user_id",
    ]


def test_the_day_of_an_alert_is_the_day_of_the_run() -> None:
    assert "ds" in JobOperator.template_fields
