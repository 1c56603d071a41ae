"""A run is late when it could have started and has not succeeded in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.serialization.decoders import decode_deadline_reference
from airflow.serialization.encoders import encode_deadline_reference

from dags import telling
from dags.lateness import PossibleStart
from dags.schedule import schedule

LATE_AFTER = timedelta(minutes=30)


def deadline(run_id: str) -> datetime | None:
    """The deadline that the scheduler gives a run as it creates it: from the serialized DAG, with the plugin's class."""
    stored = encode_deadline_reference(PossibleStart())
    reference = decode_deadline_reference(stored)
    found: datetime | None = reference.evaluate_with(session=None, interval=LATE_AFTER, dag_id="churn", run_id=run_id)
    return found


def test_the_first_run_after_a_set_up_is_not_late_at_once() -> None:
    """Its interval ended days ago, but it could start only now."""
    before = datetime.now(UTC)
    found = deadline("scheduled__2026-01-04T02:00:00+00:00")
    assert found is not None
    assert before + LATE_AFTER <= found <= datetime.now(UTC) + LATE_AFTER


@pytest.mark.parametrize("run_id", ["manual__1", "backfill__1", "asset_triggered__1"])
def test_a_requested_run_of_an_old_day_is_never_late(run_id: str) -> None:
    assert deadline(run_id) is None


def test_a_run_is_late_after_the_declared_time() -> None:
    daily = schedule().datasets["churn"].model_copy(update={"late_after_minutes": 30.0})
    alert = telling.deadline("churn", daily)
    assert alert is not None
    assert (alert.reference, alert.interval) == (PossibleStart(), LATE_AFTER)
    assert telling.deadline("churn", daily.model_copy(update={"late_after_minutes": None})) is None
