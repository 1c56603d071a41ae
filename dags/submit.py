"""An Airflow task that submits a job, keeps its JSON line, and maps its exit code to retry, fail or skip."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from typing import Any

from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from common.errors import ContractViolationError, SourceMissingError, UsageError
from common.printable import printable
from common.runtime.settings import ROOT
from dags import telling
from dags.console_link import console_links
from dags.run_day import DAY, in_ranges
from dags.schedule import ENV

# What a later task, or a person, may want to know. No message (it may name a place), no example (it may be personal).
FACTS = (
    "job", "dataset", "ds", "outcome", "error", "counts", "read", "written", "stale", "missing", "days", "run_id", "seconds",
)  # fmt: skip
RULE = ("ds", "expectation", "column", "failed", "checked", "observed", "limit", "severity", "file")
# The variable with which OpenLineage's integrations pass a run its parent: <namespace>/<DAG>.<task>/<UUID of the try>.
PARENT = "OPENLINEAGE_PARENT_ID"
# Airflow's own: the address of its database, its keys and passwords, and those of the alerts' receivers.
NOT_FOR_JOBS = ("AIRFLOW", "_AIRFLOW", "ALERT_")


# Lines of the log, and of its traces. They come by another pipe than the job's last line, so they may arrive behind it.
LOG_LINE = re.compile(r"\d\d:\d\d:\d\d |\s")


class Submission(SparkSubmitHook):
    """Runs spark-submit of the Spark environment, and parses the job's JSON line."""

    said: dict[str, Any] | None = None
    parent = ""  # the task, for the job's lineage events
    remote: str | None = None

    def submit(self, application: str = "", **options: Any) -> str | None:
        """In a process group of its own, so that a kill reaches the driver's Python and its JVM."""
        environment = jobs_environment() | {PARENT: self.parent}
        if self.remote:
            environment["SPARK_REMOTE"] = self.remote
        own = {"start_new_session": True, "umask": jobs_umask(), "env": environment}
        driver_id: str | None = super().submit(application, **own, **options)
        return driver_id

    @property
    def exit_code(self) -> int:
        return int(self._submit_sp.returncode) if self._submit_sp else 1

    def _process_spark_submit_log(self, itr: Iterator[Any]) -> None:
        super()._process_spark_submit_log(self._listened(itr))

    def _listened(self, lines: Iterator[str]) -> Iterator[str]:
        last = ""
        for line in lines:
            if line.strip() and not LOG_LINE.match(line):
                last = line
            yield line
        self.said = job_line(last)

    def on_kill(self) -> None:
        if self._submit_sp and self._submit_sp.poll() is None:
            os.killpg(self._submit_sp.pid, signal.SIGKILL)


def jobs_environment() -> dict[str, str]:
    """Airflow's environment without its secrets. The provider passes everything if it is given `env_vars`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_FOR_JOBS)}
    # Put the Spark environment first on PATH: its spark-submit finds its own Spark and Python.
    return kept | {"PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def jobs_umask() -> int:
    """The umask of whoever started Airflow, which itself writes for its own user alone (conf/airflow/private)."""
    return int(os.environ.get("JOBS_UMASK", "-1"), 8)  # -1: unchanged


def job_line(text: str) -> dict[str, Any] | None:
    """The JSON line of a job; None for any other text."""
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and "job" in line else None


class JobOperator(SparkSubmitOperator):
    """Runs `spark-submit jobs/<job>.py --dataset … --ds …`, as a person would type it."""

    template_fields = (*SparkSubmitOperator.template_fields, "ds")
    operator_extra_links = console_links()

    def __init__(
        self,
        *,
        job: str,
        dataset: str,
        ds: str = DAY,
        options: tuple[str, ...] = (),
        missing: str = "wait",
        remote: str | None = None,
        **rest: Any,
    ) -> None:
        super().__init__(
            application=str(ROOT / "jobs" / f"{job}.py"),
            application_args=["--dataset", dataset, "--ds", ds, "--env", ENV, *options],
            name=f"{job} {dataset}",
            **rest,
        )
        self.job, self.dataset, self.ds, self.options, self.missing = job, dataset, ds, options, missing
        self.remote = remote
        self._parent = ""

    def _get_hook(self) -> Submission:
        hook = Submission(
            conf=self.conf,
            conn_id=self._conn_id,
            name=self.name,
            application_args=self.application_args,
        )
        hook.parent, hook.remote = self._parent, self.remote
        return hook

    def execute(self, context: Context) -> dict[str, Any]:
        task = context["ti"]
        self._parent = f"{os.environ.get('OPENLINEAGE_NAMESPACE', 'airflow')}/{task.dag_id}.{task.task_id}/{task.id}"
        try:
            super().execute(context)
        except AirflowException:
            self._explain(context, self._hook.said or {})
        result = self._hook.said or {}
        # An unchanged day repeats the warnings of its last run: do not alert again.
        if result.get("warnings") and result["outcome"] != "nothing":
            telling.warned(context, result)
        for asset in self.outlets:
            context["outlet_events"][asset].extra = announced(result)
        return facts(result)

    def _explain(self, context: Context, result: dict[str, Any]) -> None:
        """Raises the exception for the exit code; a range with only some days skipped as declared succeeds."""
        for line in in_short(result):
            self.log.error("%s", printable(line))
        raised = failure(self._hook.exit_code, result, self.missing)
        if isinstance(raised, AirflowSkipException) and set(result.get("days", {}).values()) - {"missing"}:
            self.log.warning("%s", raised)
            return
        context["ti"].xcom_push(key="return_value", value=facts(result))
        raise raised from None

    def on_kill(self) -> None:
        if self._hook:
            self._hook.on_kill()


def announced(result: dict[str, Any]) -> dict[str, Any]:
    """For the event of the asset: the last day that the job ran, and where it ran several, all of them as ranges."""
    days: dict[str, str] = result.get("days") or {result["ds"].rpartition("..")[2]: result["outcome"]}
    ran = [day for day, outcome in days.items() if outcome not in ("missing", "closed")] or [max(days)]
    return {"ds": max(ran)} if len(ran) == 1 else {"ds": max(ran), "days": in_ranges(ran)}


def facts(result: dict[str, Any]) -> dict[str, Any]:
    """The part of the JSON line that is kept as XCom: small, without messages or examples."""
    kept = {name: result[name] for name in FACTS if result.get(name) not in (None, [], {})}
    for name in ("failures", "warnings"):
        if result.get(name):
            kept[name] = [{key: rule[key] for key in RULE if key in rule} for rule in result[name][: telling.MOST]]
    return kept


def in_short(result: dict[str, Any]) -> list[str]:
    """Each failed rule on a few lines: rule, column, counts, examples."""
    lines = []
    for rule in telling.errors(result):
        lines.append(f"FAILED {telling.in_words(rule)}")
        lines += [f"       {text}" for text in [rule.get("problem"), *rule.get("examples", [])] if text]
    return lines


def failure(code: int, result: dict[str, Any], missing: str) -> Exception:
    """The exception for an exit code: Airflow retries only what may succeed later."""
    message = str(result.get("message") or f"the job ended with exit code {code} without a JSON line; its log is above")
    kind: type[Exception] = AirflowException
    if code in (UsageError.exit_code, ContractViolationError.exit_code):
        kind = AirflowFailException
    elif code == SourceMissingError.exit_code and missing == "skip":
        kind = AirflowSkipException
    return kind(printable(message))
