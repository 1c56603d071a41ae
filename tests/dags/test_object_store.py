"""DAGs whose landing files and lake lie on an object store."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from common.orchestration import staleness
from common.runtime.settings import load_settings
from dags import schedule, submit, waiting
from tests.support.s3_server import KEYS, s3_server

DAY = "2026-01-05"


def test_a_day_is_waited_for_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server(tmp_path, "landing") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        assert not waiting.has_landed("churn", "s3://landing/shop", DAY)
        folder = server.folder / "landing" / "shop" / "churn" / f"ds={DAY}"
        folder.mkdir(parents=True)
        (folder / "part.csv").write_text("customer_id\n")
        assert waiting.landed_sizes("churn", "s3a://landing/shop", DAY) == {"part.csv": 12}


def test_what_is_out_of_date_is_read_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server(tmp_path, "lake") as server:
        for name, value in {**server.environment, "LAKE": "s3://lake/here"}.items():
            monkeypatch.setenv(name, value)
        assert staleness.stale_after("churn", date.fromisoformat(DAY), load_settings(schedule.ENV)) == []
        assert server.requests() != []


def test_jobs_get_the_keys_by_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    assert KEYS.items() <= submit.jobs_environment().items()
