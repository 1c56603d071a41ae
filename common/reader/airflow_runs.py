"""Starts planned days in Airflow through its API; the address and who asks come from the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from common.days import range_text
from common.errors import PipelineError, UsageError
from common.runtime.http_post import ask, reason

if TYPE_CHECKING:
    from common.planning.plan import DatasetPlan

ADDRESS, TOKEN, USER, PASSWORD = "AIRFLOW_URL", "AIRFLOW_TOKEN", "AIRFLOW_USER", "AIRFLOW_PASSWORD"
SECONDS = 30.0
WHO = f"expected {TOKEN}, or {USER} and {PASSWORD}"
HINTS = {
    **dict.fromkeys((401, 403), f"{WHO}, of somebody who may start runs"),
    404: f"expected the Airflow of this project at {ADDRESS}, with a DAG for this dataset",
}


def require_address() -> None:
    """Raises before anything is planned if Airflow could not be asked."""
    text = os.environ.get(ADDRESS, "")
    if urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).hostname:
        raise UsageError(f"{ADDRESS} is not an http or https address; expected one, such as http://127.0.0.1:8080")
    if not os.environ.get(TOKEN) and not (os.environ.get(USER) and os.environ.get(PASSWORD)):
        raise UsageError(f"Airflow needs to know who asks; {WHO}")


def start(plans: Iterable[DatasetPlan]) -> list[str]:
    """One run of `<dataset>_range` for each range of days; Airflow runs them, one after another for each dataset."""
    token = _token()
    asked = [(plan.name, *days) for plan in plans if not plan.refused for days in plan.ranges()]
    _require_awake({name for name, *_ in asked}, token)
    return [_started(name, first, last, token) for name, first, last in asked]


def _started(name: str, first: date, last: date, token: str) -> str:
    days = {"logical_date": None, "conf": {"from": str(first), "to": str(last)}}
    run = _ask("POST", f"/api/v2/dags/{name}_range/dagRuns", days, token)
    return f"{name} {range_text(first, last)}: {run['state']} in Airflow, as {run['dag_run_id']} of {name}_range"


def _require_awake(names: Iterable[str], token: str) -> None:
    """A paused DAG would keep its runs waiting, and nobody would be told."""
    paused = [name for name in sorted(names) if _ask("GET", f"/api/v2/dags/{name}_range", None, token)["is_paused"]]
    if paused:
        dags = ", ".join(f"{name}_range" for name in paused)
        raise UsageError(
            f"paused in Airflow: {dags}; nothing was started. Unpause them, and run the same command again"
        )


def _token() -> str:
    if token := os.environ.get(TOKEN):
        return token
    who = {"username": os.environ[USER], "password": os.environ[PASSWORD]}
    return str(_ask("POST", "/auth/token", who)["access_token"])


def _ask(method: str, path: str, content: dict[str, Any] | None, token: str = "") -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    body = None if content is None else json.dumps(content).encode()
    try:
        said = json.loads(ask(os.environ[ADDRESS].rstrip("/") + path, body, headers, SECONDS, method))
    except (OSError, ValueError) as error:
        hint = HINTS.get(error.code, "") if isinstance(error, HTTPError) else f"expected Airflow's API at {ADDRESS}"
        kind = UsageError if hint and isinstance(error, HTTPError) else PipelineError
        raise kind(f"Airflow could not be asked for {path}: {reason(error)}" + (f"; {hint}" if hint else "")) from None
    return dict(said)


def outcome(lines: Sequence[str]) -> str:
    return "\n".join([*lines, "`make status` shows the days once they are done."]) if lines else ""
