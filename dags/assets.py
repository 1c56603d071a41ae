"""The assets that trigger DAGs. The extra of an event names its day: {"ds": "2026-01-05"}.

Several days stand in `days`, as ranges; `ds` is then the newest. Not Airflow's partition keys: an event with one wakes no DAG
that waits for the plain asset, and a key is one day, never a range.
"""

from __future__ import annotations

from airflow.sdk import Asset


def landing(dataset: str) -> Asset:
    """A source updates it after it landed a day."""
    return Asset(f"landing/{dataset}")


def published(dataset: str) -> Asset:
    """We update it after a day's features were published."""
    return Asset(f"published/{dataset}")
