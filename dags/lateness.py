"""The moment from which a run can become late."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk.definitions.deadline import BaseDeadlineReference


class PossibleStart(BaseDeadlineReference):
    """When the scheduler created the run: its interval had ended, its DAG was switched on, and Airflow was up.

    Counted from its interval instead, the first run after a set-up would be late at once. Airflow's DAGRUN_QUEUED_AT means the
    same moment, but Airflow 3.3.2 cannot clear a run with such a deadline.
    """

    required_kwargs = frozenset({"run_id"})

    def _evaluate_with(self, *, run_id: str, **_: Any) -> datetime | None:
        """Called by the scheduler as it creates a run. Other runs than scheduled ones are mostly for old days, and never late."""
        return datetime.now(UTC) if run_id.startswith("scheduled") else None
