"""A task leads to its day in the console."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from airflow.sdk import DAG

from dags.console_link import ConsoleLink
from dags.submit import JobOperator

URL = "https://pipeline.example/console/index.html"
SERIALIZED = (
    "from airflow.serialization.serialized_objects import DagSerialization as S; from dags.submit import JobOperator as J; "
    "from airflow.sdk import DAG; dag = DAG('d', schedule=None); J(task_id='t', job='clean', dataset='churn', dag=dag); "
    "print(*S.from_dict(S.to_dict(dag)).task_dict['t'].extra_links)"
)


@pytest.mark.parametrize(
    ("ds", "url", "link"),
    [
        ("2026-01-05", URL, f"{URL}#/d/churn/2026-01-05"),
        ("2026-01-05..2026-01-07", f"{URL}#/", f"{URL}#/d/churn/2026-01-07"),
        ("2026-01-05T07", URL, f"{URL}#/d/churn/2026-01-05T07"),
    ],
)
def test_a_task_leads_to_its_day(monkeypatch: pytest.MonkeyPatch, ds: str, url: str, link: str) -> None:
    monkeypatch.setenv("CONSOLE_URL", url)
    with DAG("d", schedule=None):
        task = JobOperator(task_id="clean", job="clean", dataset="churn", ds=ds)
    assert ConsoleLink().get_link(task, ti_key=None) == link


@pytest.mark.parametrize(("url", "shown"), [(URL, "Day in the console\n"), ("", "\n")])
def test_airflow_shows_it_where_a_console_is_served(url: str, shown: str) -> None:
    environment = {**os.environ, "CONSOLE_URL": url}
    words = [sys.executable, "-c", SERIALIZED]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == shown
