"""What DAGs wait for instead of the clock. An event's extra says which day it is about: {"ds": "2026-01-05"}."""

from __future__ import annotations

from airflow.sdk import Asset


def landing(dataset: str) -> Asset:
    """Told of by a source, when it has left a day in landing."""
    return Asset(f"landing/{dataset}")


def published(dataset: str) -> Asset:
    """Told of by us, when a day's features have been published."""
    return Asset(f"published/{dataset}")
